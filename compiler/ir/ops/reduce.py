"""Reductions, selections and running sums along axes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Sizes
from spikec.ir.op import Family, Op, Types, Values, axis_of, expect, expect_float
from spikec.ir.ops.shape import replaced, whole_number
from spikec.ir.types import DType, TensorType

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Reduction(Op):
    """y = reduction of x over ``axes``; they stay as size 1 with ``keepdims``, or vanish."""

    axes: tuple[int, ...]
    keepdims: bool = False

    family: ClassVar[Family] = Family.REDUCE

    @abstractmethod
    def reduce(self, x: Numbers) -> Numbers:
        """Give the formula."""

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        for axis in self.axes:
            axis_of(axis, x.rank)
        expect(len(set(self.axes)) == len(self.axes), f"axes {self.axes}", "each axis once")
        kept = [(i - x.rank, dim) for i, dim in enumerate(x.dims)]
        if self.keepdims:
            return (x.analog().with_dims(tuple(1 if a in self.axes else d for a, d in kept)),)
        return (x.analog().with_dims(tuple(d for a, d in kept if a not in self.axes)),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        return (np.asarray(self.reduce(x)).astype(x.dtype, copy=False),)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return self.axes


class ReduceSum(Reduction):
    """y = Σ x."""

    family: ClassVar[Family] = Family.POOL

    def reduce(self, x: Numbers) -> Numbers:
        return np.asarray(x.sum(axis=self.axes, keepdims=self.keepdims))


class ReduceMean(Reduction):
    """y = Σ x / n."""

    family: ClassVar[Family] = Family.POOL

    def infer(self, inputs: Types) -> Types:
        expect_float(inputs[0])
        return super().infer(inputs)

    def reduce(self, x: Numbers) -> Numbers:
        return np.asarray(x.mean(axis=self.axes, keepdims=self.keepdims))


@dataclass(frozen=True)
class Extreme(Reduction):
    """y = the extreme element of x."""

    def infer(self, inputs: Types) -> Types:
        result = super().infer(inputs)
        (x,) = inputs
        expect(all(x.dims[axis] != 0 for axis in self.axes), f"the extreme of no elements of {x}")
        return result


class ReduceMax(Extreme):
    """y = max x."""

    def reduce(self, x: Numbers) -> Numbers:
        return np.asarray(x.max(axis=self.axes, keepdims=self.keepdims))


class ReduceMin(Extreme):
    """y = min x."""

    def reduce(self, x: Numbers) -> Numbers:
        return np.asarray(x.min(axis=self.axes, keepdims=self.keepdims))


class ReduceProd(Reduction):
    """y = Π x."""

    def reduce(self, x: Numbers) -> Numbers:
        return np.asarray(x.prod(axis=self.axes, keepdims=self.keepdims))


@dataclass(frozen=True)
class ArgMax(Op):
    """y = index of the largest element along ``axis``, the first of equals (or the last)."""

    axis: int
    keepdims: bool = False
    last: bool = False

    family: ClassVar[Family] = Family.REDUCE

    def score(self, x: Numbers) -> Numbers:
        """What to maximise."""
        return x

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        axis = x.rank + axis_of(self.axis, x.rank)
        expect(x.dims[axis] != 0, f"the largest of no elements on axis {self.axis} of {x}")
        kept = (1,) if self.keepdims else ()
        return (TensorType((*x.dims[:axis], *kept, *x.dims[axis + 1 :]), DType.I64),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        x = self.score(inputs[0])
        if self.last:
            x = np.flip(x, self.axis)
        index = np.argmax(x, axis=self.axis, keepdims=self.keepdims)
        return (np.asarray(x.shape[self.axis] - 1 - index if self.last else index),)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)


class ArgMin(ArgMax):
    """y = index of the smallest element along ``axis``, the first of equals (or the last)."""

    def score(self, x: Numbers) -> Numbers:
        # -x would overflow at the least integer, and bools have no minus
        return ~x if x.dtype.kind in "iub" else -x


@dataclass(frozen=True)
class TopK(Op):
    """Values and indices of the k largest (or smallest) elements along ``axis``, best first.

    Of equal elements the one with the lower index comes first.
    """

    k: int
    axis: int
    largest: bool = True

    family: ClassVar[Family] = Family.REDUCE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        size = whole_number(x.dims[axis_of(self.axis, x.rank)], "TopK")
        expect(0 <= self.k <= size, f"k = {self.k} of {size}")
        dims = replaced(x.dims, self.axis, self.k)
        return (TensorType(dims, x.dtype), TensorType(dims, DType.I64))

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        key = x if not self.largest else (~x if x.dtype.kind in "iub" else -x)
        order = np.argsort(key, axis=self.axis, kind="stable")
        index = np.take(order, range(self.k), axis=self.axis)
        return (np.take_along_axis(x, index, self.axis), index.astype(np.int64))

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)


@dataclass(frozen=True)
class CumSum(Op):
    """y[i] = Σ_{j ≤ i} x[j] along ``axis``; exclusive: j < i; reverse: from the other end."""

    axis: int
    exclusive: bool = False
    reverse: bool = False

    family: ClassVar[Family] = Family.REDUCE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        axis_of(self.axis, x.rank)
        return (x.analog(),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        forward = np.flip(x, self.axis) if self.reverse else x
        y = np.cumsum(forward, axis=self.axis, dtype=x.dtype)
        if self.exclusive:
            y = np.roll(y, 1, self.axis)
            first: list[slice] = [slice(None)] * x.ndim
            first[self.axis] = slice(0, 1)
            y[tuple(first)] = 0
        return (np.flip(y, self.axis) if self.reverse else y,)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)
