"""Which whole numbers weights may be, and what a grid is per."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikec.pipeline.weights import largest
from spikec.target.model import Sign

Numbers = NDArray[np.float64]
THRESHOLD_BITS = 22
"""up to there floor(n / θ + 1/2) is exact in float32"""


@dataclass(frozen=True)
class WeightFormat:
    """Weights of so many bits: signed, or the even numbers that Loihi stores.

    >>> WeightFormat(8).largest, WeightFormat(8, Sign.MIXED_EVEN).largest
    (127, 254)
    """

    bits: int = 8
    """bits of a weight, with its sign; 1: the sign alone, a weight of 0 being no synapse"""
    sign: Sign = Sign.SIGNED
    per_layer: bool = False
    """one grid for all channels of a current, instead of one for each"""
    shortcuts: bool = False
    """the factors of identity shortcuts fit the bits as well; else they may be larger"""

    threshold_bits: int = THRESHOLD_BITS
    """of an unsigned threshold"""

    @property
    def largest_threshold(self) -> int:
        """The largest threshold, times the quanta of one event."""
        return (1 << self.threshold_bits) - 1

    @property
    def largest(self) -> int:
        """The largest weight; its negative is the least one in use."""
        half = 1 << (self.bits - 1)
        return max(1, half - 1) * self.unit

    @property
    def unit(self) -> int:
        """What weights are multiples of."""
        return 2 if self.sign is Sign.MIXED_EVEN else 1

    def rounded(self, weight: Numbers) -> Numbers:
        """Give the nearest whole weights."""
        if self.bits == 1:
            return np.asarray(self.unit * np.sign(weight))
        return np.asarray(self.unit * np.round(weight / self.unit))

    def size_of(self, weights: Numbers, axes: tuple[int, ...]) -> Numbers:
        """Give what the grid is fitted to: the largest size, or where all become equal the mean.

        The mean of |w| is the factor c with the least Σ (c sign w - w)².
        """
        if self.bits > 1:
            return largest(weights, axes)
        size = np.abs(weights)
        return np.asarray(size.sum(axis=axes) / np.maximum(1, np.count_nonzero(size, axis=axes)))
