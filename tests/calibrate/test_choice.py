"""Which samples are used does not depend on the order in which they come."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.calibrate import chosen

DATA: dict[str, np.ndarray] = {
    "a": np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32),
    "b": np.arange(50)[:, None],
}


@pytest.mark.parametrize("seed", range(5))
def test_the_same_samples_are_chosen_in_any_order(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(50)
    found = chosen(DATA, 12)
    mixed = chosen({name: array[order] for name, array in DATA.items()}, 12)
    assert len(found["a"]) == 12
    assert all(np.array_equal(found[name], mixed[name]) for name in DATA)
    assert np.array_equal(found["a"], DATA["a"][found["b"].ravel()])  # whole samples


def test_where_there_are_no_more_all_are_used() -> None:
    found = chosen(DATA, 50)
    assert sorted(found["b"].ravel()) == sorted(DATA["b"].ravel())
    assert np.array_equal(found["a"], DATA["a"][found["b"].ravel()])


def test_the_choice_is_spread_over_the_data() -> None:
    numbers = chosen(DATA, 25)["b"].ravel()
    assert 5 <= (numbers < 25).sum() <= 20
