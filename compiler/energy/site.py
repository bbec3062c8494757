"""What a rule gets to see: a node, its sizes, and the events that reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.energy.counts import Number
from spikec.ir import Node, Sizes, Spikes, TensorType, Value
from spikec.ir.dims import Dim
from spikec.ir.layout import folded
from spikec.target.reach import Grid, itself, through

Numbers = NDArray[Any]
Wholes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Train:
    """The events of a value, summed over the steps: [samples, elements]."""

    events: Wholes
    quanta: Wholes
    popcount: Wholes

    def through(self, fan: Wholes | int) -> tuple[Number, Number]:
        """Give Σ events · fan-out, and Σ popcount · fan-out, of each sample."""
        return self.events @ _map(fan, self.events), self.popcount @ _map(fan, self.events)


def _map(fan: Wholes | int, rows: Wholes) -> Wholes:
    return np.broadcast_to(np.asarray(fan, np.int64).ravel(), rows.shape[-1:])


def train_of(array: Numbers, type_: TensorType, sizes: Sizes) -> Train:
    """Count the events of a recorded value."""
    signal = type_.signal
    assert isinstance(signal, Spikes)
    events = np.count_nonzero(_steps(array, type_, sizes), axis=1).astype(np.int64)
    if signal.levels == 1:
        return Train(events, events, events)
    quanta = _steps(magnitudes(array, signal), type_, sizes)
    ones = binary_ones(signal.levels)[quanta]
    return Train(events, quanta.sum(axis=1), ones.sum(axis=1))


def _steps(array: Numbers, type_: TensorType, sizes: Sizes) -> Numbers:
    """Give a value as [samples, steps, elements]; a static one has one step."""
    rows = folded(array, type_, sizes)
    return rows[:, np.newaxis] if type_.is_static else rows


def magnitudes(array: Numbers, signal: Spikes) -> Wholes:
    """Give |k| of values k · amplitude."""
    return np.rint(np.abs(array / signal.amplitude.data)).astype(np.int64)


def binary_ones(levels: int) -> Wholes:
    """Give the number of binary ones of 0 … levels.

    >>> binary_ones(7).tolist()
    [0, 1, 1, 2, 1, 2, 2, 3]
    """
    return np.array([number.bit_count() for number in range(levels + 1)], np.int64)


def payload_bits(signal: Spikes) -> int:
    """Give the bits that tell the values of an event apart; a lone event says enough.

    >>> from spikec.ir import Array
    >>> [payload_bits(Spikes(Array(1.0), signed, n)) for signed, n in [(False, 1), (True, 7)]]
    [0, 4]
    """
    return ceil(log2(signal.levels * (2 if signal.signed else 1)))


@dataclass(frozen=True, eq=False)
class Recorded:
    """What was seen of a block of samples, and the maps that all blocks share."""

    sizes: Sizes
    values: Mapping[str, Numbers]
    """values that come as events, by name"""
    trains: Mapping[Value, Train]
    """the same, added up over the steps"""
    fans: dict[Node, Wholes]
    """fan-out maps that are known so far"""


class Site:
    """One node in a block of samples."""

    def __init__(self, node: Node, seen: Recorded) -> None:
        self.node = node
        self.op: Any = node.op
        self.seen = seen

    def types(self, position: int = 0) -> TensorType:
        """Give the type of an operand."""
        return self.node.inputs[position].type

    @property
    def result(self) -> TensorType:
        """The type of the (first) result."""
        return self.node.outputs[0].type

    def fires(self, position: int = 0) -> bool:
        """Tell whether an operand comes as events."""
        return self.types(position).is_spikes

    def train(self, position: int = 0) -> Train:
        """Give the events of an operand."""
        return self.seen.trains[self.node.inputs[position]]

    def of(self, size: Dim) -> int:
        """Give a size for one sample."""
        return Sizes(1, self.seen.sizes.steps).of(size)

    @cached_property
    def runs(self) -> int:
        """How often the node runs: at each of its steps, or once."""
        timed = [v.type for v in (*self.node.inputs, *self.node.outputs) if not v.type.is_static]
        return int(self.seen.sizes.steps * max(t.rate for t in timed)) if timed else 1

    def fan_out(self) -> Wholes:
        """Count the elements of the result that each element of the first operand reaches.

        In one step, for ops that are linear in one operand: borders, stride, groups, dilation and
        padding decide.
        """
        fans, node = self.seen.fans, self.node
        if node not in fans:
            reach = through(node, 0, itself(node.inputs[0]))
            assert isinstance(reach, Grid), f"{node.place} has no map by axes"
            fans[node] = np.asarray(reach.fan_out(), np.int64).ravel()
        return fans[node]


def item(type_: TensorType) -> int:
    """Bytes of one element."""
    return int(type_.dtype.numpy.itemsize)
