"""Which elements of a source reach which elements of a value, through linear ops, by axes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Node, Op, Sizes, TensorType, Timing, Value, ops
from spikec.target.axes import Axis, Counts, Full, Rows, compose, grouped, regions, spread, windows

Shape = tuple[int, ...]
ONE = Sizes(1, 1)


@dataclass(frozen=True, eq=False)
class Grid:
    """Element (i, j, …) is reached where each of its indices is: one relation per axis."""

    axes: tuple[Axis, ...]
    extra: tuple[Axis, ...] = ()
    """relations of axes of size 1 that have been dropped"""

    @property
    def shape(self) -> Shape:
        return tuple(axis.outputs for axis in self.axes)

    def fan_in(self) -> Counts:
        """Number of sources per element, in the value's shape."""
        count = outer(axis.fan_in() for axis in self.axes)
        return np.asarray(count * self.beside(lambda axis: int(axis.fan_in()[0])))

    def fan_out(self) -> Counts:
        """Number of elements per source."""
        return outer(axis.fan_out() for axis in (*self.axes, *self.extra))

    @property
    def sources(self) -> int:
        """Number of sources that reach anything."""
        reached = (int((axis.fan_out() > 0).sum()) for axis in (*self.axes, *self.extra))
        return int(np.prod([*reached], dtype=np.int64))

    def beside(self, number: Callable[[Axis], int]) -> int:
        """Multiply a number of each dropped axis."""
        return int(np.prod([number(axis) for axis in self.extra], dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Scattered:
    """Elements whose order no axes tell: ``counts`` of sources per element."""

    counts: Counts
    reached: int
    most_out: int
    """most elements that one source reaches, at most"""

    @property
    def shape(self) -> Shape:
        return self.counts.shape

    def fan_in(self) -> Counts:
        return self.counts

    @property
    def sources(self) -> int:
        return self.reached


Reach = Grid | Scattered


def shape_of(type_: TensorType) -> Shape:
    """Give the sizes of one sample in one step; axes of B and T keep their place."""
    return type_.step().shape(ONE)


def itself(value: Value) -> Grid:
    """Connect a source one to one."""
    return Grid(tuple(map(Rows.same, shape_of(value.type))))


def through(node: Node, position: int, reach: Reach) -> Reach:
    """Give what reaches a node's (first) result by way of its operand number ``position``."""
    shape = shape_of(node.outputs[0].type)
    rule = _rule(node)
    if isinstance(reach, Grid) and rule is not None:
        found = rule(node, position, reach)
        if found is not None:
            assert found.shape == shape, f"{node.place}: {found.shape} is not {shape}"
            return found
    return _scattered(node, position, reach, shape)


def outer(vectors: Any) -> Counts:
    """Multiply vectors into an array of one axis each."""
    return functools.reduce(np.multiply.outer, vectors, np.ones((), np.int64))


def _rule(node: Node) -> _Rule | None:
    if node.timing is Timing.WHOLE:
        return None
    return next((rule for kind, rule in _RULES.items() if isinstance(node.op, kind)), None)


def _scattered(node: Node, position: int, reach: Reach, shape: Shape) -> Reach:
    """Count, where axes do not tell: exact behind movements, else not too few."""
    counts = reach.fan_in()
    most = int(reach.fan_out().max(initial=0)) if isinstance(reach, Grid) else reach.most_out
    if isinstance(node.op, MOVES) and node.timing is not Timing.WHOLE:
        return Scattered(moved(node, position, counts), reach.sources, most)
    summing = _summing(node.op)
    if summing is not None and counts.shape == shape_of(node.inputs[0].type):
        (total,) = summing.run((counts.astype(np.float64),), ONE)
        counts = np.minimum(total.astype(np.int64), reach.sources)
        return Scattered(counts, reach.sources, counts.size)
    return everywhere(reach.sources, shape)


def everywhere(sources: int, shape: Shape) -> Scattered:
    """Let every source reach every element."""
    return Scattered(np.full(shape, sources), sources, int(np.prod(shape, dtype=np.int64)))


def moved(node: Node, position: int, array: NDArray[Any]) -> NDArray[Any]:
    """Apply an op that moves elements; what comes from other operands is 0."""
    operands = tuple(
        array if i == position else np.zeros(shape_of(value.type), array.dtype)
        for i, value in enumerate(node.inputs)
    )
    op = node.op
    if isinstance(op, ops.Pad) and op.mode is ops.PadMode.CONSTANT:
        op = replace(op, value=0.0)
    one_step = Sizes(1, node.outputs[0].type.rate.denominator)  # of a band at half the rate, say
    return np.asarray(op.run(operands, one_step)[0])


def _summing(op: Op) -> Op | None:
    """Give the op that adds up all that its weights meet."""
    if isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose):
        return replace(op, weight=Array(np.ones(op.weight.shape)), bias=None)
    return None


def _along(node: Node, position: int, reach: Grid) -> Grid:
    """Select along each axis, by moving the indices themselves."""
    shape, axes = reach.shape, []
    for i, axis in enumerate(reach.axes):
        index = np.arange(1, shape[i] + 1).reshape(-1, *(1,) * (len(shape) - i - 1))
        carried = moved(node, position, np.broadcast_to(index, shape))
        rest = tuple(j for j in range(carried.ndim) if j != i)
        axes.append(axis.select(carried.max(axis=rest, initial=0) - 1))
    return Grid(tuple(axes), reach.extra)


def _elementwise(node: Node, position: int, reach: Grid) -> Grid:
    """Repeat along axes that are broadcast."""
    shape = shape_of(node.outputs[0].type)
    axes = (Rows(np.zeros(1, np.int64), 1),) * (len(shape) - len(reach.axes)) + reach.axes
    wide = tuple(
        axis if axis.outputs == size else axis.select(np.zeros(size, np.int64))
        for axis, size in zip(axes, shape, strict=True)
    )
    return Grid(wide, reach.extra)


def _linear(node: Node, position: int, reach: Grid) -> Grid:
    op = node.op
    assert isinstance(op, ops.Linear)
    full = Full(*op.weight.shape)
    return Grid((*reach.axes[:-1], compose(full, reach.axes[-1])), reach.extra)


def _conv(node: Node, position: int, reach: Grid) -> Grid:
    op = node.op
    assert isinstance(op, ops.Conv | ops.ConvTranspose)
    sizes, out = reach.shape, shape_of(node.outputs[0].type)
    rank, relate = len(op.kernel), windows if isinstance(op, ops.Conv) else spread
    table: list[Axis] = [grouped(op.channels[1], op.channels[0], op.groups)]
    rows = zip(op.kernel, op.stride, op.padding, op.dilation, strict=True)
    for i, (k, s, (before, _), d) in enumerate(rows):
        table.append(relate(sizes[i - rank], k, s, before, d, out[i - rank]))
    return _behind(table, reach)


def _pool(node: Node, position: int, reach: Grid) -> Grid:
    op = node.op
    assert isinstance(op, ops.AvgPool | ops.SumPool | ops.MaxPool)
    rank, out = len(op.kernel), shape_of(node.outputs[0].type)
    rows = zip(op.kernel, op.stride, op.padding, op.dilation, strict=True)
    table: list[Axis] = [
        windows(reach.shape[i - rank], k, s, before, d, out[i - rank])
        for i, (k, s, (before, _), d) in enumerate(rows)
    ]
    return _behind(table, reach)


def _adaptive(node: Node, position: int, reach: Grid) -> Grid:
    out = shape_of(node.outputs[0].type)
    table = [regions(n, o) for n, o in zip(reach.shape, out, strict=True)]
    return _behind(table, reach)


def _behind(table: list[Any], reach: Grid) -> Grid:
    """Put relations behind the last axes."""
    kept = len(reach.axes) - len(table)
    new = (compose(a, b) for a, b in zip(table, reach.axes[kept:], strict=True))
    return Grid((*reach.axes[:kept], *new), reach.extra)


def _reduce(node: Node, position: int, reach: Grid) -> Grid:
    op = node.op
    assert isinstance(op, ops.ReduceSum | ops.ReduceMean)
    rank = len(reach.axes)
    summed = {axis % rank for axis in op.axes}
    axes = tuple(
        compose(Full(1, axis.outputs), axis) if i in summed else axis
        for i, axis in enumerate(reach.axes)
    )
    if op.keepdims:
        return Grid(axes, reach.extra)
    kept = tuple(axis for i, axis in enumerate(axes) if i not in summed)
    return Grid(kept, (*reach.extra, *(axes[i] for i in sorted(summed))))


def _reshape(node: Node, position: int, reach: Grid) -> Grid | None:
    """Drop and add axes of size 1; None where elements fall into another order."""
    shape = shape_of(node.outputs[0].type)
    long = [axis for axis in reach.axes if axis.outputs != 1]
    if [axis.outputs for axis in long] != [size for size in shape if size != 1]:
        return None
    short = tuple(axis for axis in reach.axes if axis.outputs == 1)
    rest = iter(long)
    axes = tuple(Rows(np.zeros(1, np.int64), 1) if size == 1 else next(rest) for size in shape)
    return Grid(axes, (*reach.extra, *short))


_Rule = Callable[[Node, int, Grid], Grid | None]
SELECTS = (ops.Slice, ops.Flip, ops.Roll, ops.Pad, ops.Concat, ops.Tile)
MOVES = (*SELECTS, ops.Reshape, ops.Permute, ops.PixelShuffle, ops.PixelUnshuffle, ops.Gather)
_ELEMENTWISE = (
    *(ops.Add, ops.Sub, ops.Mul, ops.Div, ops.Neg, ops.Scale, ops.Cast, ops.Delay, ops.Expand),
    *(ops.Repeat, ops.Impulse, ops.CumulativeSum, ops.Difference, ops.TimeScale, ops.PhaseScale),
    ops.StepScale,
)
_RULES: Mapping[type[Op] | tuple[type[Op], ...], _Rule] = {
    _ELEMENTWISE: _elementwise,
    SELECTS: _along,
    ops.Linear: _linear,
    (ops.Conv, ops.ConvTranspose): _conv,
    (ops.AvgPool, ops.SumPool, ops.MaxPool): _pool,
    (ops.AdaptiveAvgPool, ops.AdaptiveMaxPool): _adaptive,
    (ops.ReduceSum, ops.ReduceMean): _reduce,
    ops.Reshape: _reshape,
}
