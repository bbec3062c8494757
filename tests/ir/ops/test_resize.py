"""Resize agrees with F.interpolate in all its modes, and with ONNX's definitions beyond them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (PyTorch's own name for it)
from hypothesis import given
from hypothesis import strategies as st

from spikec.ir.ops import Coordinates, Interpolation, Resize, Rounding
from tests.ir.ops.comparison import assert_as_torch, assert_equal, drawn, ramp, run, tensor

Ints = tuple[int, ...]
Scales = tuple[float, ...]
CUBIC_OF_ANTIALIAS = -0.5  # torch follows Pillow there, and has -0.75 elsewhere
SMOOTH: dict[str, Any] = {"antialias": True, "exclude_outside": True}


@st.composite
def sizes(draw: st.DrawFn, low: int, high: int) -> tuple[Ints, Ints]:
    rank = draw(st.integers(low, high))
    old = tuple(draw(st.integers(1, 9)) for _ in range(rank))
    return old, tuple(draw(st.integers(1, 12)) for _ in range(rank))


def ratios(old: Ints, new: Ints) -> Scales:
    return tuple(n / i for i, n in zip(old, new, strict=True))


def linear_mode(rank: int) -> str:
    return ("linear", "bilinear", "trilinear")[rank - 1]


@given(sizes(1, 3))
def test_nearest(example: tuple[Ints, Ints]) -> None:
    old, new = example
    x = drawn(2, 2, *old)
    nearest = Interpolation.NEAREST
    plain = Resize(new, ratios(old, new), nearest, Coordinates.ASYMMETRIC, Rounding.FLOOR)
    assert_as_torch(plain, F.interpolate(tensor(x), new, mode="nearest"), x, exact=True)
    exact = Resize(new, ratios(old, new), nearest, Coordinates.HALF_PIXEL, Rounding.PREFER_CEIL)
    assert_as_torch(exact, F.interpolate(tensor(x), new, mode="nearest-exact"), x, exact=True)


@given(sizes(1, 3), st.booleans())
def test_linear(example: tuple[Ints, Ints], align: bool) -> None:
    old, new = example
    x = drawn(2, 2, *old)
    where = Coordinates.ALIGN_CORNERS if align else Coordinates.HALF_PIXEL
    op = Resize(new, ratios(old, new), Interpolation.LINEAR, where)
    wanted = F.interpolate(tensor(x), new, mode=linear_mode(len(old)), align_corners=align)
    assert_as_torch(op, wanted, x)


@given(sizes(2, 2), st.booleans())
def test_cubic(example: tuple[Ints, Ints], align: bool) -> None:
    old, new = example
    x = drawn(2, 2, *old)
    where = Coordinates.ALIGN_CORNERS if align else Coordinates.HALF_PIXEL
    op = Resize(new, ratios(old, new), Interpolation.CUBIC, where)
    assert_as_torch(op, F.interpolate(tensor(x), new, mode="bicubic", align_corners=align), x)


@given(sizes(2, 2), st.sampled_from([Interpolation.LINEAR, Interpolation.CUBIC]))
def test_antialias(example: tuple[Ints, Ints], kernel: Interpolation) -> None:
    old, new = example
    x = drawn(2, 2, *old)
    op = Resize(new, ratios(old, new), kernel, cubic=CUBIC_OF_ANTIALIAS, **SMOOTH)
    mode = "bilinear" if kernel is Interpolation.LINEAR else "bicubic"
    # along rows, twice: torch 2.13 repeats the first row of an image whose new width is 1
    rows = F.interpolate(tensor(x), (old[0], new[1]), mode=mode, antialias=True)
    columns = F.interpolate(rows.mT.contiguous(), (new[1], new[0]), mode=mode, antialias=True)
    assert_as_torch(op, columns.mT, x)


FACTORS = st.tuples(*[st.sampled_from([0.4, 0.5, 0.7, 1.0, 1.3, 1.5, 2.0, 2.6])] * 2)


@given(st.tuples(*[st.integers(3, 9)] * 2), FACTORS, st.booleans())
def test_a_factor_counts_as_given_unless_recomputed(
    old: Ints, factors: Scales, recompute: bool
) -> None:
    x = drawn(1, 2, *old)
    new = tuple(int(i * s) for i, s in zip(old, factors, strict=True))
    scales = ratios(old, new) if recompute else factors

    def truth(mode: str, **more: Any) -> torch.Tensor:
        return F.interpolate(
            tensor(x), scale_factor=factors, mode=mode, recompute_scale_factor=recompute, **more
        )

    # torch copies along an axis whose size stays, whatever the factor, in these three modes
    copied = tuple(1.0 if n == i else s for n, i, s in zip(new, old, scales, strict=True))
    assert_as_torch(Resize(new, copied, Interpolation.LINEAR), truth("bilinear"), x)
    assert_as_torch(Resize(new, scales, Interpolation.CUBIC), truth("bicubic"), x)
    smooth = Resize(new, copied, Interpolation.LINEAR, **SMOOTH)
    nearest = Interpolation.NEAREST
    plain = Resize(new, copied, nearest, Coordinates.ASYMMETRIC, Rounding.FLOOR)
    assert_as_torch(plain, truth("nearest"), x)
    exact = Resize(new, scales, nearest, Coordinates.HALF_PIXEL, Rounding.PREFER_CEIL)
    assert_as_torch(exact, truth("nearest-exact"), x)
    if new[1] > 1:  # see test_antialias
        assert_as_torch(smooth, truth("bilinear", antialias=True), x)


@pytest.mark.parametrize(("old", "new"), [(14, 18), (20, 44), (21, 27), (24, 56)])
def test_a_pixel_that_is_met_exactly_is_known_in_spite_of_rounding(old: int, new: int) -> None:
    o = np.arange(new)
    assert (np.floor(o / (new / old)) != o * old // new).any()  # the danger is real
    x, scales = ramp(old), (new / old,)
    op = Resize((new,), scales, Interpolation.NEAREST, Coordinates.ASYMMETRIC, Rounding.FLOOR)
    np.testing.assert_array_equal(run(op, x), o * old // new)
    wanted = F.interpolate(tensor(x)[None, None], (new,), mode="nearest")[0, 0]
    assert_as_torch(op, wanted, x, exact=True)


@pytest.mark.parametrize(
    ("rounding", "picked"),
    [
        (Rounding.FLOOR, [0, 0, 0, 1, 1, 2, 2, 3]),
        (Rounding.CEIL, [0, 1, 1, 2, 2, 3, 3, 3]),
        (Rounding.PREFER_FLOOR, [0, 0, 1, 1, 2, 2, 3, 3]),
        (Rounding.PREFER_CEIL, [0, 0, 1, 1, 2, 2, 3, 3]),
    ],
)
def test_rounding_of_a_doubled_row(rounding: Rounding, picked: list[int]) -> None:
    # coordinates -0.25, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25
    op = Resize((8,), (2.0,), Interpolation.NEAREST, Coordinates.HALF_PIXEL, rounding)
    np.testing.assert_array_equal(run(op, ramp(4)), picked)


@pytest.mark.parametrize(
    ("rounding", "picked"), [(Rounding.PREFER_FLOOR, [0, 1]), (Rounding.PREFER_CEIL, [1, 2])]
)
def test_rounding_of_a_tie(rounding: Rounding, picked: list[int]) -> None:
    # coordinates 0.5 and 1.5 of three pixels
    crop = ((0.25, 0.75),)
    op = Resize((2,), (2 / 3,), Interpolation.NEAREST, Coordinates.CROP, rounding, crop=crop)
    np.testing.assert_array_equal(run(op, ramp(3)), picked)


def test_a_crop_takes_a_part_and_fills_what_lies_outside() -> None:
    op = Resize(
        (5,), (1.0,), Interpolation.LINEAR, Coordinates.CROP, crop=((0.5, 1.5),), extrapolation=-7
    )
    # from pixel 2 to pixel 6 of 0..4
    np.testing.assert_array_equal(run(op, ramp(5)), [2, 3, 4, -7, -7])
    one = Resize((1,), (0.2,), Interpolation.LINEAR, Coordinates.CROP, crop=((0.0, 0.5),))
    np.testing.assert_array_equal(run(one, ramp(5)), [1])


def test_half_pixel_of_one_pixel_is_the_first_one_for_pytorch_coordinates() -> None:
    x = ramp(4)
    first = Resize((1,), (0.25,), Interpolation.LINEAR, Coordinates.PYTORCH_HALF_PIXEL)
    middle = Resize((1,), (0.25,), Interpolation.LINEAR, Coordinates.HALF_PIXEL)
    assert run(first, x) == 0
    assert run(middle, x) == 1.5


def test_symmetric_half_pixels_keep_a_rounded_size_centred() -> None:
    # 4 pixels times 0.6 are 2.4, rounded to 2: ONNX's documented formula, in numbers
    op = Resize((2,), (0.6,), Interpolation.LINEAR, Coordinates.HALF_PIXEL_SYMMETRIC)
    where = [2 * (1 - 2 / 2.4) + (o + 0.5) / 0.6 - 0.5 for o in (0, 1)]
    assert sum(where) == pytest.approx(3)
    assert_equal(run(op, ramp(4)), np.array(where))


def test_excluded_pixels_leave_weights_that_sum_to_one() -> None:
    op = Resize((8,), (2.0,), Interpolation.CUBIC, exclude_outside=True)
    ones = run(op, np.ones(4))
    assert_equal(ones, np.ones(8))
    # at coordinate -0.25 the cubic kernel (a = -0.75) sees pixels 0 and 1
    a = -0.75
    near = (a + 2) * 0.25**3 - (a + 3) * 0.25**2 + 1
    far = a * 1.25**3 - 5 * a * 1.25**2 + 8 * a * 1.25 - 4 * a
    assert run(op, ramp(4))[0] == pytest.approx(far / (near + far), rel=1e-12)


def test_nearest_keeps_numbers_that_are_no_numbers_to_themselves() -> None:
    x = np.array([1.0, np.inf, np.nan, 2.0])
    op = Resize((8,), (2.0,), Interpolation.NEAREST)
    np.testing.assert_array_equal(run(op, x), np.repeat(x, 2))


def test_nearest_takes_integers() -> None:
    op = Resize((4,), (2.0,), Interpolation.NEAREST)
    np.testing.assert_array_equal(run(op, np.array([3, 4])), [3, 3, 4, 4])
