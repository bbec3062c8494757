"""Mergeable statistics: ranges and integer histograms per channel, independent of data order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
BINS = 2048
LEAST_SPAN = 1e-30


@dataclass(frozen=True)
class Range:
    """Least and largest value per channel; merging takes the wider one."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @staticmethod
    def of(rows: Numbers) -> Range:
        """Read [channels, samples]."""
        low, high = rows.min(axis=1).astype(np.float64), rows.max(axis=1).astype(np.float64)
        return Range(low + 0.0, high + 0.0)  # of -0 and 0 the least depends on the order: 0

    @property
    def is_finite(self) -> bool:
        """Tell whether there was no NaN and no infinity."""
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    def __or__(self, other: Range) -> Range:
        return Range(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


@dataclass(frozen=True)
class Histogram:
    """How many values of each channel fell into each of BINS equal bins of a fixed range.

    Counts are integers, so that the sum over workers, batches and orders is one and the same.
    """

    range: Range
    counts: NDArray[np.int64]

    @staticmethod
    def empty(range_: Range) -> Histogram:
        """Count nothing yet."""
        return Histogram(range_, np.zeros((len(range_.low), BINS), np.int64))

    @property
    def width(self) -> NDArray[np.float64]:
        """Size of a bin per channel; 1 for a constant channel, which fills the first bin alone."""
        span = self.range.high - self.range.low
        return np.where(self._varies, span, BINS) / BINS

    @property
    def _varies(self) -> NDArray[np.bool_]:
        """Tell which channels have bins; less than this, float32 has no number for 1 / width."""
        varies: NDArray[np.bool_] = self.range.high - self.range.low > LEAST_SPAN
        return varies

    @property
    def centres(self) -> NDArray[np.float64]:
        """The value that stands for each bin [channels, BINS]; a constant channel keeps its own."""
        offset = np.where(self._varies, 0.5, 0.0)
        steps = np.arange(BINS) + offset[:, None]
        return self.range.low[:, None] + steps * self.width[:, None]

    def add(self, rows: Numbers) -> Histogram:
        """Count [channels, samples] values; values outside of the range fall into the end bins."""
        low = self.range.low.astype(rows.dtype)[:, None]
        scale = (1 / self.width).astype(rows.dtype)[:, None]
        index = ((rows - low) * scale).astype(np.int32)
        np.clip(index, 0, BINS - 1, out=index)
        index += np.arange(len(rows), dtype=np.int32)[:, None] * BINS
        counts = np.bincount(index.ravel(), minlength=self.counts.size)
        return Histogram(self.range, self.counts + counts.reshape(self.counts.shape))

    def __add__(self, other: Histogram) -> Histogram:
        """Merge with a histogram over the same range."""
        return Histogram(self.range, self.counts + other.counts)

    def pooled(self) -> Histogram:
        """Give the histogram of all channels together, on their joint range."""
        low, high = self.range.low.min(), self.range.high.max()
        joint = Histogram.empty(Range(np.array([low]), np.array([high])))
        width, bins = joint.width[0], np.zeros(BINS, np.int64)
        index = np.clip((self.centres - low) / width, 0, BINS - 1).astype(np.int64)
        np.add.at(bins, index.ravel(), self.counts.ravel())
        return Histogram(joint.range, bins[None])

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation per channel, from the bins."""
        total = np.maximum(self.counts.sum(axis=1), 1)
        mean = (self.counts * self.centres).sum(axis=1) / total
        variance = (self.counts * (self.centres - mean[:, None]) ** 2).sum(axis=1) / total
        return mean, np.sqrt(variance)

    def quantile(self, share: float) -> NDArray[np.float64]:
        """The upper edge of the first bin up to which ``share`` of the values lie, per channel."""
        cumulative = self.counts.cumsum(axis=1)
        first = (cumulative >= share * cumulative[:, -1:]).argmax(axis=1)
        edge = self.range.low + (first + 1) * self.width
        upper: NDArray[np.float64] = np.minimum(edge, self.range.high)
        return upper


def rows_of(x: Numbers, axis: int) -> Numbers:
    """View a value as [channels, everything else]."""
    return np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
