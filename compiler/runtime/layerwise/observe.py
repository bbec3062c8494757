"""Counts events while a simulation runs, without a second pass over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spikec.errors import UsageError
from spikec.ir.graph import Graph, Value
from spikec.ir.types import Spikes
from spikec.runtime.feed import Feed
from spikec.runtime.layerwise.kernels import Constants
from spikec.runtime.layerwise.layout import unfolded

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class EventCounts:
    """Events of one value, as [steps, samples] (one sample where the value holds no batch)."""

    events: Counts
    """elements that are not 0"""
    quanta: Counts
    """Σ |k| over elements of value k · amplitude"""


class Recorder:
    """Collects the counts of all blocks of a run."""

    def __init__(self, graph: Graph, feed: Feed, names: Iterable[str]) -> None:
        by_name = {value.name: value for node in graph for value in node.outputs}
        self.constants = Constants(feed.dtype)
        self.counts: dict[str, EventCounts] = {}
        self.values: dict[Value, EventCounts] = {}
        for name in sorted(names):
            if name not in by_name or not isinstance(by_name[name].type.signal, Spikes):
                raise UsageError(f"no events to count at {name!r}", expected="a value of events")
            value = by_name[name]
            self.values[value] = self.counts[name] = _zeros(value, feed)

    def note(self, value: Value, counted: Counts, first: int, sample: int) -> None:
        """Enter counts [2, steps, samples], of steps from ``first`` (from 1) on."""
        total = self.values[value]
        batched = value.type.batch_axis is not None
        steps = slice(first - 1, first - 1 + counted.shape[1])
        samples = slice(sample, sample + counted.shape[2]) if batched else slice(None)
        total.events[steps, samples], total.quanta[steps, samples] = counted

    def count(self, value: Value, x: Tensor, steps: int, samples: int) -> Counts:
        """Count the events in a tensor."""
        signal = value.type.signal
        assert isinstance(signal, Spikes)  # __init__ has seen to that
        amplitude = self.constants(signal.amplitude)
        k = (x / amplitude).abs().round()
        rows = (x != 0, k)
        return np.stack([_per_sample(row.double(), value, steps, samples) for row in rows])


def _zeros(value: Value, feed: Feed) -> EventCounts:
    steps = 1 if value.type.is_static else int(feed.sizes.steps * value.type.rate)
    shape = (steps, 1 if value.type.batch_axis is None else feed.sizes.batch)
    return EventCounts(np.zeros(shape, np.int64), np.zeros(shape, np.int64))


def _per_sample(row: Tensor, value: Value, steps: int, samples: int) -> Counts:
    """Sum over all axes but steps and samples."""
    type_ = value.type
    if type_.time_axis is not None:
        wide = unfolded(row, type_, steps)
    elif type_.batch_axis is not None:
        wide = row.movedim(type_.batch_axis, 0).unsqueeze(0)
    else:
        wide = row.reshape(1, 1, -1)
    return folded(wide.flatten(2).sum(2).long().numpy(), value, samples)


def folded(counted: NDArray[Any], value: Value, samples: int) -> Counts:
    """Put together what belongs to one sample where the batch shares its axis, [..., samples]."""
    count = 1 if value.type.batch_axis is None else samples
    result: Counts = counted.reshape(*counted.shape[:-1], count, -1).sum(axis=-1)
    return result
