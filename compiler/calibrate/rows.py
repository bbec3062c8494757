"""Picks elements of a value at random places: a few thousand say as much as millions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Places:
    """Places in a value [samples, ..., channels at ``axis``, ...]: all of its channels there."""

    index: tuple[NDArray[np.intp], ...]
    """one array per axis besides that of the channels, samples first"""
    axis: int
    """axis of the channels, counted from the end"""

    @staticmethod
    def pick(shape: tuple[int, ...], axis: int, most: int, seed: int) -> Places:
        """Pick ``most`` different places, or all where there are no more, the same every time."""
        sizes = tuple(n for i, n in enumerate(shape) if i != len(shape) + axis)
        total = prod(sizes)
        if total > most:
            flat = np.random.default_rng(seed).choice(total, most, replace=False)
            flat.sort()
        else:
            flat = np.arange(total)
        return Places(np.unravel_index(flat, sizes), axis)

    def __len__(self) -> int:
        return len(self.index[0])

    def of(self, x: Numbers) -> Numbers:
        """Give [..., places, channels]; axes in front of the samples' (time) stay."""
        picked: tuple[Any, ...] = (..., *self.index, slice(None))
        return np.ascontiguousarray(np.moveaxis(x, self.axis, -1)[picked])
