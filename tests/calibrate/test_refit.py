"""Refitted weights: what least squares says, no change where there is nothing to gain."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from spikec.calibrate.refit import Affine, refit, rows_for
from spikec.calibrate.rows import Places
from spikec.ir import Array, ops

RNG = np.random.default_rng(3)


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def conv(groups: int = 1, stride: int = 1, dilation: int = 1) -> ops.Conv:
    return ops.Conv(
        Array(drawn(6, 4 // groups, 3, 2)),
        Array(drawn(6)),
        stride=(stride, 1),
        padding=((1, 2), (0, 1)),
        dilation=(1, dilation),
        groups=groups,
    )


def answer(op: Affine, x: np.ndarray) -> np.ndarray:
    weight, bias = torch.tensor(op.weight.data), torch.tensor(op.bias.data if op.bias else 0.0)
    if isinstance(op, ops.Linear):
        return functional.linear(torch.tensor(x), weight, bias).numpy()
    (low, high), (left, right) = op.padding
    padded = functional.pad(torch.tensor(x), (left, right, low, high))
    y = functional.conv2d(padded, weight, bias, op.stride, 0, op.dilation, op.groups)
    return np.asarray(y.numpy())


def places(op: Affine, y: np.ndarray, most: int = 10**6) -> Places:
    axis = -1 if isinstance(op, ops.Linear) else -3
    return Places.pick(y.shape, axis, most, 0)


CASES: dict[str, tuple[Affine, np.ndarray]] = {
    "linear": (ops.Linear(Array(drawn(3, 5)), Array(drawn(3))), drawn(400, 5)),
    "linear on many axes": (ops.Linear(Array(drawn(3, 5)), Array(drawn(3))), drawn(60, 7, 5)),
    "conv": (conv(), drawn(30, 4, 7, 8)),
    "strided": (conv(stride=2), drawn(30, 4, 9, 8)),
    "dilated": (conv(dilation=2), drawn(30, 4, 7, 8)),
    "grouped": (conv(groups=2), drawn(30, 4, 7, 8)),
}


@pytest.mark.parametrize("case", CASES)
def test_other_weights_are_found_again(case: str) -> None:
    op, x = CASES[case]
    wanted = type(op)(
        **{**vars(op), "weight": Array(op.weight.data + 0.1 * drawn(*op.weight.shape))}
    )
    goal = answer(wanted, x) + np.float32(0.5)
    missing = goal - answer(op, x)
    at = places(op, missing)
    found = refit(op, x, at.of(missing), at)
    left = np.square(goal - answer(found, x)).mean()
    assert left < 1e-6 * np.square(missing).mean()
    assert np.abs(found.weight.data - wanted.weight.data).max() < 1e-3


@pytest.mark.parametrize("case", CASES)
def test_nothing_to_correct_is_no_change(case: str) -> None:
    op, x = CASES[case]
    missing = np.zeros_like(answer(op, x))
    at = places(op, missing)
    found = refit(op, x, at.of(missing), at)
    assert np.array_equal(found.weight.data, op.weight.data)
    assert found.bias == op.bias


def test_noise_is_not_learnt() -> None:
    op = ops.Linear(Array(drawn(4, 30)), Array(drawn(4)))
    x, noise, fresh = drawn(300, 30), drawn(300, 4), drawn(2000, 30)
    at = places(op, noise)
    found = refit(op, x, at.of(noise), at)
    change = np.square(answer(found, fresh) - answer(op, fresh)).mean()
    plain = np.linalg.lstsq(x, noise, rcond=None)[0]
    assert change < 0.5 * np.square(fresh @ plain).mean()


def test_more_inputs_than_rows_is_solved_in_the_other_form() -> None:
    op = ops.Linear(Array(drawn(2, 200)), None)
    x = drawn(120, 200)
    goal = x @ drawn(200, 2) * np.float32(0.1)
    missing = goal
    at = places(op, missing)
    found = refit(op, x, at.of(missing), at)
    assert (
        np.square(missing - (answer(found, x) - answer(op, x))).mean() < np.square(missing).mean()
    )


def test_few_rows_say_nothing() -> None:
    op, x = CASES["linear"]
    missing = drawn(10, 3)
    at = places(op, missing)
    assert refit(op, x[:10], missing, at) is op


def test_rows_grow_with_the_unknowns() -> None:
    assert rows_for(ops.Linear(Array(drawn(2, 1000)), None)) > rows_for(CASES["linear"][0])


def test_places_are_the_same_every_time_and_differ() -> None:
    x = drawn(2, 9, 5, 4, 6)  # steps, samples, channels, rows, columns
    first, again = (Places.pick(x.shape[1:], -3, 40, 1) for _ in range(2))
    other = Places.pick(x.shape[1:], -3, 40, 2)
    assert len(first) == 40
    assert len(set(zip(*map(tuple, first.index), strict=True))) == 40
    assert np.array_equal(first.of(x), again.of(x))
    assert not np.array_equal(first.of(x), other.of(x))
    s, i, j = (index[7] for index in first.index)
    assert np.array_equal(first.of(x)[:, 7], x[:, s, :, i, j])
