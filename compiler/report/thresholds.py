"""What each layer of neurons compares its potential with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikec.ir import Array, Graph, Spikes


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a layer, over its channels or neurons, in units of its current."""

    name: str
    kind: str
    count: int
    """different places: 1 where the whole layer has one threshold"""
    least: float
    lower: float
    """first quartile"""
    median: float
    upper: float
    """third quartile"""
    most: float
    field: str
    """the neuron's parameter that this is"""


def thresholds_of(graph: Graph, names: tuple[str, ...]) -> tuple[Thresholds, ...]:
    """Describe the thresholds of layers; a layer that never fires has none."""
    found = []
    for name in names:
        node = graph[name]
        field, array = _threshold(node.op, node.outputs[0].type.signal)
        if array is not None:
            numbers = np.asarray(array.data, np.float64).reshape(-1)
            least, lower, median, upper, most = np.quantile(
                numbers, (0, 0.25, 0.5, 0.75, 1)
            ).tolist()
            kind, count = type(node.op).__name__, numbers.size
            five = (least, lower, median, upper, most)
            found.append(Thresholds(name, kind, count, *five, field))
    return tuple(found)


def _threshold(op: object, signal: object) -> tuple[str, Array | None]:
    """Give the threshold; of neurons that decide otherwise, the value of one quantum."""
    own = getattr(op, "threshold", None)
    if isinstance(own, Array):
        return "threshold", own
    return "amplitude", signal.amplitude if isinstance(signal, Spikes) else None
