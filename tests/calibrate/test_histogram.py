"""Statistics are integers: the same whatever the order, the batches or the number of workers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikec.calibrate import Histogram, Range, rows_of
from spikec.calibrate.histogram import BINS

ROWS = arrays(np.float32, (3, 40), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=True))


def counted(rows: np.ndarray, parts: list[np.ndarray]) -> Histogram:
    total = Histogram.empty(Range.of(rows))
    for part in parts:
        total = total + Histogram.empty(total.range).add(part)
    return total


@given(rows=ROWS, cut=st.integers(1, 39), seed=st.integers(0, 99))
def test_merging_in_any_order_and_cut_gives_the_same_counts(
    rows: np.ndarray, cut: int, seed: int
) -> None:
    whole = counted(rows, [rows])
    assert whole.counts.sum(axis=1).tolist() == [40, 40, 40]
    order = np.random.default_rng(seed).permutation(40)
    mixed = rows[:, order]
    parts = counted(rows, [mixed[:, cut:], mixed[:, :cut]])
    assert np.array_equal(parts.counts, whole.counts)
    ranges = Range.of(mixed[:, cut:]) | Range.of(mixed[:, :cut])
    assert np.array_equal(ranges.low, whole.range.low)
    assert np.array_equal(ranges.high, whole.range.high)


@given(rows=ROWS)
def test_no_bin_s_centre_is_further_than_a_bin_from_its_values(rows: np.ndarray) -> None:
    seen = counted(rows, [rows])
    mean, deviation = seen.moments()
    wide = rows.astype(np.float64)
    assert (np.abs(mean - wide.mean(axis=1)) <= 1.01 * seen.width + 1e-12).all()
    assert (np.abs(deviation - wide.std(axis=1)) <= 1.01 * seen.width + 1e-12).all()


def test_values_outside_of_the_range_count_at_its_ends() -> None:
    seen = Histogram.empty(Range(np.array([0.0]), np.array([1.0])))
    counts = seen.add(np.array([[-5.0, 0.5, 9.0]], np.float32)).counts
    assert counts[0, 0] == counts[0, -1] == counts[0, BINS // 2] == 1


def test_a_constant_channel_keeps_its_value() -> None:
    rows = np.full((1, 5), 0.3, np.float32)
    seen = counted(rows, [rows])
    mean, deviation = seen.moments()
    assert mean[0] == np.float32(0.3)
    assert deviation[0] == 0


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999, 1.0])
def test_the_quantile_is_numpy_s_up_to_a_bin(share: float) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 5000)).astype(np.float32)
    seen = counted(rows, [rows])
    wanted = np.quantile(rows, share, axis=1, method="inverted_cdf")
    assert (np.abs(seen.quantile(share) - wanted) <= 1.01 * seen.width).all()


def test_pooled_counts_all_channels_on_one_range() -> None:
    rows = np.array([[0.0, 1.0], [3.0, 4.0]], np.float32)
    pooled = counted(rows, [rows]).pooled()
    assert (pooled.range.low[0], pooled.range.high[0]) == (0.0, 4.0)
    assert pooled.counts.sum() == 4
    assert pooled.quantile(0.25)[0] <= 0.01


def test_rows_of_puts_channels_first() -> None:
    x = np.arange(24).reshape(2, 3, 4)
    assert np.array_equal(rows_of(x, -2)[1], [4, 5, 6, 7, 16, 17, 18, 19])
