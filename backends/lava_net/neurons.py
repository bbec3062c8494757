"""Which Lava process stands for a neuron, with what numbers and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import Problem
from spikec.ir import Array, Node, Op, ops
from spikec.ir.layout import unit_shape
from spikec.ir.op import Family
from spikec.ir.types import Spikes

Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Neurons:
    """A process of the export, for one layer."""

    process: str
    values: Mapping[str, Numbers] = field(default_factory=dict)
    """numbers per neuron, or one for all"""
    options: Mapping[str, Any] = field(default_factory=dict)


Given = Mapping[str, Array | None]


def neurons_of(node: Node) -> Neurons:
    """Give the process of a neuron node, one that ``problem_of`` has nothing against."""
    return _RULES[type(node.op)](node.op, node)


def problem_of(node: Node) -> Problem | None:
    """Say why a node's neurons do not exist in this backend."""
    if type(node.op) in _RULES:
        return None
    kinds = ", ".join(kind.__name__ for kind in _RULES)
    what = f"{type(node.op).__name__} is no process of this backend"
    return Problem(what, node.place, kinds, "convert with another recipe: spikec recipes")


def amplitude_of(node: Node) -> Numbers:
    """Give what one quantum of a source counts, to be broadcast against its axes."""
    signal = node.outputs[0].type.signal
    if node.op.family is not Family.NEURON or not isinstance(signal, Spikes):
        return np.ones(())
    return signal.amplitude.data.astype(np.float64)


def is_graded(node: Node) -> bool:
    """Tell whether events carry a number."""
    signal = node.outputs[0].type.signal
    binary = isinstance(signal, Spikes) and signal.levels == 1 and not signal.signed
    return not (node.op.family is Family.NEURON and binary)


def _values(node: Node, given: Given) -> dict[str, Numbers]:
    shape = unit_shape(node.outputs[0].type)
    return {
        name: np.broadcast_to(array.data.astype(np.float64), shape).reshape(-1)
        for name, array in given.items()
        if array is not None
    }


def _integrate_fire(op: ops.IntegrateFire, node: Node) -> Neurons:
    negative = op.threshold if op.negative_threshold is None else op.negative_threshold
    given = {
        "threshold": op.threshold,
        "negative_threshold": negative,
        "v0": op.v0,
        "reset_potential": op.reset_potential,
        "leak_constant": op.leak_constant,
        "rest_potential": op.rest_potential,
    }
    options = {
        "levels": op.levels,
        "largest": False,
        "reset": op.reset.value,
        "leak": op.leak.value,
        "negative": op.negative.value,
        "comparison": op.comparison.value,
        "decision": op.decision.value,
    }
    return Neurons("IntegrateFire", _values(node, given), options)


def _multi_threshold(op: ops.MultiThreshold, node: Node) -> Neurons:
    """In quanta of the smallest threshold it is integrate-and-fire of 2^count - 1 levels."""
    given = {"threshold": op.quantum, "negative_threshold": op.quantum, "v0": op.v0}
    options = {
        "levels": (1 << op.count) - 1,
        "largest": op.firing is ops.Firing.LARGEST,
        "reset": ops.Reset.SOFT.value,
        "leak": ops.Leak.NONE.value,
        "negative": op.negative.value,
        "comparison": ops.Comparison.AT_LEAST.value,
        "decision": ops.Decision.AFTER_INPUT.value,
    }
    return Neurons("IntegrateFire", _values(node, given), options)


def _bipolar(op: ops.BipolarIF, node: Node) -> Neurons:
    options = {"levels": op.levels, "low": op.low, "high": op.high}
    return Neurons("BipolarIF", _values(node, {"threshold": op.threshold, "v0": op.v0}), options)


def _phased(op: ops.PhasedFire, node: Node) -> Neurons:
    options = {"levels": op.levels, "window": op.window}
    return Neurons("PhasedFire", _values(node, {"threshold": op.threshold, "v0": op.v0}), options)


def _accumulator(op: ops.Accumulator, node: Node) -> Neurons:
    given = {
        "v0": op.v0,
        "leak_constant": op.leak_constant,
        "rest_potential": op.rest_potential,
    }
    return Neurons("Accumulator", _values(node, given), {"leak": op.leak.value})


READOUT = Neurons("Accumulator", {}, {"leak": ops.Leak.NONE.value})
"""adds up the current of a value that the host reads"""

_RULES: Mapping[type[Op], Callable[[Any, Node], Neurons]] = {
    ops.IntegrateFire: _integrate_fire,
    ops.MultiThreshold: _multi_threshold,
    ops.BipolarIF: _bipolar,
    ops.PhasedFire: _phased,
    ops.Accumulator: _accumulator,
}
