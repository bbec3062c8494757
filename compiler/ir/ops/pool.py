"""Pooling over windows and over regions."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Sizes
from spikec.ir.op import Family, Op, Types, Values, analog, expect, expect_float
from spikec.ir.ops.window import (
    Ints,
    Pairs,
    check_window,
    overhang,
    padded,
    spatial,
    tap_counts,
    taps,
    trailing,
    window_sizes,
)
from spikec.ir.types import DType

Numbers = NDArray[Any]


@dataclass(frozen=True)
class WindowPool(Op):
    """y[r] = reduction of x[s r + d k - p] over kernel positions k, on the trailing axes."""

    kernel: Ints
    stride: Ints
    padding: Pairs
    dilation: Ints
    ceil_mode: bool = False

    family: ClassVar[Family] = Family.POOL
    fill: ClassVar[float] = 0.0

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(x.dtype is not DType.BOOL, f"operand {x}", "numbers", "insert a Cast")
        check_window(self.kernel, self.stride, self.padding, self.dilation)
        size = spatial(x.dims, len(self.kernel), type(self).__name__)
        for count in self.tap_counts(size):
            expect(count.min() >= 1, f"padding {self.padding}", "no window of padding alone")
        return analog((*x.dims[: -len(size)], *self.windows(size)), x)

    def windows(self, size: Ints) -> Ints:
        """Number of windows per axis."""
        return window_sizes(
            size, self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode
        )

    @property
    def padding_counts(self) -> bool:
        """Whether what stands in the padding is an element."""
        return False

    def tap_counts(self, size: Ints) -> tuple[Numbers, ...]:
        """Number of elements per window, one factor per axis."""
        return tap_counts(
            size,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.windows(size),
            count_padding=self.padding_counts,
        )

    def views(self, x: Numbers, fill: float) -> list[Numbers]:
        """One view of x per kernel position, over all windows."""
        size = x.shape[-len(self.kernel) :]
        out = self.windows(size)
        extra = overhang(size, self.kernel, self.stride, self.padding, self.dilation, out)
        wide = padded(x, self.padding, fill, extra=extra)
        return [view for _, view in taps(wide, self.kernel, self.stride, self.dilation, out)]

    def mixed_axes(self, inputs: Types) -> Ints:
        return tuple(range(-len(self.kernel), 0))


@dataclass(frozen=True)
class MaxPool(WindowPool):
    """y[r] = max over k of x[s r + d k - p]; padding never wins."""

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        y = None
        for view in self.views(x, lowest(x)):
            y = view.copy() if y is None else np.maximum(y, view, out=y)
        assert y is not None  # a kernel has positions
        return (y,)


@dataclass(frozen=True)
class SumPool(WindowPool):
    """y[r] = Σ over k of x[s r + d k - p]; padding counts as 0."""

    @property
    def padding_counts(self) -> bool:
        return True

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        return (total(self.views(x, 0.0)),)


@dataclass(frozen=True)
class AvgPool(WindowPool):
    """y[r] = mean over k of x[s r + d k - p].

    With ``count_padding`` padded zeros count as elements (what lies beyond the padding, in ceil
    mode, does not); without, the mean is over elements of x alone.
    """

    count_padding: bool = True

    @property
    def padding_counts(self) -> bool:
        return self.count_padding

    def infer(self, inputs: Types) -> Types:
        expect_float(inputs[0])
        return super().infer(inputs)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        counts = self.tap_counts(x.shape[-len(self.kernel) :])
        count = functools.reduce(np.multiply.outer, counts).astype(x.dtype)
        return (total(self.views(x, 0.0)) / count,)


@dataclass(frozen=True)
class AdaptivePool(Op):
    """y[r] = reduction of x[⌊r i/o⌋ … ⌈(r+1) i/o⌉ - 1]: i elements per axis, o of ``output``."""

    output: Ints

    family: ClassVar[Family] = Family.POOL

    @abstractmethod
    def reduce(self, x: Numbers, axis: int) -> Numbers:
        """Reduce one axis to one element."""

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        size = spatial(x.dims, len(self.output), type(self).__name__)
        expect(min(self.output, default=0) >= 1, f"output {self.output}", "at least 1 per axis")
        expect(min(size) >= 1, f"regions of {x}", "at least one element per axis")
        return analog((*x.dims[: -len(self.output)], *self.output), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        for axis in range(-len(self.output), 0):
            x = np.concatenate([self.reduce(part, axis) for part in self._parts(x, axis)], axis)
        return (x,)

    def _parts(self, x: Numbers, axis: int) -> Iterator[Numbers]:
        """Cut one axis into its regions."""
        size, out = x.shape[axis], self.output[axis]
        for r in range(out):
            region = slice(r * size // out, -(-(r + 1) * size // out))
            yield x[trailing(region, *(slice(None),) * (-axis - 1))]

    def mixed_axes(self, inputs: Types) -> Ints:
        return tuple(range(-len(self.output), 0))


@dataclass(frozen=True)
class AdaptiveAvgPool(AdaptivePool):
    """y[r] = mean of x[⌊r i/o⌋ … ⌈(r+1) i/o⌉ - 1]; output 1 is the global average."""

    def infer(self, inputs: Types) -> Types:
        expect_float(inputs[0])
        return super().infer(inputs)

    def reduce(self, x: Numbers, axis: int) -> Numbers:
        y: Numbers = x.mean(axis=axis, keepdims=True)
        return y


@dataclass(frozen=True)
class AdaptiveMaxPool(AdaptivePool):
    """y[r] = max of x[⌊r i/o⌋ … ⌈(r+1) i/o⌉ - 1]; output 1 is the global maximum."""

    def reduce(self, x: Numbers, axis: int) -> Numbers:
        y: Numbers = x.max(axis=axis, keepdims=True)
        return y


def lowest(x: Numbers) -> float:
    """The smallest value of x's element type."""
    return -np.inf if x.dtype.kind == "f" else float(np.iinfo(x.dtype).min)


def total(views: list[Numbers]) -> Numbers:
    """Sum equal-shaped views."""
    y = views[0].copy()
    for view in views[1:]:
        y += view
    return y
