"""Threshold rules find what brute force and theory say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spikec.calibrate import RULES, Histogram, Range, RuleName, alive_scale
from spikec.calibrate.rules import (
    CANDIDATES,
    Gaussian,
    LeastSquares,
    LocalBalance,
    Max,
    Percentile,
    Rule,
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


Draw = Callable[[np.random.Generator, int], np.ndarray]
SHAPES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "shifted": lambda rng, n: rng.normal(-1.5, 0.7, n),
    "exponential": lambda rng, n: rng.exponential(size=n) - 0.5,
    "mostly silent": lambda rng, n: np.where(rng.random(n) < 0.01, rng.uniform(0, 9, n), -1.0),
}


@pytest.mark.parametrize("iterations", [1, 3, 30, 1000, 20_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_ltb_is_its_recursion_on_all_values(shape: str, iterations: int) -> None:
    z = SHAPES[shape](np.random.default_rng(5), 3000)
    theta = 0.0
    for _ in range(iterations):
        theta += 2 * float(np.maximum(z - theta, 0).mean())
    found = seen(z[None])
    assert found.width[0] < 0.01
    wanted = min(theta, z.max())
    assert LocalBalance(iterations).scale(found, 4)[0] == pytest.approx(wanted, abs=found.width[0])


@pytest.mark.parametrize("shape", ["normal", "exponential"])
def test_ltb_is_the_expected_course_of_the_published_rule(shape: str) -> None:
    rng = np.random.default_rng(6)
    z = SHAPES[shape](rng, 100_000)
    ends = []
    for _ in range(5):
        theta = 0.0
        for _ in range(1000):  # one random batch of 2,000 values per iteration
            batch = z[rng.integers(0, len(z), 2000)]
            theta += 2 * float(np.maximum(batch - theta, 0).mean())
        ends.append(theta)
    assert LocalBalance().scale(seen(z[None]), 4)[0] == pytest.approx(np.mean(ends), rel=0.02)


def test_ltb_does_not_depend_on_the_levels_and_passes_no_maximum() -> None:
    rows = np.stack([np.full(64, 0.7), np.linspace(0.6, 0.8, 64), np.linspace(-1, 1, 64)])
    found = LocalBalance().scale(seen(rows), 1)
    assert np.array_equal(found, LocalBalance().scale(seen(rows), 500))
    assert found[0] == 0.7
    assert (found <= rows.max(axis=1)).all()


def test_ltb_of_no_iteration_is_refused() -> None:
    with pytest.raises(UsageError, match="iterations = 0"):
        LocalBalance(0)


def test_without_data_ti_and_percentile_follow_from_mean_and_deviation() -> None:
    mean, deviation = np.array([0.0, 0.4, -0.5]), np.array([1.0, 2.0, 0.8])
    rng = np.random.default_rng(2)
    rows = rng.normal(mean[:, None], deviation[:, None], (3, 400_000))
    for rule in (Gaussian(), Percentile(99.0)):
        data = rule.scale(seen(rows), 8)
        assert rule.scale_of_normal(mean, deviation, 8) == pytest.approx(data, rel=0.02)


def best_of_integral(mean: float, deviation: float, levels: int) -> float:
    """Minimise the expected squared error of a normal z on a fine grid, by quadrature."""
    x = np.linspace(mean - 9 * deviation, mean + 9 * deviation, 20_001)
    weight = np.exp(-(((x - mean) / deviation) ** 2) / 2)
    thetas = np.linspace(0.2, mean + 7 * deviation, 1500)
    costs = []
    for theta in thetas:
        step = theta / levels
        error = step * np.clip(np.floor(x / step + 0.5), 0, levels) - np.maximum(x, 0)
        costs.append((weight * error**2).sum())
    return float(thetas[int(np.argmin(costs))])


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.6, 0.5), (-0.8, 1.2)])
@pytest.mark.parametrize("levels", [1, 4, 15])
def test_ti_minimises_the_gaussian_integral(mean: float, deviation: float, levels: int) -> None:
    found = Gaussian().scale_of_normal(np.array([mean]), np.array([deviation]), levels)
    assert found[0] == pytest.approx(best_of_integral(mean, deviation, levels), rel=0.01)


@pytest.mark.parametrize("rule", [Max(), LeastSquares(), LocalBalance(), Percentile(100)])
def test_rules_that_need_data_say_so(rule: Rule) -> None:
    with pytest.raises(UsageError, match=r"need calibration data|no largest value"):
        rule.scale_of_normal(np.zeros(1), np.ones(1), 4)


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
