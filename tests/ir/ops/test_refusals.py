"""Wrong operands and options are refused before anything runs, in words that help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikec.errors import DataError, TypeMismatch
from spikec.ir import Array, B, DType, Editor, Graph, Op, Sizes, T, TensorType, ops
from spikec.ir.ops import Coordinates, Interpolation, PadMode
from tests.ir.ops.cases import Refusal
from tests.ir.ops.every_case import CASES

X = TensorType((B, 3, 8, 8))
ROW = TensorType((B, 6))
TIMED = TensorType((T, B, 6))
WORDS = TensorType((B, 6), DType.I64)
TRUTH = TensorType((B, 6), DType.BOOL)


def ones(*shape: int) -> Array:
    return Array(np.ones(shape))


def conv(weight: Array | None = None, bias: Array | None = None, **more: Any) -> ops.Conv:
    options: dict[str, Any] = {
        "stride": (1, 1),
        "padding": ((1, 1), (1, 1)),
        "dilation": (1, 1),
    }
    return ops.Conv(weight or ones(4, 3, 3, 3), bias, **(options | more))


def transposed(**more: Any) -> ops.ConvTranspose:
    options: dict[str, Any] = {
        "stride": (1, 1),
        "padding": ((0, 0), (0, 0)),
        "output_padding": (0, 0),
        "dilation": (1, 1),
    }
    return ops.ConvTranspose(ones(3, 4, 3, 3), None, **(options | more))


def deform(**more: Any) -> ops.DeformConv:
    options: dict[str, Any] = {"weight": ones(4, 3, 3, 3), "groups": 1, "offset_groups": 1}
    options |= more
    return ops.DeformConv(
        options["weight"],
        None,
        (1, 1),
        ((1, 1), (1, 1)),
        (1, 1),
        options["groups"],
        options["offset_groups"],
    )


OFFSET = TensorType((B, 18, 8, 8))


def pool(**more: Any) -> ops.MaxPool:
    options: dict[str, Any] = {
        "kernel": (2, 2),
        "stride": (2, 2),
        "padding": ((0, 0), (0, 0)),
        "dilation": (1, 1),
    }
    return ops.MaxPool(**(options | more))


def resize(**more: Any) -> ops.Resize:
    options: dict[str, Any] = {"sizes": (4, 4), "scales": (0.5, 0.5), "mode": Interpolation.LINEAR}
    return ops.Resize(**(options | more))


AFFINE: list[Refusal] = [
    (ops.Linear(ones(5, 7)), (ROW,), "7 features"),
    (ops.Linear(ones(5)), (ROW,), "weight of rank 1"),
    (ops.Linear(ones(5, 6), ones(4)), (ROW,), "bias"),
    (ops.Linear(ones(5, 6)), (TensorType(()),), "6 features"),
    (ops.Linear(ones(5, 6)), (WORDS,), "real weights on i64"),
    (ops.Linear(Array(np.ones((5, 6), np.int64))), (TRUTH,), "operand bool"),
    (conv(), (TensorType((B, 4, 8, 8)),), "3 channels"),
    (conv(), (TensorType((8, 8)),), "3 channels"),
    (conv(), (TensorType((8,)),), "needs 2 spatial axes"),
    (conv(), (TensorType((3, 8, B)),), "axis that holds B or T"),
    (conv(), (TensorType((B, 3, 8, 8), DType.I32),), "real weights"),
    (conv(ones(4, 3)), (X,), "weight of rank 2"),
    (conv(ones(4, 3, 3, 0)), (X,), "kernel"),
    (conv(bias=ones(3)), (X,), "bias"),
    (conv(stride=(1,)), (X,), "one entry per axis"),
    (conv(stride=(0, 1)), (X,), "stride"),
    (conv(dilation=(1, 0)), (X,), "dilation"),
    (conv(padding=((1, -1), (0, 0))), (X,), "padding"),
    (conv(padding=((0, 0), (0, 0)), dilation=(5, 1)), (X,), "does not fit"),
    (conv(groups=3), (TensorType((B, 9, 8, 8)),), "groups"),
    (conv(groups=0), (X,), "groups"),
    (transposed(output_padding=(0,)), (X,), "output_padding"),
    (transposed(output_padding=(-1, 0)), (X,), "output_padding"),
    (transposed(padding=((9, 9), (0, 0))), (X,), "output size"),
    (transposed(), (TensorType((B, 4, 8, 8)),), "3 channels"),
    (deform(), (X, TensorType((B, 17, 8, 8))), "offset or mask"),
    (deform(), (X, OFFSET, OFFSET), "offset or mask"),
    (deform(), (X, TensorType((B, 18, 8, 8), DType.F64)), "element types"),
    (deform(weight=ones(4, 3, 3)), (X, OFFSET), "weight of rank 3"),
    (deform(offset_groups=2), (X, OFFSET), "groups that divide"),
    (deform(groups=3), (TensorType((B, 9, 8, 8)), OFFSET), "groups that divide"),
    (deform(), (TensorType((B, 2, 8, 8)), OFFSET), "3 channels"),
    (ops.Scale(ones(4), None, -3), (X,), "one number per channel"),
    (ops.Scale(ones(3), ones(4), -3), (X,), "one number per channel"),
    (ops.Scale(ones(3), None, -5), (X,), "axis -5"),
]
NORMS: list[Refusal] = [
    (ops.BatchNorm(ones(4), ones(3), None, None, 1e-5, -3), (X,), "one number per channel"),
    (ops.BatchNorm(ones(3), ones(3), None, None, 1e-5, 1), (X,), "axis 1"),
    (ops.BatchNorm(ones(6), ones(6), None, None, 1e-5, -1), (WORDS,), "floating point"),
    (ops.LayerNorm(2, ones(8), None, 1e-5), (X,), "weight"),
    (ops.LayerNorm(2, None, None, 1e-5), (ROW,), "hold B or T"),
    (ops.LayerNorm(0, None, None, 1e-5), (ROW,), "over 0 axes"),
    (ops.RMSNorm(3, None, 1e-5), (ROW,), "over 3 axes"),
    (ops.RMSNorm(1, None, 1e-5), (WORDS,), "floating point"),
    (ops.GroupNorm(2, None, None, 1e-5, -3), (X,), "groups that divide"),
    (ops.GroupNorm(0, None, None, 1e-5, -3), (X,), "groups that divide"),
    (ops.GroupNorm(1, None, None, 1e-5, -2), (ROW,), "groups"),
    (ops.GroupNorm(1, ones(2), None, 1e-5, -3), (X,), "weight"),
    (ops.GroupNorm(1, None, None, 1e-5, -2), (TensorType((6, T)),), "hold B or T"),
    (ops.LocalResponseNorm(0, 1.0, 1.0, 1.0, -1), (ROW,), "0 neighbours"),
    (ops.LocalResponseNorm(3, 1.0, 1.0, 1.0, -3), (ROW,), "axis -3"),
]
ELEMENTS: list[Refusal] = [
    (ops.Exp(), (WORDS,), "floating point"),
    (ops.ReLU(), (TRUTH,), "numbers"),
    (ops.Neg(), (TRUTH,), "numbers"),
    (ops.Clip(0.5, None), (WORDS,), "bound 0.5"),
    (ops.Clip(-1.0, None), (TensorType((3,), DType.U8),), "bound -1.0"),
    (ops.Clip(None, float("inf")), (WORDS,), "bound inf"),
    (ops.PReLU(ones(5)), (ROW,), "do not broadcast"),
    (ops.PReLU(ones(2, 1, 6)), (ROW,), "does not broadcast into"),
    (ops.QuantReLU(ones(6), 0), (ROW,), "0 levels"),
    (ops.QuantReLU(ones(4), 1), (ROW,), "do not broadcast"),
    (ops.QuantReLU(ones(6), 1, low=1), (ROW,), "lowest level 1"),
    (ops.Quantise(ones(6), 2, 2), (ROW,), "levels 2..2"),
    (ops.Quantise(ones(4), -1, 1), (ROW,), "do not broadcast"),
    (ops.Quantise(Array(np.zeros(6)), -1, 1), (ROW,), "numbers above 0"),
    (ops.Softmax(-3), (ROW,), "axis -3"),
    (ops.Softmax(-1), (WORDS,), "floating point"),
    (ops.Add(), (ROW, WORDS), "f32, i64"),
    (ops.Add(), (ROW, TensorType((B, 5))), "do not broadcast"),
    (ops.Add(), (ROW, TensorType((2, 6))), "do not broadcast"),
    (ops.Add(), (TIMED, TensorType((B, T, 6))), "T on one common axis"),
    (ops.Sub(), (TRUTH, TRUTH), "truth values"),
    (ops.Div(), (TRUTH, TRUTH), "truth values"),
    (ops.Pow(), (TRUTH, TRUTH), "truth values"),
    (ops.FloorMod(), (TRUTH, TRUTH), "truth values"),
    (ops.Less(), (ROW, WORDS), "f32, i64"),
    (ops.And(), (ROW, ROW), "no truth values"),
    (ops.Not(), (ROW,), "bool"),
    (ops.Where(), (ROW, ROW, ROW), "condition"),
    (ops.Where(), (TRUTH, ROW, WORDS), "f32, i64"),
    (ops.Matmul(), (ROW, ROW), "meet"),
    (ops.Matmul(), (TensorType(()), ROW), "scalars"),
    (ops.Matmul(), (ROW, TensorType((6, 2), DType.F64)), "f32, f64"),
    (ops.Matmul(), (TensorType((2, 3, 4)), TensorType((5, 4, 3))), "do not broadcast"),
    (ops.Matmul(), (TensorType((T, 3)), TensorType((3, T))), "holds T more than once"),
    (ops.Einsum("ij"), (ROW,), "equation 'ij'"),
    (ops.Einsum("i?->i"), (ROW,), "equation"),
    (ops.Einsum("ij,jk->ik"), (ROW,), "1 operands"),
    (ops.Einsum("ijk->i"), (ROW,), "2 letters"),
    (ops.Einsum("...ijk->i"), (ROW,), "for ranks"),
    (ops.Einsum("ij->k"), (ROW,), "letters of the operands"),
    (ops.Einsum("ij->ii"), (ROW,), "each once"),
    (ops.Einsum("ij,jk->ik"), (ROW, TensorType((5, 2))), "do not broadcast"),
]
POOLS: list[Refusal] = [
    (pool(kernel=(0, 2)), (X,), "kernel"),
    (pool(stride=(2,)), (X,), "one entry per axis"),
    (pool(padding=((-1, 0), (0, 0))), (X,), "padding"),
    (pool(kernel=(9, 9)), (X,), "does not fit"),
    (pool(padding=((2, 0), (0, 0))), (X,), "no window of padding alone"),
    (pool(), (TensorType((B, 3, 8, 8), DType.BOOL),), "numbers"),
    (pool(), (TensorType((B, 3)),), "holds B or T"),
    (ops.AvgPool((2,), (2,), ((0, 0),), (1,)), (WORDS,), "floating point"),
    (ops.AdaptiveAvgPool((2,)), (WORDS,), "floating point"),
    (ops.AdaptiveMaxPool((0,)), (ROW,), "output"),
    (ops.AdaptiveMaxPool(()), (ROW,), "output"),
    (ops.AdaptiveMaxPool((2,)), (TensorType((B, 0)),), "at least one element"),
]
MOVES: list[Refusal] = [
    (ops.Reshape((B, 5)), (ROW,), "equal number of elements"),
    (ops.Reshape((12,)), (ROW,), "equal number of elements"),
    (ops.Reshape((B, T, 6)), (TIMED,), "moves or splits the time axis"),
    (ops.Reshape((6, T, B)), (TIMED,), "moves or splits the time axis"),
    (ops.Reshape((T, B, 3)), (TensorType((T / 2, B, 6)),), "moves or splits the time axis"),
    (ops.Permute((-1, -1)), (ROW,), "each trailing axis once"),
    (ops.Permute((0, 1)), (ROW,), "each trailing axis once"),
    (ops.Permute((-1, -3, -2)), (ROW,), "each trailing axis once"),
    (ops.Slice(-1, 0, 7), (ROW,), "slice 0:7:1 of 6"),
    (ops.Slice(-1, 4, 2), (ROW,), "slice 4:2:1"),
    (ops.Slice(-1, 0, 4, 0), (ROW,), "step >= 1"),
    (ops.Slice(-2, 0, 1), (ROW,), "Slice along an axis of size B"),
    (ops.Slice(-3, 0, 1), (TIMED,), "Slice along an axis of size T"),
    (ops.Slice(1, 0, 1), (ROW,), "axis 1"),
    (ops.Flip((-1, -1)), (ROW,), "each axis once"),
    (ops.Flip((-3,)), (ROW,), "axis -3"),
    (ops.Pad(((1, 1),) * 3), (ROW,), "at most 2 pairs"),
    (ops.Pad(((1, 0), (0, 0))), (ROW,), "Pad along an axis of size B"),
    (ops.Pad(((-4, -3),)), (ROW,), "elements that remain"),
    (ops.Pad(((-6, 1),), PadMode.REPLICATE), (ROW,), "elements that remain"),
    (ops.Pad(((6, 0),), PadMode.REFLECT), (ROW,), "at most 5"),
    (ops.Pad(((7, 0),), PadMode.CIRCULAR), (ROW,), "at most 6"),
    (ops.Pad(((1, 0),), value=0.5), (WORDS,), "padding value 0.5"),
    (ops.Pad(((1, 0),), value=2.0), (TRUTH,), "padding value 2.0"),
    (ops.Concat(-1), (ROW, WORDS), "i64 beside f32"),
    (ops.Concat(-1), (ROW, TIMED), "different rank"),
    (ops.Concat(-1), (ROW, TensorType((2, 6))), "equal sizes on the other axes"),
    (ops.Concat(-3), (TIMED, TIMED), "sizes without T"),
    (ops.Concat(-2), (ROW, TensorType((2, 6))), "can be added"),
    (ops.Expand((B, 5)), (ROW,), "do not broadcast"),
    (ops.Expand((6,)), (ROW,), "axes that are equal, or 1"),
    (ops.Expand((T, B, 6)), (ROW,), "static value over T"),
    (ops.Tile((0,)), (ROW,), "repeats"),
    (ops.Tile((1, 1, 1)), (ROW,), "repeats"),
    (ops.Tile((2, 1, 1)), (TIMED,), "no repetition of time steps"),
    (ops.Gather(ones(2), -1), (ROW,), "integers"),
    (ops.Gather(Array(np.array([6])), -1), (ROW,), "outside of an axis of 6"),
    (ops.Gather(Array(np.array([-1])), -1), (ROW,), "outside of an axis of 6"),
    (ops.Gather(Array(np.array([0])), -3), (TIMED,), "size T"),
    (ops.Embedding(ones(3, 2)), (ROW,), "i32 or i64"),
    (ops.Embedding(ones()), (WORDS,), "rows"),
    (ops.PixelShuffle(2), (X,), "a multiple of 4"),
    (ops.PixelShuffle(0), (X,), "factor 0"),
    (ops.PixelShuffle(2), (ROW,), "[..., C, H, W]"),
    (ops.PixelUnshuffle(3), (X,), "multiples of 3"),
    (ops.PixelUnshuffle(0), (X,), "factor 0"),
    (ops.PixelUnshuffle(2), (TensorType((3, B, 8)),), "size B"),
    (ops.Roll((1,), (-1, -2)), (ROW,), "as many shifts as axes"),
    (ops.Roll((1,), (-3,)), (ROW,), "axis -3"),
]
RESIZES: list[Refusal] = [
    (resize(scales=(0.5,)), (X,), "1 scales for 2 sizes"),
    (resize(sizes=(0, 4)), (X,), "sizes"),
    (resize(scales=(0.0, 0.5)), (X,), "positive factors"),
    (resize(coordinates=Coordinates.CROP), (X,), "one pair per cropped axis"),
    (resize(), (TensorType((B, 3, 8, 8), DType.U8),), "floating point"),
    (resize(), (TensorType((B, 3)),), "holds B or T"),
    (resize(), (TensorType((B, 3, 0, 8)),), "at least one per axis"),
]
REDUCTIONS: list[Refusal] = [
    (ops.ReduceSum((-3,)), (ROW,), "axis -3"),
    (ops.ReduceSum((-1, -1)), (ROW,), "each axis once"),
    (ops.ReduceMean((-1,)), (WORDS,), "floating point"),
    (ops.ReduceMax((-1,)), (TensorType((B, 0)),), "of no elements"),
    (ops.ArgMax(0), (ROW,), "axis 0"),
    (ops.ArgMin(-1), (TensorType((B, 0)),), "of no elements"),
    (ops.TopK(7, -1), (ROW,), "k = 7 of 6"),
    (ops.TopK(1, -2), (ROW,), "TopK along an axis of size B"),
    (ops.CumSum(-3), (ROW,), "axis -3"),
]
OF_CASES = [refusal for case in CASES for refusal in case.refusals]
REFUSALS = [*AFFINE, *NORMS, *ELEMENTS, *POOLS, *MOVES, *RESIZES, *REDUCTIONS, *OF_CASES]


@pytest.mark.parametrize(
    ("op", "operands", "words"), REFUSALS, ids=lambda x: x if isinstance(x, str) else ""
)
def test_wrong_operands_are_refused(op: Op, operands: tuple[TensorType, ...], words: str) -> None:
    with pytest.raises(TypeMismatch) as caught:
        op.infer(operands)
    assert words in str(caught.value)


def test_an_error_names_node_operands_and_remedy() -> None:
    edit = Editor(Graph("g"), by="test")
    x, words = edit.input("x", ROW), edit.input("words", WORDS)
    with pytest.raises(TypeMismatch) as caught:
        edit.add(ops.Add(), x, words, name="sum")
    assert "%sum = Add" in caught.value.where
    assert "f32[B, 6]" in caught.value.what
    assert "i64[B, 6]" in caught.value.what
    assert caught.value.remedy == "insert a Cast"


def test_an_id_without_a_row_is_an_error_of_the_data() -> None:
    table = ops.Embedding(ones(3, 2))
    for wrong in (3, -4):
        with pytest.raises(DataError, match="outside of a table of 3 rows"):
            table.run((np.array([0, wrong]),), Sizes())
