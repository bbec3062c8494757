"""Chooses what one unit of a current stands for, so that weights fit their format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Sizes, Value, ops
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.means import MEANS, as_sum
from spikec.pipeline.weights import MOVES, Axes, Weighted, factor_of, reach_of

if TYPE_CHECKING:
    from spikec.pipeline.grids import Grids

Grid = NDArray[np.float64]
"""What one unit of a whole number stands for; broadcasts against trailing axes."""
Join = Callable[[Sequence[Grid]], Grid]
ONE = Sizes(1, 1)
LARGEST_BIAS = 2.0**18
"""units; weights that a finer grid would be for are nothing beside such a bias"""
HARMLESS = 1 / 32
"""What the rounding of one weight may do to a current, in quanta of the neuron."""


class GridChoice:
    """Chooses grids of currents; a value's channels are those of ``channel_axis``."""

    def __init__(self, grids: Grids, room: float = inf) -> None:
        self.grids = grids
        self.format = grids.format
        self.room = room
        """units that the sum of one step should not exceed"""

    def of(self, value: Value, quantum: Grid | None = None, levels: int = 1) -> Grid:
        """Choose the grid of a current: its largest weight becomes the largest whole number.

        Counts that come past all weights (identity shortcuts) do not take part, unless the format
        says so: they would coarsen the weights beside them.  ``quantum`` is the current for which
        a neuron sends one of its ``levels``.  It is the measure of channels that no weight
        reaches.  Channels whose sums would exceed the room are coarsened as far as that is
        harmless to the neuron.
        """
        reach = self._most(value, self._reach_past if self.format.shortcuts else self._reach)
        if not reach.any():
            reach = self._most(value, self._reach_past)
        offset = self._most(value, self._offset)
        if self.format.per_layer:
            reach, offset = reach.max(keepdims=True), offset.max(keepdims=True)
        reach, offset = np.broadcast_arrays(reach, offset)
        least = reach[reach > 0].min() if (reach > 0).any() else 1.0
        coarse = offset / LARGEST_BIAS
        if quantum is not None:
            least = by_channel(value, quantum, reach.size)
            coarse = np.maximum(coarse, least * levels / self.format.largest_threshold)
            coarse = np.maximum(coarse, self._fitting(value, least))
        grid = np.maximum(np.where(reach > 0, reach, least) / self.format.largest, coarse)
        tail = (1,) * (-channel_axis(value) - 1 if grid.size > 1 else 0)
        return grid.reshape(-1, *tail)

    def most(self, value: Value, grid: Grid) -> float:
        """Give the largest current of one step, in units of a grid."""
        span = self._most(value, self._span, joined=_sum, shared=False)
        return float((span / grid.reshape(-1)).max())

    def _fitting(self, value: Value, quantum: Grid) -> Grid:
        """Give the grid by which sums fit into the room, as far as the neuron does not notice."""
        span = self._most(value, self._span, joined=_sum, shared=False)
        count = self._most(value, self._count, shared=False).max()
        if quantum.size == 1:
            span = span.max(keepdims=True)
        return np.asarray(np.minimum(span / self.room, HARMLESS * quantum / max(1.0, count)))

    def _most(
        self,
        value: Value,
        own: Callable[[Value], Grid | None],
        joined: Join | None = None,
        shared: bool = True,
    ) -> Grid:
        """The most of something in each channel of a current; one number where channels mix.

        ``own`` gives what a value has by itself, or None where it passes on what it is made of;
        ``joined`` says how the parts of a sum come together; a mean of ``shared`` things has its
        share of them.
        """
        found = own(value)
        if found is not None:
            return found
        node = value.producer
        parts = [self._most(v, own, joined, shared) for v in node.inputs]
        if isinstance(node.op, MOVES):
            return np.asarray([max(part.max() for part in parts)])
        sums = isinstance(node.op, ops.Add | ops.Sub) and joined is not None
        most = joined(parts) if sums and joined else np.max(np.broadcast_arrays(*parts), axis=0)
        factor = np.abs(factor_of(node)).reshape(-1)
        count = as_sum(node)[1] if shared and isinstance(node.op, MEANS) else 1
        return np.asarray(most * factor / count)

    def _reach(self, value: Value) -> Grid | None:
        """The most that one count can do by way of weights."""
        op = value.producer.op
        if self._is_leaf(value):
            return np.zeros(1)
        if not isinstance(op, Weighted):
            return None
        scale = self.grids.input_scale(op, value.producer.inputs[0])
        return reach_of(op, scale, self.format.size_of)

    def _reach_past(self, value: Value) -> Grid | None:
        """The most that one count can do, past all weights too."""
        if value in self.grids.real or not self.grids.is_counted(value):
            return self._reach(value)
        grid = np.broadcast_to(self.grids.units(value).grid, value.type.shape(ONE))
        return by_channel(value, grid)

    def _offset(self, value: Value) -> Grid | None:
        """The largest bias."""
        op = value.producer.op
        if self._is_leaf(value):
            return np.zeros(1)
        if not isinstance(op, Weighted):
            return None
        return np.zeros(1) if op.bias is None else np.abs(op.bias.data.astype(np.float64))

    def _span(self, value: Value) -> Grid | None:
        """The largest current of one step."""
        op = value.producer.op
        if value in self.grids.real:
            return np.zeros(1)
        if self.grids.is_counted(value):
            counts = self.grids.units(value)
            wide = np.broadcast_to(counts.grid, value.type.shape(ONE))
            return by_channel(value, wide) * counts.most
        if not isinstance(op, Weighted):
            return None
        x = value.producer.inputs[0]
        scale = self.grids.input_scale(op, x) * self.grids.units(x).most
        bias = 0.0 if op.bias is None else np.abs(op.bias.data.astype(np.float64))
        return np.asarray(reach_of(op, scale, _total) + bias)

    def _count(self, value: Value) -> Grid | None:
        """The largest count that a weight, or a factor, meets."""
        op = value.producer.op
        if value in self.grids.real:
            return np.zeros(1)
        if self.grids.is_counted(value):
            return np.array([self.grids.units(value).most])
        weighs = isinstance(op, Weighted)
        return np.array([self.grids.units(value.producer.inputs[0]).most]) if weighs else None

    def _is_leaf(self, value: Value) -> bool:
        return value in self.grids.real or self.grids.is_counted(value)


def _total(weights: Grid, axes: Axes) -> Grid:
    return np.asarray(np.abs(weights).sum(axis=axes))


def _sum(parts: Sequence[Grid]) -> Grid:
    return np.asarray(np.sum(np.broadcast_arrays(*parts), axis=0))


def by_channel(value: Value, array: Grid, size: int | None = None) -> Grid:
    """Give the most of what broadcasts against a value: per channel, or in all where size is 1."""
    if size == 1 or (size is None and array.size == 1):
        return np.asarray(array.max()).reshape(1)
    wide = np.broadcast_to(array, value.type.shape(ONE))
    axis = channel_axis(value) + value.type.rank
    return np.asarray(wide.max(axis=tuple(i for i in range(wide.ndim) if i != axis)))
