"""Convolutions agree with PyTorch for any stride, padding, dilation and grouping."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (PyTorch's own name for it)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikec.ir import Array, ops
from tests.ir.ops.affine_cases import conv_truth, transposed_truth
from tests.ir.ops.comparison import assert_as_torch, assert_equal, drawn, run, tensor

Draw = st.DrawFn


def per_axis(draw: Draw, rank: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(rank))


def drawn_bias(draw: Draw, channels: int) -> Array | None:
    return Array(drawn(channels, seed=2)) if draw(st.booleans()) else None


@st.composite
def convolutions(draw: Draw) -> tuple[ops.Conv, NDArray[Any]]:
    rank, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    inner, outer = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel, dilation = per_axis(draw, rank, 1, 3), per_axis(draw, rank, 1, 2)
    padding = per_axis(draw, rank, 0, 2)
    op = ops.Conv(
        Array(drawn(groups * outer, inner, *kernel, seed=1)),
        drawn_bias(draw, groups * outer),
        per_axis(draw, rank, 1, 3),
        tuple((p, p) for p in padding),
        dilation,
        groups,
    )
    size = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 4))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    return op, drawn(draw(st.integers(1, 2)), groups * inner, *size)


@given(convolutions())
def test_any_convolution_equals_that_of_torch(example: tuple[ops.Conv, NDArray[Any]]) -> None:
    op, x = example
    assert_as_torch(op, conv_truth(op)(tensor(x)), x)


@st.composite
def transposed(draw: Draw) -> tuple[ops.ConvTranspose, NDArray[Any]]:
    rank, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    inner, outer = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel, dilation = per_axis(draw, rank, 1, 3), per_axis(draw, rank, 1, 2)
    stride = per_axis(draw, rank, 1, 3)
    # torch refuses an output padding that is not smaller than stride or dilation
    extra = tuple(
        draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
    )
    size = per_axis(draw, rank, 1, 4)
    rows = zip(size, kernel, stride, dilation, extra, strict=True)
    full = [(i - 1) * s + d * (k - 1) + 1 + e for i, k, s, d, e in rows]
    padding = tuple(draw(st.integers(0, min(2, (n - 1) // 2))) for n in full)
    op = ops.ConvTranspose(
        Array(drawn(groups * inner, outer, *kernel, seed=1)),
        drawn_bias(draw, groups * outer),
        stride,
        tuple((p, p) for p in padding),
        extra,
        dilation,
        groups,
    )
    return op, drawn(draw(st.integers(1, 2)), groups * inner, *size)


@given(transposed())
def test_any_transposed_convolution_equals_that_of_torch(
    example: tuple[ops.ConvTranspose, NDArray[Any]],
) -> None:
    op, x = example
    assert_as_torch(op, transposed_truth(op)(tensor(x)), x)


@given(*[st.integers(0, 3)] * 4)
def test_padding_may_differ_before_and_after(top: int, bottom: int, left: int, right: int) -> None:
    weight, x = drawn(2, 3, 3, 2, seed=1), drawn(2, 3, 4, 5)
    op = ops.Conv(Array(weight), None, (2, 1), ((top, bottom), (left, right)), (1, 1))
    wide = F.pad(tensor(x), (left, right, top, bottom))
    assert_as_torch(op, F.conv2d(wide, tensor(weight), stride=(2, 1)), x)


@given(*[st.integers(0, 2)] * 4)
def test_transposed_padding_may_differ_before_and_after(
    top: int, bottom: int, left: int, right: int
) -> None:
    weight, x = drawn(3, 2, 3, 2, seed=1), drawn(2, 3, 4, 5)
    pads = ((top, bottom), (left, right))
    op = ops.ConvTranspose(Array(weight), None, (2, 1), pads, (0, 0), (1, 1))
    full = F.conv_transpose2d(tensor(x), tensor(weight), stride=(2, 1))
    height, width = full.shape[-2:]
    assert_as_torch(op, full[..., top : height - bottom, left : width - right].clone(), x)


@pytest.mark.parametrize("steps", [1, 4])
def test_an_image_gives_the_same_bits_alone_and_in_company(steps: int) -> None:
    op = ops.Conv(Array(drawn(8, 4, 3, 3)), None, (1, 1), ((1, 1), (1, 1)), (1, 1))
    x = drawn(steps, 3, 4, 9, 9).astype(np.float32)
    together = run(op, x)
    for t, b in itertools.product(range(steps), range(3)):
        assert_equal(run(op, x[t, b]), together[t, b], exact=True)


def test_integers_convolve_exactly() -> None:
    rng = np.random.default_rng(0)
    weight, x = rng.integers(-9, 9, (2, 3, 3, 3)), rng.integers(-9, 9, (1, 3, 5, 5))
    op = ops.Conv(Array(weight), None, (1, 1), ((1, 1), (1, 1)), (1, 1))
    assert_as_torch(op, F.conv2d(tensor(x), tensor(weight), padding=1), x)


def bilinear(image: NDArray[Any], row: float, column: float) -> float:
    """Interpolate between the four pixels around a point; outside of the image all is 0."""
    total = 0.0
    top, left = int(np.floor(row)), int(np.floor(column))
    for r, c in itertools.product((top, top + 1), (left, left + 1)):
        if 0 <= r < image.shape[0] and 0 <= c < image.shape[1]:
            total += (1 - abs(row - r)) * (1 - abs(column - c)) * image[r, c]
    return total


def deformed(op: ops.DeformConv, *values: NDArray[Any]) -> NDArray[Any]:
    """Compute a deformable convolution as its equation reads, number by number."""
    x, offset = values[:2]
    outer, inner, height, width = op.weight.shape
    y = np.zeros((len(x), outer, *offset.shape[-2:]))
    for b, o, r, c in np.ndindex(*y.shape):
        first = o // (outer // op.groups) * inner
        for i, kr, kc in np.ndindex(inner, height, width):
            channel = first + i
            group = channel // (x.shape[1] // op.offset_groups)
            tap = group * height * width + kr * width + kc
            dy, dx = offset[b, 2 * tap : 2 * tap + 2, r, c]
            row = r * op.stride[0] + kr * op.dilation[0] - op.padding[0][0] + dy
            column = c * op.stride[1] + kc * op.dilation[1] - op.padding[1][0] + dx
            gain = values[2][b, tap, r, c] if len(values) == 3 else 1.0
            sample = bilinear(x[b, channel], row, column)
            y[b, o, r, c] += op.weight.data[o, i, kr, kc] * gain * sample
    return y if op.bias is None else y + op.bias.data[:, None, None]


@st.composite
def deformable(draw: Draw) -> tuple[ops.DeformConv, tuple[NDArray[Any], ...]]:
    groups, offset_groups = draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 4)]))
    kernel, dilation = per_axis(draw, 2, 1, 3), per_axis(draw, 2, 1, 2)
    op = ops.DeformConv(
        Array(drawn(2, 4 // groups, *kernel, seed=1)),
        drawn_bias(draw, 2),
        per_axis(draw, 2, 1, 2),
        ((1, 0), (1, 1)),
        dilation,
        groups,
        offset_groups,
    )
    x = drawn(2, 4, *(d * (k - 1) + 2 for k, d in zip(kernel, dilation, strict=True)))
    plain = ops.Conv(Array(drawn(1, 4, *kernel)), None, op.stride, op.padding, dilation)
    out = run(plain, x).shape[-2:]
    taps = offset_groups * kernel[0] * kernel[1]
    offset = 2 * drawn(2, 2 * taps, *out, seed=3)
    mask = np.random.default_rng(4).uniform(0, 1, (2, taps, *out))
    return op, (x, offset, mask)[: draw(st.integers(2, 3))]


@settings(max_examples=25)
@given(deformable())
def test_any_deformable_convolution_equals_its_equation(
    example: tuple[ops.DeformConv, tuple[NDArray[Any], ...]],
) -> None:
    op, values = example
    assert_equal(run(op, *values), deformed(op, *values))


def test_deformation_by_whole_pixels_moves_the_image() -> None:
    weight, x = drawn(2, 3, 3, 3, seed=1), drawn(1, 3, 8, 8)
    op = ops.DeformConv(Array(weight), None, (1, 1), ((0, 0), (0, 0)), (1, 1))
    offset = np.zeros((1, 18, 6, 6))
    offset[:, 0::2], offset[:, 1::2] = 1, -1
    moved = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    moved[..., :-1, 1:] = tensor(x)[..., 1:, :-1]
    assert_as_torch(op, F.conv2d(moved, tensor(weight)), x, offset)
