"""Threshold rules find what brute force and theory say."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.calibrate import RULES, Histogram, Range, RuleName, alive_scale
from spikec.calibrate.rules import (
    CANDIDATES,
    Gaussian,
    LeastSquares,
    Max,
    Percentile,
    gaussian_scale,
)
from spikec.errors import UsageError


def seen(rows: np.ndarray) -> Histogram:
    return Histogram.empty(Range.of(rows)).add(rows)


def cost(z: np.ndarray, theta: float, levels: int) -> float:
    step = theta / levels
    quantised = step * np.clip(np.floor(z / step + 0.5), 0, levels)
    return float(np.square(quantised - np.maximum(z, 0)).mean())


@pytest.mark.parametrize("levels", [1, 2, 4, 7, 16, 60])
def test_mse_is_as_good_as_brute_force(levels: int) -> None:
    rng = np.random.default_rng(levels)
    rows = np.stack(
        [rng.normal(size=4000), rng.exponential(size=4000) - 0.5, rng.uniform(-1, 2, 4000)]
    )
    found = LeastSquares().scale(seen(rows), levels)
    for z, theta in zip(rows, found, strict=True):
        candidates = np.linspace(0.05, 1, CANDIDATES) * z.max()
        assert np.isclose(candidates, theta).any()
        best = min(cost(z, t, levels) for t in candidates)
        assert cost(z, theta, levels) <= 1.01 * best + 1e-7  # bins stand for their values
        finest = min(cost(z, t, levels) for t in np.linspace(0.02, 1.2, 600) * z.max())
        assert cost(z, theta, levels) <= 1.1 * finest + 1e-7


@pytest.mark.parametrize(
    ("levels", "theta"), [(2, 1.69), (4, 2.14), (8, 2.55), (16, 2.93), (64, 3.55)]
)
def test_ti_rests_where_the_theory_says(levels: int, theta: float) -> None:
    found = gaussian_scale(np.zeros(1), np.ones(1), levels)
    assert found[0] == pytest.approx(theta, rel=0.02)
    rows = np.random.default_rng(0).normal(size=(1, 200_000))
    assert Gaussian().scale(seen(rows), levels)[0] == pytest.approx(theta, rel=0.02)


def test_ti_scales_with_its_data_and_is_the_least_squares_of_a_shifted_gaussian() -> None:
    mean, deviation = np.array([0.0, 0.0, 0.7, -0.5]), np.array([1.0, 3.0, 1.0, 1.0])
    found = gaussian_scale(mean, deviation, 8)
    assert found[1] == pytest.approx(3 * found[0], rel=1e-6)
    rng = np.random.default_rng(1)
    for i in (2, 3):
        z = rng.normal(mean[i], deviation[i], 100_000)
        best = min(cost(z, t, 8) for t in np.linspace(1, 6, 200))
        assert cost(z, found[i], 8) <= 1.02 * best


def test_ti_of_dead_and_of_constant_channels() -> None:
    mean, deviation = np.array([-9.0, -1.0, 2.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0])
    assert gaussian_scale(mean, deviation, 4).tolist() == [0.0, 0.0, 2.0, 0.0]


def test_max_and_percentile() -> None:
    rows = np.arange(1001, dtype=np.float64)[None] / 1000
    assert Max().scale(seen(rows), 4)[0] == 1.0
    assert Percentile(50).scale(seen(rows), 4)[0] == pytest.approx(0.5, abs=1 / 1000)
    assert Percentile(100).scale(seen(rows), 4)[0] == 1.0


@pytest.mark.parametrize("p", [0, -1, 100.1, float("nan")])
def test_a_percentile_out_of_range_is_refused(p: float) -> None:
    with pytest.raises(UsageError, match="percentile"):
        Percentile(p)


@pytest.mark.parametrize("name", list(RuleName))
def test_channels_that_never_fire_have_no_positive_scale(name: RuleName) -> None:
    rows = np.stack(
        [np.full(50, -1.0), np.zeros(50), np.linspace(-3, -1, 50), np.linspace(0, 1, 50)]
    )
    scale = RULES[name]().scale(seen(rows), 4)
    assert (scale[:2] <= 0).all()
    assert scale[3] > 0
    assert np.isfinite(scale).all()


def test_a_dead_channel_gets_the_mean_of_the_living() -> None:
    assert alive_scale(np.array([1.0, 0.0, 3.0, -2.0])).tolist() == [1.0, 2.0, 3.0, 2.0]
    assert alive_scale(np.array([0.0, -1.0])).tolist() == [1.0, 1.0]
