"""The step of a quantiser that keeps negative values too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate.histogram import Histogram

Vector = NDArray[np.float64]
CANDIDATES = 64


def two_sided_step(seen: Histogram, low: int, high: int) -> Vector:
    """Give s = argmin Σ_z (s clip(floor(z/s + 1/2), low, high) - z)² per channel.

    64 candidates, from 5 % of the range up to all of it.  A channel that is always 0 gets the mean
    of the others: it may be alive on other data, at its layer's scale.
    """
    needed = [seen.range.high / high, *([seen.range.low / low] if low else [])]
    largest = np.max(needed, axis=0)
    alive = largest > 0
    best, chosen = np.full(len(largest), np.inf), np.ones(len(largest))
    centres = seen.centres
    for share in np.linspace(0.05, 1, CANDIDATES):
        step = share * np.where(alive, largest, 1.0)[:, None]
        error = step * np.clip(np.floor(centres / step + 0.5), low, high) - centres
        cost = (seen.counts * error**2).sum(axis=1)
        better = cost < best
        best, chosen = np.where(better, cost, best), np.where(better, step[:, 0], chosen)
    return np.where(alive, chosen, chosen[alive].mean() if alive.any() else 1.0)
