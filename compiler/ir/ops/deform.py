"""Deformable convolution: the taps of a convolution move by learnt, input-dependent offsets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Dim, Sizes, multiply
from spikec.ir.op import Family, Op, Types, Values, analog, expect, expect_float
from spikec.ir.ops.affine import add_bias, check_bias, check_channels, check_groups, sum_of_taps
from spikec.ir.ops.elementwise import joint_dtype
from spikec.ir.ops.window import Ints, Pairs, check_window, spatial, window_sizes


@dataclass(frozen=True)
class DeformConv(Op):
    """y[o, r] = Σ_c Σ_k weight[o, c, k] mask[k, r] x̃[c, s r + d k - p + offset[k, r]] + bias[o].

    x̃ interpolates bilinearly between pixels and is 0 outside.  Operands: x [*, C, H, W], offset
    [*, G·2·K, h, w] with (dy, dx) per kernel position for each of G ``offset_groups``, and
    optionally mask [*, G·K, h, w].
    """

    weight: Array
    bias: Array | None
    stride: Ints
    padding: Pairs
    dilation: Ints
    groups: int = 1
    offset_groups: int = 1

    family: ClassVar[Family] = Family.AFFINE
    arity: ClassVar[tuple[int, int | None]] = (2, 3)

    @property
    def kernel(self) -> Ints:
        return self.weight.shape[2:]

    def infer(self, inputs: Types) -> Types:
        x, offset = inputs[:2]
        joint_dtype(inputs)
        expect_float(x)
        expect(self.weight.ndim == 4, f"weight of rank {self.weight.ndim}", "[out, in, kh, kw]")
        check_window(self.kernel, self.stride, self.padding, self.dilation)
        check_groups(self.groups, self.weight.shape[0])
        check_bias(self.bias, self.weight.shape[0])
        channels = self.weight.shape[1] * self.groups
        check_channels(x, -3, channels)
        check_groups(self.offset_groups, channels)
        size = spatial(x.dims, 2, "DeformConv")
        out = window_sizes(size, self.kernel, self.stride, self.padding, self.dilation)
        count = self.offset_groups * int(np.prod(self.kernel))
        for operand, width in zip(inputs[1:], (2 * count, count), strict=False):
            wanted = (*x.dims[:-3], width, *out)
            expect(operand.dims == wanted, f"offset or mask {operand}", f"{x.with_dims(wanted)}")
        return analog((*x.dims[:-3], self.weight.shape[0], *offset.dims[-2:]), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        x = inputs[0]
        y = sum_of_taps(self._taps(inputs), self.weight.astype(x.dtype), self.groups, 2)
        return (add_bias(y, self.bias, 2),)

    def _taps(self, inputs: Values) -> Iterator[tuple[Ints, NDArray[Any]]]:
        x, offset = inputs[:2]
        out = offset.shape[-2:]
        lead = x.shape[:-3]
        count = int(np.prod(self.kernel))
        blocks = x.reshape(-1, self.offset_groups, x.shape[-3] // self.offset_groups, *x.shape[-2:])
        shifts = offset.reshape(-1, self.offset_groups, count, 2, *out)
        for index, position in enumerate(np.ndindex(*self.kernel)):
            where = [
                (np.arange(o) * s + d * k - p[0]).reshape((-1, 1) if axis == 0 else (1, -1))
                + shifts[:, :, index, axis]
                for axis, (o, s, d, k, p) in enumerate(
                    zip(out, self.stride, self.dilation, position, self.padding, strict=True)
                )
            ]
            view = _bilinear(blocks, where[0], where[1])
            if len(inputs) == 3:
                mask = inputs[2].reshape(-1, self.offset_groups, count, *out)
                view = view * mask[:, :, index, None]
            yield position, view.reshape(*lead, x.shape[-3], *out).astype(x.dtype, copy=False)

    def mixed_axes(self, inputs: Types) -> Ints:
        return (-3, -2, -1)

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return multiply(outputs[0].size, int(np.prod(self.weight.shape[1:])))


def _bilinear(x: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[Any]:
    """Sample x [N, G, C, H, W] at [N, G, h, w] real positions, 0 outside."""
    top, left = np.floor(rows), np.floor(columns)
    total: Any = 0
    for dy in (0, 1):
        for dx in (0, 1):
            weight = (1 - np.abs(rows - top - dy)) * (1 - np.abs(columns - left - dx))
            total = total + weight[:, :, None] * _pixel(x, top + dy, left + dx)
    sampled: NDArray[Any] = total
    return sampled


def _pixel(x: NDArray[Any], row: NDArray[Any], column: NDArray[Any]) -> NDArray[Any]:
    height, width = x.shape[-2:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    r, c = (np.where(inside, place, 0).astype(np.int64) for place in (row, column))  # no NaN is
    n, g = np.ogrid[: x.shape[0], : x.shape[1]]
    picked = x[n[..., None, None], g[..., None, None], :, r, c]  # [N, G, h, w, C]
    values: NDArray[Any] = np.moveaxis(picked, -1, 2) * inside[:, :, None]
    return values
