"""What one sample takes, in whole numbers: operations, events, bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spikec.energy.storage import Storage

Number: TypeAlias = float | NDArray[Any]
"""one number for every sample, or one number a sample: [samples]"""
WORD = 4
"""bytes of a message, and of its place in a queue"""


@dataclass(frozen=True, eq=False)
class Counts:
    """Of one sample over all steps.  Bytes are those of no reuse: each use is an access."""

    macs: Number = 0
    """products with a weight or an analog value; those with padding are left out"""
    acs: Number = 0
    """Σ over events of the synapses behind them: synaptic operations"""
    shift_adds: Number = 0
    """the same, an event of k quanta counted as often as |k| has binary ones"""
    adds: Number = 0
    """sums of analog values: biases, pools, joins, running sums"""
    others: Number = 0
    """functions and comparisons, one an element: not priced"""
    updates: Number = 0
    """steps of neurons: neurons times steps"""
    events: Number = 0
    """values sent that are not 0"""
    quanta: Number = 0
    """Σ |k| over events of k quanta"""
    popcount: Number = 0
    """Σ over events of the binary ones of |k|"""
    payload_bits: Number = 0
    """events times the bits that tell their values apart: none for binary ones"""
    messages: Number = 0
    """events times the cores that they go to (placed programs); unplaced: times their readers"""
    hops_x: Number = 0
    """routers passed from column to column (placed programs)"""
    hops_y: Number = 0
    """routers passed from row to row (placed programs)"""
    weight_read: Number = 0
    """bytes of weights and biases"""
    state_read: Number = 0
    """bytes of potentials and other states of neurons"""
    state_written: Number = 0
    value_read: Number = 0
    """bytes of operands: analog values, or one message an event"""
    value_written: Number = 0

    def __add__(self, other: Counts) -> Counts:
        """Add up, sample by sample."""
        return Counts(*(a + b for a, b in zip(self.numbers(), other.numbers(), strict=True)))

    def numbers(self) -> tuple[Number, ...]:
        """Give all counts, in the order of the fields."""
        return tuple(getattr(self, name) for name in NAMES)

    def each(self, change: Callable[[Number], Number]) -> Counts:
        """Apply a function to every count."""
        return Counts(*map(change, self.numbers()))

    def mean(self) -> Counts:
        """Give the mean over the samples."""
        return self.each(lambda number: float(np.mean(number)))

    def to_json(self) -> dict[str, Any]:
        """Give means for machines; whole numbers stay whole."""
        return {name: plain(getattr(self.mean(), name)) for name in NAMES}


NAMES = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True)
class Stores:
    """Bytes of the memories that a node works on, for one sample."""

    weights: int = 0
    states: int = 0
    """of all its neurons, or of the sums that its events go to"""
    read: int = 0
    """where its operands stand; 0 for a queue of events"""
    written: int = 0
    """where its results stand; 0 for a queue of events"""


@dataclass(frozen=True, eq=False)
class Work:
    """What a node does for one sample."""

    counts: Counts = Counts()
    stores: Stores = Stores()
    flops: int = 0
    """multiplications of one step on dense operands, padding included, as tools count them"""
    synapses: int = 0
    """connections of one step: the same without padding"""
    inputs: int = 0
    """elements of one step that send through them, where these are events"""
    arrived: Number = 0
    """events that come in, over all steps"""
    storage: Storage = Storage.LISTED
    """of its connections"""
    runs: int = 1
    """steps in which it works; 1 for what is computed once"""

    def with_counts(self, more: Counts) -> Work:
        """Add counts."""
        return replace(self, counts=self.counts + more)


def total(counts: Iterable[Counts]) -> Counts:
    """Add up the counts of several nodes."""
    return sum(counts, Counts())


def joined(blocks: Iterable[tuple[int, Counts]]) -> Counts:
    """Put blocks of samples behind each other, each with its number of samples."""
    parts = list(blocks)

    def column(name: str) -> Number:
        rows = [(size, getattr(counts, name)) for size, counts in parts]
        if all(np.ndim(number) == 0 and number == rows[0][1] for _, number in rows):
            return float(rows[0][1]) if isinstance(rows[0][1], float) else int(rows[0][1])
        wide = [np.broadcast_to(np.asarray(n, np.int64), (size,)) for size, n in rows]
        return np.concatenate(wide)

    return Counts(*map(column, NAMES))


def plain(number: Number) -> int | float:
    """Give a whole number as an int."""
    value = float(np.mean(number))
    return int(value) if value == int(value) else value
