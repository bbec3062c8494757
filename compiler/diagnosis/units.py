"""What the events of a layer stand for in units of the analog network, where they are counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Graph, Node, Op
from spikec.ir.ops import (
    BipolarIF,
    IntegrateFire,
    MultiThreshold,
    PhasedFire,
    QuantReLU,
    SigmaDelta,
)

Numbers = NDArray[Any]
Quanta = Mapping[str, Any]
"""value of one event by layer: a number, or nested lists that broadcast on trailing axes"""
QUANTA = "quanta"
"""key in the record of a program"""


@dataclass(frozen=True)
class Units:
    """z = current · x for what a layer gets, r = event · y for what it sends."""

    current: Numbers
    event: Numbers


def real_quanta(graph: Graph) -> dict[str, Any]:
    """Give what one quantum is, for those layers that still compute in real units.

    Passes that rewrite a network in whole numbers keep the names of its layers: what was found
    before them holds behind them too, there up to the rounding of a threshold to its grid.
    """
    return {
        node.name: _quantum(node.op).data.tolist()
        for node in graph
        if type(node.op) in _QUANTA and _amplitude(node.op) is None
    }


def counted(quanta: Quanta, graph: Graph) -> dict[str, Any]:
    """Give those of layers that send counts by now, and do not say themselves what these are."""
    layers = [
        node for node in graph if type(node.op) in _QUANTA and _amplitude(node.op) is not None
    ]
    return {node.name: quanta[node.name] for node in layers if node.name in quanta}


def units_of(node: Node, recorded: Quanta) -> Units | None:
    """Give the units of a layer; None where its whole numbers cannot be read."""
    amplitude = _amplitude(node.op) if type(node.op) in _QUANTA else None
    if amplitude is None:  # other neurons have no way to send counts
        return Units(np.ones(()), np.ones(()))
    if node.name not in recorded:
        return None
    real = np.asarray(recorded[node.name], np.float64)
    return Units(real / _quantum(node.op).data, real / amplitude.data)


def _amplitude(op: Any) -> Array | None:
    found: Array | None = op.amplitude
    return found


def _quantum(op: Op) -> Array:
    """Give the part of a current for which one quantum is sent."""
    return _QUANTA[type(op)](op)


_QUANTA: Mapping[type[Op], Callable[[Any], Array]] = {
    **dict.fromkeys((IntegrateFire, BipolarIF, PhasedFire), lambda op: op.threshold),
    MultiThreshold: lambda op: op.quantum,
    QuantReLU: lambda op: op.step,
    SigmaDelta: lambda op: op.step_size,
}
