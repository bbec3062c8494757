"""Which whole numbers weights may be, and what a grid is per."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikec.pipeline.weights import largest
from spikec.target.model import Sign

Numbers = NDArray[np.float64]
FEW = 4
"""bits of weights up to which the largest ones are better cut than all the others rounded away"""
SHARES = np.linspace(0.2, 1.0, 33)
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
        whole = self.unit * np.round(weight / self.unit)
        return np.clip(whole, -self.largest, self.largest) if self.bits <= FEW else whole

    def size_of(self, weights: Numbers, axes: tuple[int, ...]) -> Numbers:
        """Give what the grid is fitted to: the largest size, and of few bits what rounds best.

        The mean of |w| is the factor c with the least Σ (c sign w - w)².
        """
        if self.bits > FEW:
            return largest(weights, axes)
        if self.bits > 1:
            return self._fitted(weights, axes)
        size = np.abs(weights)
        return np.asarray(size.sum(axis=axes) / np.maximum(1, np.count_nonzero(size, axis=axes)))

    def _fitted(self, weights: Numbers, axes: tuple[int, ...]) -> Numbers:
        """Give the share of the largest size by which Σ (c n - w)² is least; beyond it w is cut."""
        most = largest(weights, axes)
        best, least = most, np.full(most.shape, np.inf)
        for share in SHARES:
            unit = np.expand_dims(np.where(most > 0, most * share, 1.0) / self.largest, axes)
            error = np.square(unit * self.rounded(weights / unit) - weights).sum(axis=axes)
            best = np.where(error < least, most * share, best)
            least = np.minimum(error, least)
        return np.asarray(best)
