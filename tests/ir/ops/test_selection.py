"""Selections and running sums: ties, ends and both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from spikec.ir import DType, Op, Sizes, TensorType, ops
from tests.ir.ops.comparison import assert_as_torch, assert_equal, run, tensor

TIED = arrays(
    np.float64,
    array_shapes(min_dims=1, max_dims=3, max_side=5),
    elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
)
SMALL = arrays(np.int8, st.integers(1, 9), elements=st.sampled_from([-128, -127, 0, 5, 127]))


def best(row: NDArray[Any], k: int, largest: bool) -> list[int]:
    """Rank by value, then by index."""
    sign = -1 if largest else 1
    return sorted(range(len(row)), key=lambda i: (sign * float(row[i]), i))[:k]


@given(TIED | SMALL, st.data(), st.booleans())
def test_top_k_takes_the_earlier_of_equals(
    x: NDArray[Any], data: st.DataObject, largest: bool
) -> None:
    axis = data.draw(st.integers(-x.ndim, -1))
    k = data.draw(st.integers(0, x.shape[axis]))
    values, indices = ops.TopK(k, axis, largest).run((x,), Sizes())
    wanted = np.apply_along_axis(best, axis, x, k, largest).astype(np.int64)
    assert_equal(indices, wanted)
    assert_equal(values, np.take_along_axis(x, wanted, axis))
    types = ops.TopK(k, axis, largest).infer((TensorType(x.shape, DType.of(x.dtype)),))
    assert [t.dims for t in types] == [values.shape, indices.shape]


@given(TIED | SMALL, st.data(), st.booleans())
def test_the_first_or_last_of_equals_is_found(
    x: NDArray[Any], data: st.DataObject, last: bool
) -> None:
    axis = data.draw(st.integers(-x.ndim, -1))
    for kind, largest in ((ops.ArgMax, True), (ops.ArgMin, False)):
        found = run(kind(axis, last=last), x)

        def pick(row: NDArray[Any], largest: bool = largest) -> int:
            extreme = row.max() if largest else row.min()
            return int(np.flatnonzero(row == extreme)[-1 if last else 0])

        assert_equal(np.asarray(found), np.apply_along_axis(pick, axis, x).astype(np.int64))


@given(TIED, st.data(), st.booleans(), st.booleans())
def test_running_sums(x: NDArray[Any], data: st.DataObject, exclusive: bool, reverse: bool) -> None:
    axis = data.draw(st.integers(-x.ndim, -1))
    y = run(ops.CumSum(axis, exclusive, reverse), x)

    def sums(row: NDArray[Any]) -> NDArray[Any]:
        n = len(row)
        start = [j + exclusive if reverse else 0 for j in range(n)]
        stop = [n if reverse else j + (not exclusive) for j in range(n)]
        return np.array([row[a:b].sum() for a, b in zip(start, stop, strict=True)])

    assert_equal(y, np.apply_along_axis(sums, axis, x))


@given(TIED, st.data(), st.booleans())
def test_reductions_over_any_axes(x: NDArray[Any], data: st.DataObject, keepdims: bool) -> None:
    axes = tuple(data.draw(st.lists(st.integers(-x.ndim, -1), unique=True, min_size=1)))
    t = tensor(x)
    assert_as_torch(ops.ReduceSum(axes, keepdims), t.sum(axes, keepdims), x)
    assert_as_torch(ops.ReduceMean(axes, keepdims), t.mean(axes, keepdims), x)
    assert_as_torch(ops.ReduceMax(axes, keepdims), t.amax(axes, keepdims), x, exact=True)
    assert_as_torch(ops.ReduceMin(axes, keepdims), t.amin(axes, keepdims), x, exact=True)
    for axis in sorted(axes):
        t = t.prod(axis, keepdim=True)
    wanted = t if keepdims else t.squeeze(axes)
    assert_as_torch(ops.ReduceProd(axes, keepdims), wanted, x)


@pytest.mark.parametrize(
    "op", [ops.ReduceSum(()), ops.ReduceMean(()), ops.ReduceMax(()), ops.ReduceProd(())], ids=repr
)
def test_a_reduction_over_no_axis_changes_nothing(op: Op) -> None:
    x = np.array([1.0, 2.0])
    assert_equal(run(op, x), x)


def test_top_k_of_a_long_row_takes_the_earlier_of_equals() -> None:
    # short rows are sorted by insertion, which is stable whatever is asked for
    x = np.random.default_rng(0).integers(0, 3, 4096).astype(np.float32)
    _, indices = ops.TopK(2000, -1).run((x,), Sizes())
    assert_equal(indices, np.array(best(x, 2000, largest=True)))
