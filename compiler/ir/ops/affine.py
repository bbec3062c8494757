"""Linear maps with constant weights: they turn into synapses."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Dim, Sizes, multiply
from spikec.ir.op import Family, Op, Types, Values, analog, axis_of, expect
from spikec.ir.ops.window import (
    Ints,
    Pairs,
    check_window,
    padded,
    spatial,
    tap_index,
    taps,
    trailing,
    window_sizes,
)
from spikec.ir.types import DType, TensorType


@dataclass(frozen=True)
class Linear(Op):
    """y[..., o] = Σ_i weight[o, i] x[..., i] + bias[o]."""

    weight: Array
    bias: Array | None = None

    family: ClassVar[Family] = Family.AFFINE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        check_kind(self, x)
        expect(self.weight.ndim == 2, f"weight of rank {self.weight.ndim}", "[out, in]")
        out, features = self.weight.shape
        check_bias(self.bias, out)
        expect(x.rank >= 1 and x.dims[-1] == features, f"last axis of {x}", f"{features} features")
        return analog((*x.dims[:-1], out), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        y = x @ self.weight.astype(x.dtype).T
        return (y if self.bias is None else y + self.bias.astype(x.dtype),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return (-1,)

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return multiply(outputs[0].size, self.weight.shape[1])


@dataclass(frozen=True)
class Conv(Op):
    """y[o, r] = Σ_c Σ_k weight[o, c, k] x[c, s r + d k - p] + bias[o], in 1, 2 or 3 dimensions.

    ``padding`` holds zeros (before, after) per spatial axis; with ``groups`` the channels fall into
    so many independent blocks.
    """

    weight: Array
    bias: Array | None
    stride: Ints
    padding: Pairs
    dilation: Ints
    groups: int = 1

    family: ClassVar[Family] = Family.AFFINE

    @property
    def kernel(self) -> Ints:
        return self.weight.shape[2:]

    @property
    def channels(self) -> tuple[int, int]:
        """Input and output channels."""
        return self.weight.shape[1] * self.groups, self.weight.shape[0]

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        size = check_conv(self, x, self.channels)
        out = window_sizes(size, self.kernel, self.stride, self.padding, self.dilation)
        return analog((*x.dims[: -len(size) - 1], self.channels[1], *out), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        rank = len(self.kernel)
        out = window_sizes(x.shape[-rank:], self.kernel, self.stride, self.padding, self.dilation)
        views = taps(padded(x, self.padding, 0.0), self.kernel, self.stride, self.dilation, out)
        y = sum_of_taps(views, self.weight.astype(x.dtype), self.groups, rank)
        return (add_bias(y, self.bias, rank),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return tuple(range(-len(self.kernel) - 1, 0))

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return multiply(outputs[0].size, int(np.prod(self.weight.shape[1:])))


@dataclass(frozen=True)
class ConvTranspose(Op):
    """y[o, s r + d k - p] += Σ_c weight[c, o, k] x[c, r], then + bias[o]: the adjoint of Conv.

    Size: (i - 1) s - p0 - p1 + d (k - 1) + output_padding + 1.
    """

    weight: Array
    bias: Array | None
    stride: Ints
    padding: Pairs
    output_padding: Ints
    dilation: Ints
    groups: int = 1

    family: ClassVar[Family] = Family.AFFINE

    @property
    def kernel(self) -> Ints:
        return self.weight.shape[2:]

    @property
    def channels(self) -> tuple[int, int]:
        """Input and output channels."""
        return self.weight.shape[0], self.weight.shape[1] * self.groups

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        size = check_conv(self, x, self.channels)
        extra = self.output_padding
        expect(
            len(extra) == len(size) and min(extra) >= 0,
            f"output_padding {extra}",
            "at least 0 per axis of the kernel",
        )
        out = self._sizes(size)
        expect(min(out) >= 1, f"output size {out}", "at least 1")
        return analog((*x.dims[: -len(size) - 1], self.channels[1], *out), x)

    def _full(self, size: Ints) -> Ints:
        """Size before the padding is cut off."""
        rows = zip(size, self.kernel, self.stride, self.dilation, self.output_padding, strict=True)
        return tuple((i - 1) * s + d * (k - 1) + 1 + extra for i, k, s, d, extra in rows)

    def _sizes(self, size: Ints) -> Ints:
        return tuple(
            f - lo - hi for f, (lo, hi) in zip(self._full(size), self.padding, strict=True)
        )

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        rank = len(self.kernel)
        size = x.shape[-rank:]
        lead = x.shape[: -rank - 1]
        blocks = x.reshape(-1, self.groups, x.shape[-rank - 1] // self.groups, *size)
        # weight [G, in/G, out/G, *k] -> transposed maps [G, out/G, in/G] per kernel position
        weight = self.weight.astype(x.dtype)
        weight = weight.reshape(self.groups, -1, *weight.shape[1:])
        full = np.zeros((len(blocks), self.channels[1], *self._full(size)), x.dtype)
        for position in itertools.product(*map(range, self.kernel)):
            tap = weight[trailing(*position)].swapaxes(1, 2)
            y = (tap @ blocks.reshape(*blocks.shape[:3], -1)).reshape(len(blocks), -1, *size)
            full[trailing(*tap_index(position, self.stride, self.dilation, size))] += y
        cut = tuple(
            slice(lo, lo + n) for (lo, _), n in zip(self.padding, self._sizes(size), strict=True)
        )
        y = full[trailing(*cut)].reshape(*lead, self.channels[1], *self._sizes(size))
        return (add_bias(y, self.bias, rank),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return tuple(range(-len(self.kernel) - 1, 0))

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return multiply(inputs[0].size, int(np.prod(self.weight.shape[1:])))


@dataclass(frozen=True)
class Scale(Op):
    """y = scale[c] x + shift[c], with c the index on ``axis``; both are vectors of C numbers."""

    scale: Array
    shift: Array | None
    axis: int

    family: ClassVar[Family] = Family.AFFINE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        check_kind(self, x)
        axis_of(self.axis, x.rank)
        for vector in (self.scale, self.shift):
            expect(
                vector is None or vector.shape == (x.dims[self.axis],),
                f"scale or shift {vector} on axis {self.axis} of {x}",
                "one number per channel",
            )
        return analog(x.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        y = x * per_channel(self.scale, self.axis, x.dtype)
        return (y if self.shift is None else y + per_channel(self.shift, self.axis, x.dtype),)

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return outputs[0].size


def per_channel(vector: Array, axis: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Shape a vector so that it broadcasts along a negative axis."""
    return vector.astype(dtype).reshape(-1, *(1,) * (-axis - 1))


