"""Ops know whether they need one time step or all of them."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.ir import Array, B, Dims, DType, Op, T, TensorType, Timing, ops

SEQUENCE = (T, B, 3, 4)
LAST = (B, 3, T)


def of(op: Op, *dims: Dims) -> Timing:
    types = tuple(TensorType(d) for d in dims)
    op.infer(types)  # the operands are right
    return op.timing(types)


@pytest.mark.parametrize(
    ("op", "operands"),
    [
        (ops.ReduceSum((-1,)), [SEQUENCE]),
        (ops.ReduceMean((-3,)), [SEQUENCE]),
        (ops.Softmax(-1), [SEQUENCE]),
        (ops.Softmax(-2), [LAST]),
        (ops.CumSum(-1), [SEQUENCE]),
        (ops.Flip((-1,)), [SEQUENCE]),
        (ops.Roll((1,), (-1,)), [SEQUENCE]),
        (ops.Permute((-1, -2, -3, -4)), [SEQUENCE]),
        (ops.Reshape((T * B, 12)), [SEQUENCE]),
        (ops.Concat(-1), [SEQUENCE, SEQUENCE]),
        (ops.Tile((2,)), [SEQUENCE]),
        (ops.LayerNorm(2, None, None, 1e-5), [SEQUENCE]),
        (ops.Add(), [(3, 4), SEQUENCE]),
        (ops.Add(), [SEQUENCE, (3, 4)]),
        (ops.Matmul(), [SEQUENCE, (4, 5)]),
        (ops.Matmul(), [(5, 3), SEQUENCE]),
        (ops.Matmul(), [(5, 3), (3, T)]),
        (ops.Matmul(), [(B, T, 3), (3, 5)]),
        (ops.Einsum("ij,tbjk->tbik"), [(5, 3), SEQUENCE]),
        (ops.Einsum("tbij,tbij->tb"), [SEQUENCE, SEQUENCE]),
        (ops.Einsum("...ij->..."), [SEQUENCE]),
    ],
    ids=lambda x: repr(x) if isinstance(x, Op) else "",
)
def test_ops_that_leave_time_alone_are_stepwise(op: Op, operands: list[Dims]) -> None:
    assert of(op, *operands) is Timing.STEPWISE


@pytest.mark.parametrize(
    ("op", "operands"),
    [
        (ops.ReduceSum((-4,)), [SEQUENCE]),
        (ops.ReduceMean((-1, -4)), [SEQUENCE]),
        (ops.ReduceMax((-1,)), [(3, T * B)]),
        (ops.ArgMax(-4), [SEQUENCE]),
        (ops.Softmax(-1), [LAST]),
        (ops.CumSum(-4), [SEQUENCE]),
        (ops.Flip((-4,)), [SEQUENCE]),
        (ops.Roll((1, 1), (-1, -4)), [SEQUENCE]),
        (ops.Flip((-2,)), [(T * B, 3)]),
        (ops.LocalResponseNorm(3, 0.1, 0.75, 1.0, -4), [SEQUENCE]),
        (ops.Matmul(), [(B, 3, T), (B, T, 4)]),
        (ops.Matmul(), [(3, T), (T,)]),
        (ops.Matmul(), [(T,), (T, 4)]),
        (ops.Einsum("tbij->bij"), [SEQUENCE]),
        # the first operand is static, or keeps its time
        (ops.Einsum("ij,tbjk->bik"), [(5, 3), SEQUENCE]),
        (ops.Einsum("tbi,sbi->tb"), [(T, B, 3), (T, B, 3)]),
        (ops.Einsum("tbi,sbi->sb"), [(T, B, 3), (T, B, 3)]),
        (ops.Einsum("ij,...j->i"), [(5, 3), (T, B, 3)]),
    ],
    ids=lambda x: repr(x) if isinstance(x, Op) else "",
)
def test_ops_that_mix_time_need_the_whole_sequence(op: Op, operands: list[Dims]) -> None:
    assert of(op, *operands) is Timing.WHOLE


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_choice_is_stepwise_whichever_operand_has_time(place: int) -> None:
    dims: list[Dims] = [(3, 4)] * 3
    dims[place] = SEQUENCE
    kinds = (DType.BOOL, DType.F32, DType.F32)
    types = tuple(TensorType(d, kind) for d, kind in zip(dims, kinds, strict=True))
    assert ops.Where().infer(types)[0].dims == SEQUENCE
    assert ops.Where().timing(types) is Timing.STEPWISE


def test_constants_are_static() -> None:
    constant = ops.Constant(Array(np.zeros(3)))
    assert constant.timing(()) is Timing.STATIC
