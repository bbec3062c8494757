"""Channels into space and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from spikec.ir.dims import Sizes
from spikec.ir.op import Family, Op, Types, Values, expect, moved
from spikec.ir.ops.shape import whole_number
from spikec.ir.ops.window import Ints


@dataclass(frozen=True)
class PixelShuffle(Op):
    """y[c, h r + i, w r + j] = x[c r² + i r + j, h, w]: channels into space, r = ``factor``."""

    factor: int

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(x.rank >= 3, f"operand {x}", "[..., C, H, W]")
        expect(self.factor >= 1, f"factor {self.factor}", "at least 1")
        c, h, w = (whole_number(dim, "PixelShuffle") for dim in x.dims[-3:])
        expect(c % self.factor**2 == 0, f"{c} channels", f"a multiple of {self.factor**2}")
        r = self.factor
        return moved(self, (*x.dims[:-3], c // r**2, h * r, w * r), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        *lead, c, h, w = x.shape
        r = self.factor
        cells = x.reshape(*lead, c // r**2, r, r, h, w)
        return (_rotated(cells, (-5, -2, -4, -1, -3)).reshape(*lead, c // r**2, h * r, w * r),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return (-3, -2, -1)


@dataclass(frozen=True)
class PixelUnshuffle(Op):
    """y[c r² + i r + j, h, w] = x[c, h r + i, w r + j]: space into channels, r = ``factor``."""

    factor: int

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(x.rank >= 3, f"operand {x}", "[..., C, H, W]")
        expect(self.factor >= 1, f"factor {self.factor}", "at least 1")
        c, h, w = (whole_number(dim, "PixelUnshuffle") for dim in x.dims[-3:])
        r = self.factor
        expect(h % r == 0 and w % r == 0, f"{h} x {w} pixels", f"multiples of {r}")
        return moved(self, (*x.dims[:-3], c * r**2, h // r, w // r), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        *lead, c, h, w = x.shape
        r = self.factor
        cells = x.reshape(*lead, c, h // r, r, w // r, r)
        return (_rotated(cells, (-5, -3, -1, -4, -2)).reshape(*lead, c * r**2, h // r, w // r),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return (-3, -2, -1)


def _rotated(x: NDArray[Any], order: Ints) -> NDArray[Any]:
    lead = tuple(range(x.ndim - len(order)))
    return x.transpose(*lead, *order)
