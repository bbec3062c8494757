"""Margins around a value: added, or cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from spikec.ir.dims import Dim, Dims, Sizes
from spikec.ir.op import Family, Op, Types, Values, analog, expect, expect_within, moved
from spikec.ir.ops.shape import whole_number
from spikec.ir.ops.window import Ints, Pairs, trailing


class PadMode(Enum):
    """What stands in the padding."""

    CONSTANT = "constant"
    REFLECT = "reflect"
    """mirrored at the border element, which is not repeated"""
    REPLICATE = "replicate"
    """the border element"""
    CIRCULAR = "circular"
    """the other end"""


@dataclass(frozen=True)
class Pad(Op):
    """y = x with elements added (or, where negative, cut) before and after each trailing axis."""

    pads: Pairs
    mode: PadMode = PadMode.CONSTANT
    value: float = 0.0

    family: ClassVar[Family] = Family.SHAPE

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(len(self.pads) <= x.rank, f"pads {self.pads} for {x}", f"at most {x.rank} pairs")
        expect_within(self.value, x, "padding value")
        lead = x.rank - len(self.pads)
        tail = zip(x.dims[lead:], self.pads, strict=True)
        dims: Dims = (*x.dims[:lead], *(self._size(dim, *pair) for dim, pair in tail))
        if self.mode is not PadMode.CONSTANT:
            return moved(self, dims, x)
        if self.value != 0 or 0 in dims or 0 in x.dims:
            return analog(dims, x)
        # no event has any amplitude: the border's will do
        return moved(replace(self, mode=PadMode.REPLICATE), dims, x)

    def _size(self, dim: Dim, before: int, after: int) -> Dim:
        """Give the new size of one axis; modes other than constant repeat what is left of it."""
        if not before and not after:
            return dim
        size = whole_number(dim, "Pad")
        kept = size + min(before, 0) + min(after, 0)
        where = f"{self.mode.value} padding of {before} and {after} around {size}"
        expect(kept >= (self.mode is not PadMode.CONSTANT), where, "elements that remain")
        most = {PadMode.REFLECT: kept - 1, PadMode.CIRCULAR: kept}.get(self.mode)
        fits = most is None or max(before, after) <= most
        expect(fits, where, f"at most {most} on each side")
        return size + before + after

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        lead = x.ndim - len(self.pads)
        crop = tuple(
            slice(max(0, -lo), n - max(0, -hi))
            for n, (lo, hi) in zip(x.shape[lead:], self.pads, strict=True)
        )
        width = [(0, 0)] * lead + [(max(0, lo), max(0, hi)) for lo, hi in self.pads]
        kept = x[trailing(*crop)]
        if self.mode is PadMode.CONSTANT:
            fill = x.dtype.type(self.value)
            return (np.pad(kept, width, mode="constant", constant_values=fill),)
        return (np.pad(kept, width, mode=_NUMPY_PAD[self.mode]),)

    def mixed_axes(self, inputs: Types) -> Ints:
        return tuple(i - len(self.pads) for i, pair in enumerate(self.pads) if any(pair))


_NUMPY_PAD: dict[PadMode, Any] = {
    PadMode.REFLECT: "reflect",
    PadMode.REPLICATE: "edge",
    PadMode.CIRCULAR: "wrap",
}
