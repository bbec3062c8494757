"""Normalisations, in evaluation mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Dim, Sizes
from spikec.ir.op import Family, Op, Types, Values, analog, axis_of, expect, expect_float
from spikec.ir.ops.affine import per_channel


@dataclass(frozen=True)
class BatchNorm(Op):
    """y = weight[c] (x - mean[c]) / sqrt(variance[c] + eps) + bias[c], c the index on ``axis``."""

    mean: Array
    variance: Array
    weight: Array | None
    bias: Array | None
    eps: float
    axis: int

    family: ClassVar[Family] = Family.NORM

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect_float(x)
        axis_of(self.axis, x.rank)
        for name, vector in self.arrays.items():
            expect(
                vector.shape == (x.dims[self.axis],),
                f"{name} {vector} on axis {self.axis} of {x}",
                "one number per channel",
            )
        return analog(x.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        gain, shift = (Array(vector) for vector in self.gain_and_shift())
        a = per_channel(gain, self.axis, x.dtype)
        return (x * a + per_channel(shift, self.axis, x.dtype),)

    def gain_and_shift(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Y = gain[c] x + shift[c], in double precision."""
        wide = np.dtype(np.float64)
        gain = 1 / np.sqrt(self.variance.astype(wide) + self.eps)
        if self.weight is not None:
            gain = gain * self.weight.astype(wide)
        shift = -self.mean.astype(wide) * gain
        return gain, shift if self.bias is None else shift + self.bias.astype(wide)

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return outputs[0].size


@dataclass(frozen=True)
class TrailingNorm(Op):
    """Normalises over the last ``axes`` axes."""

    axes: int

    family: ClassVar[Family] = Family.NORM

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect_float(x)
        check_affine(self, x.dims[-self.axes :], self.axes, x.rank)
        return analog(x.dims, x)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return _last(self.axes)

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return outputs[0].size


@dataclass(frozen=True)
class LayerNorm(TrailingNorm):
    """y = weight (x - mean x) / sqrt(var x + eps) + bias over the last ``axes`` axes.

    The variance is the biased one; weight and bias have the shape of those axes.
    """

    weight: Array | None
    bias: Array | None
    eps: float

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        return (affine(standardised(x, _last(self.axes), self.eps), self.weight, self.bias),)


@dataclass(frozen=True)
class RMSNorm(TrailingNorm):
    """y = weight x / sqrt(mean(x²) + eps) over the last ``axes`` axes."""

    weight: Array | None
    eps: float

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        power = np.square(x).mean(axis=_last(self.axes), keepdims=True)
        return (affine(x / np.sqrt(power + x.dtype.type(self.eps)), self.weight, None),)


@dataclass(frozen=True)
class GroupNorm(Op):
    """As LayerNorm, over each of ``groups`` blocks of channels and all axes behind ``axis``.

    y = weight[c] x̂ + bias[c]; with as many groups as channels this is instance normalisation.
    """

    groups: int
    weight: Array | None
    bias: Array | None
    eps: float
    axis: int

    family: ClassVar[Family] = Family.NORM

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect_float(x)
        channels = x.dims[axis_of(self.axis, x.rank)]
        expect(
            isinstance(channels, int) and self.groups >= 1 and channels % self.groups == 0,
            f"{channels} channels in {self.groups} groups",
            "groups that divide the channels",
        )
        check_affine(self, (channels,), 1, x.rank)
        expect(
            all(isinstance(dim, int) for dim in x.dims[self.axis :]),
            f"normalised axes of {x} hold B or T",
        )
        return analog(x.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        lead = x.shape[: x.ndim + self.axis]
        blocks = x.reshape(*lead, self.groups, -1)
        y = standardised(blocks, (-1,), self.eps).reshape(x.shape)
        if self.weight is not None:
            y = y * per_channel(self.weight, self.axis, x.dtype)
        if self.bias is not None:
            y = y + per_channel(self.bias, self.axis, x.dtype)
        return (y,)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return tuple(range(self.axis, 0))

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return outputs[0].size


@dataclass(frozen=True)
class LocalResponseNorm(Op):
    """y[c] = x[c] / (k + alpha/size Σ_{c' near c} x[c']²)^beta, c the index on ``axis``.

    The ``size`` neighbours: c - floor((size-1)/2) … c + ceil((size-1)/2), cut at the ends, as
    ONNX defines (torch has floor and ceil the other way round, which matters for even sizes).
    """

    size: int
    alpha: float
    beta: float
    k: float
    axis: int

    family: ClassVar[Family] = Family.NORM

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect_float(x)
        axis_of(self.axis, x.rank)
        expect(self.size >= 1, f"{self.size} neighbours", "at least 1")
        return analog(x.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        power = np.moveaxis(np.square(x), self.axis, -1)
        before, after = (self.size - 1) // 2, self.size // 2
        wide = np.pad(power, [(0, 0)] * (x.ndim - 1) + [(before, after)])
        total = np.lib.stride_tricks.sliding_window_view(wide, self.size, axis=-1).sum(axis=-1)
        scale = x.dtype.type(self.k) + x.dtype.type(self.alpha / self.size) * total
        return (x / np.moveaxis(scale, -1, self.axis) ** x.dtype.type(self.beta),)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)


def _last(count: int) -> tuple[int, ...]:
    return tuple(range(-count, 0))


def check_affine(op: Op, shape: tuple[Dim, ...], axes: int, rank: int) -> None:
    """Check weight and bias against the normalised shape."""
    expect(1 <= axes <= rank, f"normalisation over {axes} axes of {rank}")
    expect(all(isinstance(dim, int) for dim in shape), "normalised axes hold B or T")
    for name, array in op.arrays.items():
        expect(array.shape == shape, f"{name} {array}", f"shape {list(map(str, shape))}")


def standardised(x: NDArray[Any], axes: tuple[int, ...], eps: float) -> NDArray[Any]:
    """(x - mean) / sqrt(var + eps)."""
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    result: NDArray[Any] = centred / np.sqrt(variance + x.dtype.type(eps))
    return result


def affine(x: NDArray[Any], weight: Array | None, bias: Array | None) -> NDArray[Any]:
    """Weight x + bias, either of them optional."""
    y = x if weight is None else x * weight.astype(x.dtype)
    return y if bias is None else y + bias.astype(x.dtype)
