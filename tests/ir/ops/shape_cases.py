"""Cases of ops that move, select, resample or reduce elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (PyTorch's own name for it)

from spikec.ir import Array, B, DType, ops
from tests.ir.ops.cases import Case, distinct, f32, halves, typed, weights

INDICES = Array(np.array([[2, 0], [1, 1], [3, 2]]))
TABLE = weights(6, 4)


def index_of(select: Any) -> Any:
    """Pair the results of torch.topk or the like as a plain tuple."""
    return lambda x: tuple(select(x))


MOVES = (
    Case(
        ops.Reshape((B, 6, 2)),
        (f32(3, 4),),
        lambda x: x.reshape(-1, 6, 2),
        trailing=False,
    ),
    Case(
        ops.Reshape((B * 3, 4)),
        (f32(3, 4),),
        lambda x: x.reshape(-1, 4),
        trailing=False,
        note="batch",
    ),
    Case(ops.Permute((-1, -3, -2)), (f32(3, 4, 5),), lambda x: x.permute(0, 3, 1, 2)),
    Case(ops.Permute((-1, -2)), (f32(3, 4, 5),), lambda x: x.transpose(-1, -2), note="transpose"),
    Case(ops.Slice(-2, 1, 6, 2), (f32(7, 3),), lambda x: x[:, 1:6:2]),
    Case(ops.Flip((-1, -2)), (f32(3, 4),), lambda x: x.flip((-1, -2))),
    Case(
        ops.Pad(((1, 2), (0, 3)), value=1.5),
        (f32(3, 4),),
        lambda x: F.pad(x, (0, 3, 1, 2), value=1.5),
    ),
    Case(ops.Concat(-2), (f32(3, 4), f32(1, 4)), lambda a, b: torch.cat([a, b], -2)),
    Case(
        ops.Concat(-2),
        (f32(3, 4),) * 3,
        lambda *x: torch.cat(x, -2),
        note="three",
    ),
    Case(
        ops.Expand((B, 3, 5, 4)), (f32(3, 1, 4),), lambda x: x.expand(-1, 3, 5, 4), trailing=False
    ),
    Case(ops.Tile((2, 3)), (f32(3, 4),), lambda x: x.tile(1, 2, 3)),
    Case(
        ops.Gather(INDICES, -2), (f32(4, 5),), lambda x: x[:, torch.tensor(INDICES.data.tolist())]
    ),
    Case(
        ops.Embedding(TABLE),
        (typed(DType.I64, 3),),
        lambda x: F.embedding(x, torch.from_numpy(np.array(TABLE.data))),
    ),
    Case(ops.PixelShuffle(2), (f32(8, 3, 4),), lambda x: F.pixel_shuffle(x, 2)),
    Case(ops.PixelUnshuffle(2), (f32(2, 6, 4),), lambda x: F.pixel_unshuffle(x, 2)),
    Case(ops.Roll((1, -2), (-1, -2)), (f32(5, 4),), lambda x: x.roll((1, -2), (-1, -2))),
    Case(ops.Constant(TABLE), (), lambda: torch.from_numpy(np.array(TABLE.data))),
)

RESIZES = (
    Case(
        ops.Resize((7, 5), (7 / 3, 5 / 4), ops.Interpolation.LINEAR),
        (f32(2, 3, 4),),
        lambda x: F.interpolate(x, (7, 5), mode="bilinear"),
        note="linear",
    ),
    Case(
        ops.Resize(
            (6, 8),
            (2.0, 2.0),
            ops.Interpolation.NEAREST,
            ops.Coordinates.ASYMMETRIC,
            ops.Rounding.FLOOR,
        ),
        (f32(2, 3, 4),),
        lambda x: F.interpolate(x, scale_factor=2),
        note="nearest",
    ),
)

REDUCTIONS = (
    Case(ops.ReduceSum((-1, -3)), (f32(3, 4, 5),), lambda x: x.sum((-1, -3))),
    Case(ops.ReduceMean((-1,), True), (f32(3, 4),), lambda x: x.mean(-1, keepdim=True)),
    Case(ops.ReduceMax((-2, -1)), (f32(3, 4),), lambda x: x.amax((-2, -1))),
    Case(ops.ReduceMin((-2,), True), (f32(3, 4),), lambda x: x.amin(-2, keepdim=True)),
    Case(ops.ReduceProd((-1,)), (f32(3, 4),), lambda x: x.prod(-1)),
    Case(ops.ReduceSum((-1,)), (typed(DType.I64, 4),), lambda x: x.sum(-1), note="integers"),
    Case(ops.ArgMax(-1), (f32(3, 9),), lambda x: x.argmax(-1), halves),
    Case(ops.ArgMin(-2, True), (f32(9, 3),), lambda x: x.argmin(-2, keepdim=True), halves),
    Case(
        ops.ArgMax(-1, last=True),
        (f32(3, 9),),
        lambda x: 8 - x.flip(-1).argmax(-1),
        halves,
        note="last",
    ),
    Case(ops.TopK(3, -1), (f32(3, 7),), index_of(lambda x: x.topk(3, -1)), distinct),
    Case(
        ops.TopK(2, -2, largest=False),
        (f32(5, 3),),
        index_of(lambda x: x.topk(2, -2, largest=False)),
        distinct,
        note="smallest",
    ),
    Case(ops.CumSum(-2), (f32(5, 3),), lambda x: x.cumsum(-2)),
    Case(ops.CumSum(-1, exclusive=True), (f32(5),), lambda x: x.cumsum(-1) - x, note="exclusive"),
    Case(
        ops.CumSum(-1, reverse=True),
        (f32(5),),
        lambda x: x.flip(-1).cumsum(-1).flip(-1),
        note="reverse",
    ),
    Case(
        ops.CumSum(-1, True, True),
        (f32(5),),
        lambda x: x.flip(-1).cumsum(-1).flip(-1) - x,
        note="exclusive-reverse",
    ),
)
