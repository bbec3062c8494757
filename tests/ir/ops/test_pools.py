"""Pools agree with PyTorch for any window, stride, padding and dilation, in both rounding modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (PyTorch's own name for it)
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikec.errors import TypeMismatch
from spikec.ir import TensorType, ops
from tests.ir.ops.comparison import assert_as_torch, assert_equal, drawn, run, tensor

MAX = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
AVERAGE = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
ADAPTIVE_AVERAGE = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
ADAPTIVE_MAX = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)

Ints = tuple[int, ...]


@st.composite
def windows(draw: st.DrawFn) -> tuple[Ints, Ints, Ints, Ints, bool, NDArray[Any]]:
    """Kernel, stride, padding, dilation, ceil mode and an operand, as torch allows them."""
    rank = draw(st.integers(1, 3))

    def per_axis(low: int, high: int) -> Ints:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    kernel, stride, dilation = per_axis(1, 4), per_axis(1, 4), per_axis(1, 2)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    # big enough that each window meets data: what happens else is tested below
    size = [
        d * (k - 1) + 1 + draw(st.integers(0, 5)) for k, d in zip(kernel, dilation, strict=True)
    ]
    return kernel, stride, padding, dilation, draw(st.booleans()), drawn(2, 2, *size)


def both(padding: Ints) -> tuple[tuple[int, int], ...]:
    return tuple((p, p) for p in padding)


@given(windows())
def test_any_max_pool_equals_that_of_torch(example: Any) -> None:
    kernel, stride, padding, dilation, ceil, x = example
    op = ops.MaxPool(kernel, stride, both(padding), dilation, ceil)
    pool = MAX[len(kernel) - 1]
    wanted = pool(tensor(x), kernel, stride, padding, dilation, ceil)
    assert_as_torch(op, wanted, x, exact=True)


@given(windows(), st.booleans())
def test_any_average_pool_equals_that_of_torch(example: Any, count_padding: bool) -> None:
    kernel, stride, padding, _, ceil, x = example
    op = ops.AvgPool(kernel, stride, both(padding), (1,) * len(kernel), ceil, count_padding)
    pool = AVERAGE[len(kernel) - 1]
    assert_as_torch(op, pool(tensor(x), kernel, stride, padding, ceil, count_padding), x)


@given(windows())
def test_any_sum_pool_is_a_convolution_with_ones(example: Any) -> None:
    kernel, stride, padding, dilation, ceil, x = example
    op = ops.SumPool(kernel, stride, both(padding), dilation, ceil)
    y = run(op, x)
    # what a window of ceil mode reaches behind the padding is 0, too
    extra = [
        max(0, (o - 1) * s + d * (k - 1) + 1 - i - 2 * p)
        for o, s, d, k, i, p in zip(
            y.shape[2:], stride, dilation, kernel, x.shape[2:], padding, strict=True
        )
    ]
    pairs = [(p, p + e) for p, e in zip(padding, extra, strict=True)]
    wide = F.pad(tensor(x), [n for pair in reversed(pairs) for n in pair])
    ones = torch.ones(2, 1, *kernel, dtype=torch.float64)
    function: Any = (F.conv1d, F.conv2d, F.conv3d)[len(kernel) - 1]
    wanted = function(wide, ones, None, stride, 0, dilation, 2)
    assert_equal(y, wanted.numpy()[tuple(slice(n) for n in y.shape)])


@given(*[st.integers(0, 2)] * 4)
def test_padding_may_differ_before_and_after(top: int, bottom: int, left: int, right: int) -> None:
    x = drawn(2, 3, 6, 7)
    options = ((3, 3), (2, 1), ((top, bottom), (left, right)), (1, 1))
    pads = (left, right, top, bottom)
    low = F.pad(tensor(x), pads, value=-torch.inf)
    assert_as_torch(ops.MaxPool(*options), F.max_pool2d(low, 3, (2, 1)), x, exact=True)
    sums = F.avg_pool2d(F.pad(tensor(x), pads), 3, (2, 1))
    assert_as_torch(ops.AvgPool(*options), sums, x)
    share = F.avg_pool2d(F.pad(torch.ones_like(tensor(x)), pads), 3, (2, 1))
    assert_as_torch(ops.AvgPool(*options, count_padding=False), sums / share, x)


@given(st.data())
def test_any_adaptive_pool_equals_that_of_torch(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 3))
    x = drawn(2, 2, *(data.draw(st.integers(1, 7)) for _ in range(rank)))
    output = tuple(data.draw(st.integers(1, 8)) for _ in range(rank))
    average: Any = ADAPTIVE_AVERAGE[rank - 1]
    assert_as_torch(ops.AdaptiveAvgPool(output), average(tensor(x), output), x)
    largest: Any = ADAPTIVE_MAX[rank - 1]
    assert_as_torch(ops.AdaptiveMaxPool(output), largest(tensor(x), output), x, exact=True)


def test_padding_never_wins() -> None:
    x = -1 - np.abs(drawn(1, 1, 4, 4))
    y = run(ops.MaxPool((3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)), x)
    assert y.max() < 0
    small = np.full((1, 4), -128, np.int8)
    assert (run(ops.MaxPool((3,), (1,), ((1, 1),), (1,)), small) == -128).all()


def test_integers_pool_exactly() -> None:
    x = np.random.default_rng(0).integers(-9, 9, (1, 2, 6))
    options: Any = ((3,), (2,), ((1, 1),), (1,))
    floats = tensor(x).double()  # torch pools floats only
    assert_as_torch(ops.MaxPool(*options), F.max_pool1d(floats, 3, 2, 1).long(), x)
    wanted = (3 * F.avg_pool1d(floats, 3, 2, 1)).round().long()
    assert_as_torch(ops.SumPool(*options), wanted, x)


@pytest.mark.parametrize("count_padding", [True, False])
def test_the_mean_of_nothing_is_refused(count_padding: bool) -> None:
    # taps -1 and 2 around two elements: both in the padding
    op = ops.AvgPool((2,), (1,), ((1, 1),), (3,), count_padding=count_padding)
    x = TensorType((2,))
    if count_padding:
        assert op.infer((x,)) == (TensorType((1,)),)
        return
    with pytest.raises(TypeMismatch, match="no window of padding alone"):
        op.infer((x,))
    with pytest.raises(TypeMismatch, match="no window of padding alone"):
        ops.MaxPool((2,), (1,), ((1, 1),), (3,)).infer((x,))
