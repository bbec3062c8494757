"""Resampling of images: separable, one interpolation matrix per axis."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Sizes
from spikec.ir.op import (
    Family,
    Op,
    Types,
    Values,
    analog,
    expect,
    expect_float,
    expect_within,
    moved,
)
from spikec.ir.ops.window import spatial

Floats = NDArray[np.float64]


class Interpolation(Enum):
    """The kernel."""

    NEAREST = "nearest"
    LINEAR = "linear"
    CUBIC = "cubic"


class Coordinates(Enum):
    """Where output pixel o of ``n`` lies among ``i`` input pixels; s = scale of that axis."""

    HALF_PIXEL = "half-pixel"
    """(o + 1/2) / s - 1/2"""
    HALF_PIXEL_SYMMETRIC = "half-pixel-symmetric"
    """half-pixel, shifted so that a rounded size stays centred"""
    PYTORCH_HALF_PIXEL = "pytorch-half-pixel"
    """half-pixel, and 0 where n = 1"""
    ALIGN_CORNERS = "align-corners"
    """o (i - 1) / (n - 1)"""
    ASYMMETRIC = "asymmetric"
    """o / s"""
    CROP = "crop"
    """start (i - 1) + o (end - start) (i - 1) / (n - 1), with (start, end) from ``crop``"""


class Rounding(Enum):
    """Which pixel is the nearest one."""

    FLOOR = "floor"
    CEIL = "ceil"
    PREFER_FLOOR = "round-prefer-floor"
    PREFER_CEIL = "round-prefer-ceil"


@dataclass(frozen=True)
class Resize(Op):
    """y = x interpolated along the trailing axes: y[o] = Σ_i W[o, i] x[i] per axis.

    ``sizes`` are the new sizes and ``scales`` the factors s that coordinates are computed with
    (the two differ where a size was rounded).  ``cubic`` is the kernel's a.  With
    ``exclude_outside`` weights of pixels outside are dropped and the rest rescaled, else border
    pixels repeat.  ``antialias`` widens the kernel by 1/s when shrinking, and does not exclude by
    itself (PyTorch's antialiasing does both).  ``crop`` serves
    Coordinates.CROP, with ``extrapolation`` for points outside of x.  The nearest pixel is found
    from coordinates rounded to 1e-9, so that a point halfway between two pixels is known as such.
    """

    sizes: tuple[int, ...]
    scales: tuple[float, ...]
    mode: Interpolation
    coordinates: Coordinates = Coordinates.HALF_PIXEL
    rounding: Rounding = Rounding.PREFER_FLOOR
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    crop: tuple[tuple[float, float], ...] = ()
    extrapolation: float = 0.0

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        rank = len(self.sizes)
        expect(len(self.scales) == rank, f"{len(self.scales)} scales for {rank} sizes")
        expect(min(self.sizes, default=0) >= 1, f"sizes {self.sizes}", "at least 1 per axis")
        expect(min(self.scales) > 0, f"scales {self.scales}", "positive factors")
        cropped = self.coordinates is Coordinates.CROP
        expect(len(self.crop) == rank * cropped, f"crop {self.crop}", "one pair per cropped axis")
        size = spatial(x.dims, rank, "Resize")
        expect(min(size) >= 1, f"pixels of {x}", "at least one per axis")
        expect_within(self.extrapolation, x, "extrapolation")
        dims = (*x.dims[:-rank], *self.sizes)
        if self.mode is not Interpolation.NEAREST:
            expect_float(x)
        elif not cropped:
            return moved(self, dims, x)
        return analog(dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        outside = np.zeros((), bool)
        rank = len(self.sizes)
        y = x
        for position in range(rank):
            axis = position - rank
            size = x.shape[axis]
            where = self._where(position, size)
            snapped = where.round(9)
            if self.mode is Interpolation.NEAREST:
                y = np.take(y, np.clip(nearest(snapped, self.rounding), 0, size - 1), axis)
            else:
                matrix = self._matrix(where, size, self.scales[position]).astype(x.dtype)
                y = np.moveaxis(np.moveaxis(y, axis, -1) @ matrix.T, -1, axis)
            beyond = (snapped < 0) | (snapped > size - 1)
            outside = outside | beyond.reshape(-1, *(1,) * (-axis - 1))
        if self.coordinates is Coordinates.CROP:
            y = np.where(outside, x.dtype.type(self.extrapolation), y)
        return (y,)

    def _where(self, position: int, size: int) -> Floats:
        """Coordinates of the output pixels along one axis."""
        out, scale = self.sizes[position], self.scales[position]
        o = np.arange(out, dtype=np.float64)
        half = (o + 0.5) / scale - 0.5
        match self.coordinates:
            case Coordinates.HALF_PIXEL:
                return half
            case Coordinates.HALF_PIXEL_SYMMETRIC:
                return size / 2 * (1 - out / (scale * size)) + half
            case Coordinates.PYTORCH_HALF_PIXEL:
                return half if out > 1 else np.zeros(1)
            case Coordinates.ALIGN_CORNERS:
                return o * (size - 1) / max(out - 1, 1)
            case Coordinates.ASYMMETRIC:
                return o / scale
            case Coordinates.CROP:
                start, end = self.crop[position]
                if out == 1:
                    return np.array([0.5 * (start + end) * (size - 1)])
                return start * (size - 1) + o * (end - start) * (size - 1) / (out - 1)

    def _matrix(self, where: Floats, size: int, scale: float) -> Floats:
        """Interpolation weights [out, size]."""
        shrink = min(scale, 1.0) if self.antialias else 1.0
        reach = int(np.ceil((1 if self.mode is Interpolation.LINEAR else 2) / shrink))
        taps = np.floor(where).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)
        distance = np.abs(where[:, None] - taps) * shrink
        weights = self._kernel(distance)
        if self.exclude_outside:
            weights = np.where((taps < 0) | (taps >= size), 0, weights)
        if self.exclude_outside or self.antialias:
            total = weights.sum(axis=1, keepdims=True)
            weights = weights / np.where(total == 0, 1, total)
        matrix = np.zeros((len(where), size))
        rows = np.broadcast_to(np.arange(len(where))[:, None], taps.shape)
        np.add.at(matrix, (rows, np.clip(taps, 0, size - 1)), weights)
        return matrix

    def _kernel(self, d: Floats) -> Floats:
        if self.mode is Interpolation.LINEAR:
            return np.clip(1 - d, 0, None)
        a = self.cubic
        near = ((a + 2) * d - (a + 3)) * d**2 + 1
        far = ((d - 5) * d + 8) * d * a - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return tuple(range(-len(self.sizes), 0))


def nearest(where: Floats, rounding: Rounding) -> NDArray[np.int64]:
    """Round coordinates to pixels."""
    formula: dict[Rounding, Any] = {
        Rounding.FLOOR: np.floor,
        Rounding.CEIL: np.ceil,
        Rounding.PREFER_FLOOR: lambda x: np.ceil(x - 0.5),
        Rounding.PREFER_CEIL: lambda x: np.floor(x + 0.5),
    }
    index: NDArray[np.int64] = formula[rounding](where).astype(np.int64)
    return index
