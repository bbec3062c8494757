"""Threshold rules: from the statistics of a pre-activation to the full scale θ of its quantiser.

A site with N levels stands for a = (θ/N) clip(floor(z N/θ + 1/2), 0, N); θ depends on N.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import erfc, pi, sqrt
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate.histogram import Histogram
from spikec.errors import UsageError

Vector = NDArray[np.float64]
CANDIDATES = 64
BISECTIONS = 40


class Rule(ABC):
    """A way to choose θ per channel."""

    sequential: ClassVar[bool] = False
    """whether a layer is seen behind earlier layers that are clipped at their own θ already"""

    counted: ClassVar[bool] = True
    """whether it needs a histogram, or the range alone"""

    @abstractmethod
    def scale(self, seen: Histogram, levels: int) -> Vector:
        """Give θ per channel; what is not positive means that the channel never fires."""

    def scale_of_normal(self, mean: Vector, deviation: Vector, levels: int) -> Vector:
        """Give θ per channel for z ~ N(mean, deviation²), without any data."""
        raise UsageError(
            f"{type(self).__name__} thresholds need calibration data",
            expected="rule=ti or rule=percentile, where source=batchnorm",
        )


@dataclass(frozen=True)
class Max(Rule):
    """θ = max z: nothing is clipped."""

    counted: ClassVar[bool] = False

    def scale(self, seen: Histogram, levels: int) -> Vector:
        return seen.range.high


@dataclass(frozen=True)
class Percentile(Rule):
    """θ = the p-th percentile of z (99.9 by default): the few largest values are clipped."""

    p: float = 99.9

    def __post_init__(self) -> None:
        if not 0 < self.p <= 100:
            raise UsageError(f"percentile p = {self.p}", expected="above 0, at most 100")

    def scale(self, seen: Histogram, levels: int) -> Vector:
        return seen.quantile(self.p / 100)

    def scale_of_normal(self, mean: Vector, deviation: Vector, levels: int) -> Vector:
        if self.p == 100:
            raise UsageError(
                "a normal distribution has no largest value", expected="a percentile below 100"
            )
        return mean + deviation * NormalDist().inv_cdf(self.p / 100)


@dataclass(frozen=True)
class LeastSquares(Rule):
    """θ = argmin over 64 candidates of Σ_z (quantised(z) - ReLU(z))², from 5 % to all of max z."""

    def scale(self, seen: Histogram, levels: int) -> Vector:
        active = np.maximum(seen.centres, 0)
        best, chosen = np.full(len(active), np.inf), np.zeros(len(active))
        high = np.where(seen.range.high > 0, seen.range.high, 1.0)  # dead: any, and 0 in the end
        for share in np.linspace(0.05, 1, CANDIDATES):
            theta = share * high
            step = theta[:, None] / levels
            error = step * np.clip(np.floor(active / step + 0.5), 0, levels) - active
            cost = (seen.counts * error**2).sum(axis=1)
            better = cost < best
            best, chosen = np.where(better, cost, best), np.where(better, theta, chosen)
        return np.where(seen.range.high > 0, chosen, 0.0)


@dataclass(frozen=True)
class Gaussian(Rule):
    """The least-squares θ for z ~ N(μ, σ²), from the two moments alone: where this rests,

    θ = θ [μ/θ mean erfc a_i + σ/θ √(2/π) mean exp(-a_i²)] / Σ (2i-1)/N² erfc a_i,
    a_i = ((2i-1) θ/(2N) - μ) / (√2 σ), i = 1..N.
    """

    def scale(self, seen: Histogram, levels: int) -> Vector:
        return gaussian_scale(*seen.moments(), levels)

    def scale_of_normal(self, mean: Vector, deviation: Vector, levels: int) -> Vector:
        return gaussian_scale(mean, deviation, levels)


def gaussian_scale(mean: Vector, deviation: Vector, levels: int) -> Vector:
    """Give θ per channel by bisection (iterating takes thousands of rounds for many levels).

    A channel of no deviation keeps its mean; 0 where nothing ever fires.
    """
    result = np.where(deviation > 0, 0.0, np.maximum(mean, 0))
    alive = (mean + 3 * deviation > 0) & (deviation > 0)
    mu, sigma = mean[alive], deviation[alive]
    low, high = np.zeros_like(mu), mu + 8 * sigma
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = _next_scale(middle, mu, sigma, levels) > middle
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    result[alive] = high
    return result


def _next_scale(theta: Vector, mu: Vector, sigma: Vector, levels: int) -> Vector:
    """Give the right side of the equation; 0 where θ is so large that nothing fires."""
    odd = 2 * np.arange(1, levels + 1) - 1
    a = (odd * theta[:, None] / (2 * levels) - mu[:, None]) / (sqrt(2) * sigma[:, None])
    tail = np.asarray(_ERFC(a), np.float64)
    top = mu * tail.mean(axis=1) + sigma * sqrt(2 / pi) * np.exp(-a * a).mean(axis=1)
    bottom = (odd / levels**2 * tail).sum(axis=1)
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1), 0.0)


_ERFC = np.frompyfunc(erfc, 1, 1)


@dataclass(frozen=True)
class LocalBalance(Rule):
    """Local threshold balancing (Bu, Li and Yu 2025), whatever the number of levels:

    θ_0 = 0,  θ_k = θ_{k-1} + 2 E ReLU(z - θ_{k-1}),  θ = min(θ_K, max z),  K = ``iterations``.

    E is the mean over all of the calibration data.  The published rule takes that of one random
    batch per iteration, and as it only ever adds, it has no resting point below max z: K is part
    of the rule (1,000 there), and θ depends on which batches came, and when.  This is its expected
    course, with K steps of it: no order, no batches.  Two more differences: earlier layers are
    clipped at their final θ rather than at that of the same iteration, and no θ is above max z,
    which the first steps overshoot where z hardly varies (a constant c would get 2 c).
    """

    iterations: int = 1000

    sequential: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise UsageError(f"iterations = {self.iterations}", expected="at least 1")

    def scale(self, seen: Histogram, levels: int) -> Vector:
        excess = Excess(seen)
        theta = np.zeros(len(seen.counts))
        for _ in range(self.iterations):
            more = theta + 2 * excess(theta)
            if np.array_equal(more, theta):
                break
            theta = more
        return np.minimum(theta, seen.range.high)


class Excess:
    """E ReLU(z - θ) per channel, for the values that stand for bins."""

    def __init__(self, seen: Histogram) -> None:
        self.first, self.width = seen.centres[:, 0], seen.width
        self.total = np.maximum(seen.counts.sum(axis=1), 1)
        self.above = _from_each_on(seen.counts.astype(np.float64))
        self.sums = _from_each_on(seen.counts * seen.centres)

    def __call__(self, theta: Vector) -> Vector:
        """Σ_{centre > θ} count (centre - θ) / Σ count."""
        last = self.above.shape[1] - 1
        beyond = np.clip(np.floor((theta - self.first) / self.width) + 1, 0, last).astype(np.int64)
        row = np.arange(len(theta))
        more = self.sums[row, beyond] - theta * self.above[row, beyond]
        return np.asarray(np.maximum(more, 0) / self.total)


def _from_each_on(numbers: Vector) -> Vector:
    """Give Σ_{i >= j} x_i for each j, and 0 behind the last."""
    sums = np.cumsum(numbers[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([sums, np.zeros((len(sums), 1))], axis=1)


class RuleName(Enum):
    """Rules by the names that pipelines use."""

    MAX = "max"
    PERCENTILE = "percentile"
    MSE = "mse"
    TI = "ti"
    LTB = "ltb"


class Share(Enum):
    """Who has a threshold of its own."""

    CHANNEL = "channel"
    LAYER = "layer"


def alive_scale(theta: Vector) -> Vector:
    """Give channels that never fired in calibration a threshold that divides nothing by 0.

    It is the mean of the others: such a channel may fire on other data, at its layer's scale.
    """
    alive = theta > 0
    return np.where(alive, theta, theta[alive].mean() if alive.any() else 1.0)


RULES: Mapping[RuleName, type[Rule]] = {
    RuleName.MAX: Max,
    RuleName.PERCENTILE: Percentile,
    RuleName.MSE: LeastSquares,
    RuleName.TI: Gaussian,
    RuleName.LTB: LocalBalance,
}
