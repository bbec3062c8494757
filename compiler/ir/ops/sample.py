"""Sampling of images at positions that another operand gives."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Dim, Sizes, multiply
from spikec.ir.op import Family, Op, Types, Values, analog, expect, expect_float
from spikec.ir.ops.elementwise import joint_dims, joint_dtype
from spikec.ir.ops.resize import Interpolation
from spikec.ir.ops.window import Ints, spatial
from spikec.ir.types import TensorType

Numbers = NDArray[Any]


class GridPadding(Enum):
    """What a position outside of the image meets."""

    ZEROS = "zeros"
    BORDER = "border"
    """the pixel at the border"""
    REFLECTION = "reflection"
    """the image, mirrored at its border as often as it takes"""


@dataclass(frozen=True)
class GridSample(Op):
    """y[c, o] = Σ_q Π_a k(p_a[o] - q_a) x[c, q], with positions p that the second operand gives.

    Operands: x [*, C, n_1 … n_d] and grid [*, m_1 … m_d, d]; result [*, C, m_1 … m_d].  The axes in
    front broadcast.  g_a = grid[o, d - a] runs from -1 to 1 over axis a (the last axis comes
    first): p_a = ((g_a + 1) n_a - 1) / 2 in pixels, so that ±1 are the outer edges of the border
    pixels, or with ``align_corners`` p_a = (g_a + 1) (n_a - 1) / 2, so that they are their centres.

    k is 1 for the nearest pixel (the even one of two), or linear, or cubic with a = -3/4.
    ``padding`` moves positions that lie outside, and for the cubic kernel each pixel q that it
    meets.  Mirrors stand where g = ±1.
    """

    mode: Interpolation = Interpolation.LINEAR
    padding: GridPadding = GridPadding.ZEROS
    align_corners: bool = False

    family: ClassVar[Family] = Family.SHAPE
    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    def infer(self, inputs: Types) -> Types:
        x, grid = inputs
        joint_dtype(inputs)
        expect_float(x)
        rank = _rank(x, grid)
        size = spatial(x.dims, rank, "GridSample")
        expect(min(size) >= 1, f"pixels of {x}", "at least one per axis")
        out = spatial(grid.dims[:-1], rank, "GridSample")
        lead = joint_dims(tuple(TensorType(t.dims[: -rank - 1]) for t in inputs))
        return analog((*lead, x.dims[-rank - 1], *out), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        x, grid = inputs
        rank = grid.shape[-1]
        channels, *size = x.shape[-rank - 1 :]
        lead = np.broadcast_shapes(x.shape[: -rank - 1], grid.shape[: -rank - 1])
        out = grid.shape[-rank - 1 : -1]
        pixels = np.broadcast_to(x, (*lead, channels, *size))
        pixels = pixels.reshape(math.prod(lead), channels, math.prod(size))
        grids = np.broadcast_to(grid, (*lead, *out, rank)).reshape(math.prod(lead), -1, rank)
        axes = [self._taps(grids[..., rank - 1 - axis], n) for axis, n in enumerate(size)]
        y = np.zeros((*pixels.shape[:2], grids.shape[1]), x.dtype)
        for taps in itertools.product(*axes):
            met, weights = zip(*taps, strict=True)
            index = np.ravel_multi_index(met, tuple(size))
            y += np.prod(weights, axis=0)[:, None] * np.take_along_axis(pixels, index[:, None], 2)
        return (y.reshape(*lead, channels, *out),)

    def _taps(self, g: Numbers, size: int) -> list[tuple[Numbers, Numbers]]:
        """Give, along one axis, the pixels that each position meets, and their weights."""
        where = (g + 1) * (size - 1) / 2 if self.align_corners else ((g + 1) * size - 1) / 2
        if self.mode is not Interpolation.CUBIC:
            where = self._inside(where, size)
        if self.mode is Interpolation.NEAREST:
            return [self._tap(np.rint(where), np.ones_like(where), size)]
        low = np.floor(where)
        part = where - low
        if self.mode is Interpolation.LINEAR:
            return [self._tap(low, 1 - part, size), self._tap(low + 1, part, size)]
        return [
            self._tap(self._inside(low + k, size), _cubic(np.abs(part - k)), size)
            for k in (-1, 0, 1, 2)
        ]

    def _tap(self, pixel: Numbers, weight: Numbers, size: int) -> tuple[Numbers, Numbers]:
        index = np.clip(pixel, 0, size - 1)
        return index.astype(np.int64), np.where(index == pixel, weight, weight.dtype.type(0))

    def _inside(self, where: Numbers, size: int) -> Numbers:
        """Move positions into the image, as the padding asks."""
        if self.padding is GridPadding.ZEROS:
            return where
        if self.padding is GridPadding.REFLECTION:
            edge = 0.0 if self.align_corners else 0.5
            span = size - 1 + 2 * edge
            # a triangle wave; an image of one pixel has but one centre
            wave = np.mod(where + edge, 2 * span) if span else np.zeros_like(where)
            where = span - np.abs(wave - span) - edge
        return np.clip(where, 0, size - 1)

    def mixed_axes(self, inputs: Types) -> Ints:
        return tuple(range(-_rank(*inputs), 0))

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return multiply(outputs[0].size, _TAPS[self.mode] ** _rank(*inputs))


def _rank(x: TensorType, grid: TensorType) -> int:
    """Give the number of spatial axes: that of the coordinates of a position."""
    rank = grid.dims[-1] if grid.rank else 0
    expect(
        isinstance(rank, int) and 1 <= rank < min(x.rank, grid.rank),
        f"image {x} and grid {grid}",
        "[..., C, n_1 … n_d] and [..., m_1 … m_d, d]",
    )
    assert isinstance(rank, int)
    return rank


def _cubic(distance: Numbers) -> Numbers:
    a = -0.75
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return np.where(distance <= 1, near, far)


_TAPS = {Interpolation.NEAREST: 0, Interpolation.LINEAR: 2, Interpolation.CUBIC: 4}
"""Multiplications per axis: the nearest pixel is taken as it is."""
