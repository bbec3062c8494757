"""What whole numbers of few bits make of weights."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.pipeline.formats import FEW, WeightFormat
from spikec.target.model import Sign

WEIGHTS = np.random.default_rng(0).normal(0, 1, (5, 200))


def error(form: WeightFormat, size: np.ndarray) -> np.ndarray:
    """Give Σ (c n - w)² per channel, c being so large that ``size`` becomes the largest n."""
    unit = (size / form.largest)[:, None]
    rounded = form.rounded(WEIGHTS / unit)
    assert np.abs(rounded).max() <= form.largest
    assert (rounded % form.unit == 0).all()
    return np.asarray(np.square(unit * rounded - WEIGHTS).sum(axis=1))


@pytest.mark.parametrize("sign", Sign)
@pytest.mark.parametrize("bits", range(2, FEW + 1))
def test_weights_of_few_bits_are_cut_where_that_loses_less(bits: int, sign: Sign) -> None:
    form = WeightFormat(bits, sign)
    largest, fitted = np.abs(WEIGHTS).max(axis=1), form.size_of(WEIGHTS, (1,))
    assert (fitted < largest).all()
    best = error(form, fitted)
    for share in np.linspace(0.2, 1, 17):
        assert (best <= error(form, share * largest) + 1e-9).all()


@pytest.mark.parametrize("bits", [FEW + 1, 8, 9])
def test_the_largest_weight_is_the_largest_number_of_more_bits(bits: int) -> None:
    form = WeightFormat(bits)
    size = form.size_of(WEIGHTS, (1,))
    np.testing.assert_array_equal(size, np.abs(WEIGHTS).max(axis=1))
    rounded = form.rounded(WEIGHTS * (form.largest / size)[:, None])
    assert (np.abs(rounded).max(axis=1) == form.largest).all()


def test_channels_without_weights_have_no_size() -> None:
    size = WeightFormat(2).size_of(np.zeros((3, 4)), (1,))
    np.testing.assert_array_equal(size, np.zeros(3))


def test_a_threshold_of_so_many_bits_is_unsigned() -> None:
    assert WeightFormat(8, threshold_bits=17).largest_threshold == 131071
