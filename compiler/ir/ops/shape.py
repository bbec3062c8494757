"""Ops that move elements and compute nothing: spikes stay spikes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from spikec.errors import DataError
from spikec.ir.array import Array
from spikec.ir.dims import Dim, Dims, Sizes, SymbolicDim, add, has_time, product, rate_of
from spikec.ir.op import Family, Op, Types, Values, analog, axis_of, broadcast_dims, expect, moved
from spikec.ir.types import DType, TensorType

Ints = tuple[int, ...]


@dataclass(frozen=True)
class Reshape(Op):
    """y has the sizes ``dims`` and x's elements in x's (row-major) order; T keeps its place."""

    dims: Dims

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(
            product(self.dims) == x.size,
            f"{x.size} elements into [{', '.join(map(str, self.dims))}]",
            "an equal number of elements",
        )
        before, after = _time_prefix(x.dims), _time_prefix(self.dims)
        expect(before == after, "reshape moves or splits the time axis", "T keeps its place")
        if batch_prefix(x.dims) != batch_prefix(self.dims):
            return analog(self.dims, x)  # which amplitude comes where depends on B
        return moved(self, self.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (inputs[0].reshape(sizes.shape(self.dims)),)


@dataclass(frozen=True)
class Permute(Op):
    """y's trailing axis i is x's axis order[i]; (-1, -2) transposes the last two axes."""

    order: Ints

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        count = len(self.order)
        expect(
            count <= x.rank and sorted(self.order) == list(range(-count, 0)),
            f"order {self.order} for {x}",
            "each trailing axis once, counted from the end",
        )
        dims = (*x.dims[: x.rank - count], *(x.dims[axis] for axis in self.order))
        return moved(self, dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        lead = tuple(range(x.ndim - len(self.order)))
        return (x.transpose(*lead, *self.order),)


@dataclass(frozen=True)
class Slice(Op):
    """y[i] = x[start + step i] along ``axis``, while start + step i < stop."""

    axis: int
    start: int
    stop: int
    step: int = 1

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        size = whole_number(x.dims[axis_of(self.axis, x.rank)], "Slice")
        expect(
            0 <= self.start <= self.stop <= size and self.step >= 1,
            f"slice {self.start}:{self.stop}:{self.step} of {size}",
            "0 <= start <= stop <= size, step >= 1",
        )
        count = -(-(self.stop - self.start) // self.step)
        return moved(self, replaced(x.dims, self.axis, count), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        where: list[slice] = [slice(None)] * x.ndim
        where[self.axis] = slice(self.start, self.stop, self.step)
        return (x[tuple(where)],)


@dataclass(frozen=True)
class Flip(Op):
    """y[i] = x[n - 1 - i] along each of ``axes``."""

    axes: Ints

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        for axis in self.axes:
            axis_of(axis, x.rank)
        expect(len(set(self.axes)) == len(self.axes), f"axes {self.axes}", "each axis once")
        return moved(self, x.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (np.flip(inputs[0], self.axes),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return self.axes


@dataclass(frozen=True)
class Concat(Op):
    """y = the operands one after another along ``axis``."""

    axis: int

    family: ClassVar[Family] = Family.SHAPE
    arity: ClassVar[tuple[int, int | None]] = (1, None)

    def infer(self, inputs: Types) -> Types:
        first = inputs[0]
        axis_of(self.axis, first.rank)
        size: Dim = 0
        for x in inputs:
            expect(
                x.dtype is first.dtype,
                f"{x.dtype.value} beside {first.dtype.value}",
                "one element type",
                "insert a Cast",
            )
            expect(x.rank == first.rank, "operands of different rank", f"rank {first.rank}")
            expect(
                replaced(x.dims, self.axis, 0) == replaced(first.dims, self.axis, 0),
                f"{x} beside {first} on axis {self.axis}",
                "equal sizes on the other axes",
            )
            total = x.dims[self.axis] if size == 0 else add(size, x.dims[self.axis])
            expect(
                total is not None and not has_time(total),
                f"{x} behind {size} on axis {self.axis}",
                "sizes without T that can be added",
            )
            size = total if total is not None else 0
        return moved(self, replaced(first.dims, self.axis, size), *inputs)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (np.concatenate(inputs, self.axis),)


@dataclass(frozen=True)
class Expand(Op):
    """y = x repeated along axes of size 1, and along new leading axes, up to the sizes ``dims``."""

    dims: Dims

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        wanted = f"[{', '.join(map(str, self.dims))}]"
        fits = broadcast_dims(x.dims, self.dims) == self.dims
        expect(fits, f"expanding {x} to {wanted}", "axes that are equal, or 1")
        timed = any(has_time(dim) for dim in self.dims)
        expect(not timed or not x.is_static, "expanding a static value over T", "the op Repeat")
        return moved(self, self.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (np.broadcast_to(inputs[0], sizes.shape(self.dims)),)


@dataclass(frozen=True)
class Tile(Op):
    """y = x laid out ``repeats[i]`` times along its trailing axis i."""

    repeats: Ints

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(
            len(self.repeats) <= x.rank and min(self.repeats, default=1) >= 1,
            f"repeats {self.repeats}",
            f"at most {x.rank} numbers, each at least 1",
        )
        lead = x.rank - len(self.repeats)
        tail = zip(x.dims[lead:], self.repeats, strict=True)
        dims = tuple(dim if n == 1 else product((dim, n)) for dim, n in tail)
        timed = any(n > 1 and has_time(d) for d, n in zip(dims, self.repeats, strict=True))
        expect(not timed, f"repeats {self.repeats} of {x}", "no repetition of time steps")
        return moved(self, (*x.dims[:lead], *dims), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        return (np.tile(x, (1,) * (x.ndim - len(self.repeats)) + self.repeats),)


@dataclass(frozen=True)
class Gather(Op):
    """y[..., i…, ...] = x[..., indices[i…], ...] along ``axis``: constant indices of any shape."""

    indices: Array
    axis: int

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        size = whole_number(x.dims[axis_of(self.axis, x.rank)], "Gather")
        expect(self.indices.dtype.kind in "iu", f"indices {self.indices}", "integers")
        inside = self.indices.size == 0 or (
            self.indices.data.min() >= 0 and self.indices.data.max() < size
        )
        expect(inside, f"indices {self.indices} outside of an axis of {size}", f"0..{size - 1}")
        axis = x.rank + self.axis
        return moved(self, (*x.dims[:axis], *self.indices.shape, *x.dims[axis + 1 :]), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (np.take(inputs[0], self.indices.data, self.axis),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return (self.axis,)


@dataclass(frozen=True)
class Embedding(Op):
    """y[...] = table[x[...]]: rows of a constant table by integer ids; -1 is the last row."""

    table: Array

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(x.dtype in (DType.I64, DType.I32), f"ids {x}", "i32 or i64", "insert a Cast")
        expect(self.table.ndim >= 1, f"table {self.table}", "[rows, ...]")
        dtype = DType.of(self.table.dtype)
        return (TensorType((*x.dims, *self.table.shape[1:]), dtype),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        rows = len(self.table.data)
        if not bool(((x >= -rows) & (x < rows)).all()):
            raise DataError(f"an id outside of a table of {rows} rows", expected=f"0..{rows - 1}")
        return (self.table.data[x],)


@dataclass(frozen=True)
class Roll(Op):
    """y[i] = x[(i - shift) mod n] along each of ``axes``."""

    shifts: Ints
    axes: Ints

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(
            len(self.shifts) == len(self.axes),
            f"{len(self.shifts)} shifts on {len(self.axes)} axes",
            "as many shifts as axes",
        )
        for axis in self.axes:
            axis_of(axis, x.rank)
        return moved(self, x.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (np.roll(inputs[0], self.shifts, self.axes),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return self.axes


def whole_number(dim: Dim, who: str) -> int:
    """Give a size that must not depend on B or T."""
    expect(isinstance(dim, int), f"{who} along an axis of size {dim}", "a whole number")
    return dim if isinstance(dim, int) else 0


def replaced(dims: Dims, axis: int, size: Dim) -> Dims:
    """Give sizes with another one on ``axis``."""
    result = list(dims)
    result[axis] = size
    return tuple(result)


def batch_prefix(dims: Dims) -> Dim | None:
    """Elements in front of the batch: where a reshape must keep it for amplitudes to stay."""
    for axis, dim in enumerate(dims):
        if isinstance(dim, SymbolicDim) and dim.batch:
            steps = SymbolicDim(Fraction(1, dim.coefficient.denominator), 0, 1) if dim.time else 1
            return product((*dims[:axis], steps))
    return None


def _time_prefix(dims: Dims) -> tuple[Dim, object] | None:
    """Elements in front of the time axis, and its rate: what a reshape must keep."""
    for axis, dim in enumerate(dims):
        if has_time(dim):
            return product(dims[:axis]), rate_of(dim)
    return None