def check_bias(bias: Array | None, channels: int) -> None:
    """Refuse a bias that is not one number per output channel."""
    expect(bias is None or bias.shape == (channels,), f"bias {bias}", f"[{channels}]")


def check_kind(op: Op, x: TensorType) -> None:
    """Refuse truth values, and weights that are no integers where the operand's elements are."""
    expect(x.dtype is not DType.BOOL, f"operand {x}", "numbers", "insert a Cast")
    whole = all(array.dtype.kind in "iu" for array in op.arrays.values())
    expect(x.dtype.is_float or whole, f"real weights on {x}", "floating point", "insert a Cast")


def check_conv(op: Conv | ConvTranspose, x: TensorType, channels: tuple[int, int]) -> Ints:
    """Check options and operand of a convolution; give the operand's spatial sizes."""
    check_kind(op, x)
    rank = len(op.kernel)
    expect(1 <= rank <= 3, f"weight of rank {op.weight.ndim}", "rank 3, 4 or 5")
    check_window(op.kernel, op.stride, op.padding, op.dilation)
    check_groups(op.groups, op.weight.shape[0])
    check_bias(op.bias, channels[1])
    size = spatial(x.dims, rank, type(op).__name__)
    check_channels(x, -rank - 1, channels[0])
    return size


def check_groups(groups: int, channels: int) -> None:
    """Refuse a number of groups that does not divide the weight's first axis."""
    expect(
        groups >= 1 and channels % groups == 0,
        f"{groups} groups of {channels} channels",
        "groups that divide the channels",
    )


def check_channels(x: TensorType, axis: int, channels: int) -> None:
    """Refuse an operand of another number of channels."""
    fits = x.rank >= -axis and x.dims[axis] == channels
    expect(fits, f"axis {axis} of {x}", f"{channels} channels")


def sum_of_taps(views: Any, weight: NDArray[Any], groups: int, rank: int) -> NDArray[Any]:
    """Sum weight[:, :, k] @ view_k over kernel positions k, per group."""
    total: NDArray[Any] | None = None
    maps = weight.reshape(groups, -1, *weight.shape[1:])
    for position, view in views:
        lead, out = view.shape[: -rank - 1], view.shape[-rank:]
        channels = maps.shape[2]
        columns = view.reshape(*lead, groups, channels, -1)
        tap = maps[trailing(*position)]
        # one channel in, one out: a product is enough (and far quicker than a matrix product)
        part = tap * columns if channels == tap.shape[1] == 1 else tap @ columns
        part = part.reshape(*lead, weight.shape[0], *out)
        total = part if total is None else np.add(total, part, out=total)
    assert total is not None  # kernels have at least one position (checked by infer)
    return total


def add_bias(y: NDArray[Any], bias: Array | None, rank: int) -> NDArray[Any]:
    """Add one number per channel in front of ``rank`` spatial axes."""
    return y if bias is None else y + per_channel(bias, -rank - 1, y.dtype)
