"""Writes a quantised network in whole numbers: every current a multiple of its channel's grid.

A site sends counts k, which stand for s k.  A current z is written as g n with a grid g per
channel and a whole number n:

    z = Σ W (s k) + b   ->   n = Σ round(W s / g) k + round(b / g)

The grid of a site is the largest |W s| that reaches a channel, over the largest whole weight, so
that all weights fit their format.  Sums of currents share one grid; a mean over m elements becomes
their sum, in units of g m.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from spikec.errors import UnsupportedModel
from spikec.ir import Array, Editor, Op, Sizes, Value, ops
from spikec.ir.ops import CumulativeSum, Difference, PhaseScale, Repeat, WindowReadout
from spikec.pipeline.bounds import STEPS_EXACT
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.formats import WeightFormat
from spikec.pipeline.means import MEANS, as_sum
from spikec.pipeline.roles import MAXIMUM
from spikec.pipeline.weights import (
    MOVES,
    Weighted,
    factor_of,
    outputs_of,
    per_input,
    per_output,
    reach_of,
    with_weights,
)

Grid = NDArray[np.float64]
"""What one unit of a whole number stands for; broadcasts against trailing axes."""
ONE = Sizes(1, 1)
LARGEST_BIAS = 2.0**18
"""units; weights that a finer grid would be for are nothing beside such a bias"""
TEMPORAL: tuple[type[Op], ...] = (CumulativeSum, Difference, WindowReadout, PhaseScale)
"""Sums over time around a maximum; their weights are 0, 1 and -1."""


@dataclass(frozen=True)
class Whole:
    """Whole numbers n and what they stand for, grid · n."""

    value: Value
    grid: Grid


class Grids:
    """Rewrites currents, value by value, into the graph behind ``edit``."""

    def __init__(self, edit: Editor, weights: WeightFormat) -> None:
        self.edit = edit
        self.format = weights
        self.real: dict[Value, Value] = {}
        """values that no site reaches: computed in real numbers, as they were"""
        self.counts: dict[Value, Whole] = {}
        """what sites send, and what is moved or summed of it"""
        self._currents: dict[tuple[Value, bytes], Value] = {}

    def current(self, value: Value, grid: Grid) -> Value:
        """Write a current in units of ``grid``, once."""
        key = (value, grid.tobytes())
        if key not in self._currents:
            self._currents[key] = self._current(value, grid)
        return self._currents[key]

    def _current(self, value: Value, grid: Grid) -> Value:
        node = value.producer
        if isinstance(node.op, Repeat):  # rounded once, not at every step
            return self._add(node.op, self.current(node.inputs[0], grid), like=value)
        if value in self.real:
            unit = self.edit.add(ops.Constant(Array(grid, "float32")), name=f"{node.name}_grid")
            scaled = self._add(ops.Div(), self.real[value], unit, like=value)
            return self._add(ops.Round(), scaled, like=value)
        if self._is_counted(value):
            return self._as_current(self.units(value), value, grid)
        operand = node.inputs[0]
        match node.op:
            case ops.Linear() | ops.Conv() | ops.ConvTranspose():
                return self._weights(node.op, value, grid)
            case ops.Add() | ops.Sub():
                parts = [self.current(v, grid) for v in node.inputs]
                return self._add(node.op, *parts, like=value)
            case ops.MaxPool() | ops.AdaptiveMaxPool() | ops.ReduceMax() if (grid < 0).any():
                # of negative units it would be a minimum
                return self._times(np.sign(grid), self.current(value, np.abs(grid)), value)
            case ops.Neg() | ops.SumPool():
                return self._add(node.op, self.current(operand, grid), like=value)
            case ops.MaxPool() | ops.AdaptiveMaxPool() | ops.ReduceMax():
                return self._add(node.op, self.current(operand, grid), like=value)
            case ops.AvgPool() | ops.AdaptiveAvgPool() | ops.ReduceMean():
                chain, count = as_sum(node)
                return self._chain(chain, self.current(operand, grid * count), like=value)
            case ops.Scale() | ops.Mul() | ops.Div():
                return self._scaled(value, grid)
        if isinstance(node.op, TEMPORAL):
            return self._add(node.op, self.current(operand, grid), like=value)
        if isinstance(node.op, MOVES):
            grids = operand_grids(value, grid)
            parts = [self.current(v, g) for v, g in zip(node.inputs, grids, strict=True)]
            return self._add(node.op, *parts, like=value)
        raise refused(value)

    def units(self, value: Value) -> Whole:
        """Write counts with what they stand for; a bare current gets a grid of its own."""
        if value not in self.counts:
            self.counts[value] = self._units(value)
        return self.counts[value]

    def _units(self, value: Value) -> Whole:
        node = value.producer
        if not self._is_counted(value):
            grid = self.grid_of(value)
            return Whole(self.current(value, grid), grid)
        if isinstance(node.op, Repeat):
            counts = self.units(node.inputs[0])
            return Whole(self._add(node.op, counts.value, like=value), counts.grid)
        parts = [self.units(v) for v in node.inputs]
        spread = tuple(
            np.broadcast_to(part.grid, v.type.shape(ONE)).astype(np.float64)
            for part, v in zip(parts, node.inputs, strict=True)
        )
        chain, count = as_sum(node) if isinstance(node.op, MEANS) else ((node.op,), 1)
        if isinstance(node.op, MOVES):
            (grid,) = node.op.run(spread, ONE)
        else:
            axes = node.op.mixed_axes(node.input_types)
            grid = spread[0].max(axis=axes, keepdims=value.type.rank == spread[0].ndim)
            if (spread[0] != spread[0].max(axis=axes, keepdims=True)).any():
                raise refused(value)  # counts that meet here stand for different values
        first = self._add(chain[0], *(part.value for part in parts), like=value)
        whole = self._chain(chain[1:], first, like=value)
        return Whole(whole, np.broadcast_to(grid, value.type.shape(ONE))[0] / count)

    def _is_counted(self, value: Value) -> bool:
        """Tell whether this is made of counts by moves, maxima and means alone."""
        node = value.producer
        if value in self.counts:
            return True
        kinds: tuple[type[Op], ...] = (*MOVES, *MEANS, *MAXIMUM, *TEMPORAL, Repeat)
        inner = isinstance(node.op, kinds) and bool(node.inputs)
        return inner and all(self._is_counted(v) for v in node.inputs)

    def grid_of(self, value: Value, quantum: Grid | None = None, levels: int = 1) -> Grid:
        """Choose the grid of a current: its largest weight becomes the largest whole number.

        Counts that come past all weights (identity shortcuts) do not take part, unless the format
        says so: they would coarsen the weights beside them.  ``quantum`` is the current for which
        a neuron sends one of its ``levels``.  It is the measure of channels that no weight
        reaches; weights so small that quanta or biases become huge beside them do nothing.
        """
        reach = self._most(value, self._reach_past if self.format.shortcuts else self._reach)
        if not reach.any():
            reach = self._most(value, self._reach_past)
        offset = self._most(value, self._offset)
        if self.format.per_layer:
            reach, offset = reach.max(keepdims=True), offset.max(keepdims=True)
        else:
            reach, offset = np.broadcast_arrays(reach, offset)
        least = reach[reach > 0].min() if (reach > 0).any() else 1.0
        coarse = offset / LARGEST_BIAS
        if quantum is not None:
            least = by_channel(value, quantum, reach.size)
            coarse = np.maximum(coarse, least * levels / STEPS_EXACT)
        grid = np.maximum(np.where(reach > 0, reach, least) / self.format.largest, coarse)
        tail = (1,) * (-channel_axis(value) - 1 if grid.size > 1 else 0)
        return grid.reshape(-1, *tail)

    def _most(self, value: Value, own: Callable[[Value], Grid | None]) -> Grid:
        """The most of something in each channel of a current; one number where channels mix.

        ``own`` gives what a value has by itself, or None where it passes on what it is made of.
        """
        found = own(value)
        if found is not None:
            return found
        node = value.producer
        parts = [self._most(v, own) for v in node.inputs]
        if isinstance(node.op, MOVES):
            return np.asarray([max(part.max() for part in parts)])
        most: Grid = np.max(np.broadcast_arrays(*parts), axis=0)
        factor = np.abs(factor_of(node)).reshape(-1)
        count = as_sum(node)[1] if isinstance(node.op, MEANS) else 1
        return np.asarray(most * factor / count)

    def _reach(self, value: Value) -> Grid | None:
        """The most that one count can do by way of weights."""
        op = value.producer.op
        if value in self.real or self._is_counted(value):
            return np.zeros(1)
        if not isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose):
            return None
        return reach_of(op, self._input_scale(op, value.producer.inputs[0]), self.format.size_of)

    def _reach_past(self, value: Value) -> Grid | None:
        """The most that one count can do, past all weights too."""
        if value in self.real or not self._is_counted(value):
            return self._reach(value)
        grid = np.broadcast_to(self.units(value).grid, value.type.shape(ONE))
        return by_channel(value, grid)

    def _offset(self, value: Value) -> Grid | None:
        """The largest bias."""
        op = value.producer.op
        if value in self.real or self._is_counted(value):
            return np.zeros(1)
        if not isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose):
            return None
        return np.zeros(1) if op.bias is None else np.abs(op.bias.data.astype(np.float64))

    def _input_scale(self, op: Weighted, x: Value) -> Grid:
        """What one count stands for, per input channel."""
        grid = np.broadcast_to(self.units(x).grid, x.type.shape(ONE))
        axis = x.type.rank + (-1 if isinstance(op, ops.Linear) else -len(op.kernel) - 1)
        rows = np.moveaxis(grid, axis, 0).reshape(grid.shape[axis], -1)
        if not np.allclose(rows, rows[:, :1]):
            raise refused(x)
        return np.asarray(rows[:, 0])

    def _weights(self, op: Weighted, value: Value, grid: Grid) -> Value:
        x = value.producer.inputs[0]
        unit = np.broadcast_to(grid.reshape(-1), (outputs_of(op),))
        scale = per_input(op, self._input_scale(op, x))
        weight = self.format.rounded(op.weight.data * scale / per_output(op, unit))
        whole = with_weights(op, weight, unit)
        return self._add(whole, self.units(x).value, like=value)

    def _scaled(self, value: Value, grid: Grid) -> Value:
        """Y = c x + shift, x in units of g / c."""
        node = value.producer
        factor = factor_of(node)
        x = next(v for v in node.inputs if not isinstance(v.producer.op, ops.Constant))
        whole = self.current(x, grid / np.where(factor == 0, 1, factor))
        if not factor.all():
            whole = self._times(factor != 0, whole, value)
        if not isinstance(node.op, ops.Scale) or node.op.shift is None:
            return whole
        shift = np.round(node.op.shift.data / grid.reshape(-1))
        ones = Array(np.ones(shift.shape), "float32")
        moved = ops.Scale(ones, Array(shift, "float32"), node.op.axis)
        return self._add(moved, whole, like=value)

    def _as_current(self, counts: Whole, value: Value, grid: Grid) -> Value:
        """Counts through one whole weight per channel."""
        factor = counts.grid / grid
        fits = self.format.shortcuts
        return self._times(
            self.format.rounded(factor) if fits else np.round(factor), counts.value, value
        )

    def _times(self, weight: Grid, whole: Value, value: Value) -> Value:
        if (weight == 1).all():
            return whole
        constant = ops.Constant(Array(weight, "float32"))
        factor = self.edit.add(constant, name=f"{value.producer.name}_weight")
        return self._add(ops.Mul(), whole, factor, like=value)

    def _chain(self, chain: Sequence[Op], whole: Value, like: Value) -> Value:
        for op in chain:
            whole = self._add(op, whole, like=like)
        return whole

    def _add(self, op: Op, *operands: Value, like: Value) -> Value:
        node = like.producer
        # no number behind the name: `relu_2` may be the name of a node that is still to come
        name = f"{node.name}_again" if node.name in self.edit.graph else node.name
        return self.edit.add(op, *operands, name=name, location=node.location)


def operand_grids(value: Value, grid: Grid) -> list[Grid]:
    """Give the grids of what a move takes to ``value``: one per channel, as at the far end."""
    node = value.producer
    if grid.size == 1:
        return [grid] * len(node.inputs)
    shapes = [v.type.shape(ONE) for v in node.inputs]
    ends = np.cumsum([0, *map(prod, shapes)])
    index = [1 + np.arange(prod(s)).reshape(s) + n for s, n in zip(shapes, ends[:-1], strict=True)]
    (origin,) = node.op.run(tuple(index), ONE)  # 0 where nothing comes from: padding
    wanted = np.broadcast_to(grid, origin.shape)
    units = np.zeros(ends[-1] + 1)
    units[origin] = wanted
    if ((units[origin] != wanted) & (origin > 0)).any():
        raise refused(value)  # one element would have to have two units
    parts = zip(node.inputs, np.split(units[1:], ends[1:-1]), shapes, strict=True)
    return [_of_channels(v, part.reshape(shape)) for v, part, shape in parts]


def by_channel(value: Value, array: Grid, size: int | None = None) -> Grid:
    """Give the most of what broadcasts against a value: per channel, or in all where size is 1."""
    if size == 1 or (size is None and array.size == 1):
        return np.asarray(array.max()).reshape(1)
    wide = np.broadcast_to(array, value.type.shape(ONE))
    axis = channel_axis(value) + value.type.rank
    return np.asarray(wide.max(axis=tuple(i for i in range(wide.ndim) if i != axis)))


def _of_channels(value: Value, units: Grid) -> Grid:
    """Take one unit per channel, where all of its elements have the same, or none (0)."""
    axis = channel_axis(value)
    rows = np.moveaxis(units, axis, 0).reshape(units.shape[axis], -1)
    most = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], 1)
    if ((rows != most) & (rows != 0)).any():
        raise refused(value)
    return np.where(most == 0, 1.0, most).reshape(-1, *(1,) * (-axis - 1))


def refused(value: Value) -> UnsupportedModel:
    """Say that a value cannot be written in whole numbers."""
    return UnsupportedModel(
        f"{type(value.producer.op).__name__} cannot be written in whole numbers",
        where=value.producer.place,
        expected="weights, sums, pools with full windows, and moves that keep channels together",
        remedy="use recipe=graded or recipe=signed",
    )
