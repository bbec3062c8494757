"""Cases of ops that move, select, resample or reduce elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (PyTorch's own name for it)
from numpy.typing import NDArray

from spikec.ir import Array, B, DType, T, TensorType, ops
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

IMAGE, GRID = f32(2, 5, 4), f32(3, 7, 2)


def _positions(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Some inside of the image, some outside of it, some beyond its mirror image."""
    return rng.uniform(-3.5, 3.5, shape)


def _grid(mode: str, padding: str, align: bool, *operands: TensorType) -> Case:
    kernel = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    op = ops.GridSample(ops.Interpolation(kernel), ops.GridPadding(padding), align)
    return Case(
        op,
        operands or (IMAGE, GRID),
        lambda x, grid: F.grid_sample(x, grid, mode, padding, align_corners=align),
        _positions,
        note="-".join([kernel, padding, *["corners"] * align, *["volume"] * bool(operands)]),
    )


VOLUME = (f32(2, 3, 4, 5), f32(2, 3, 4, 3))
GRIDS = (
    *(
        _grid(mode, padding.value, align)
        for mode in ("nearest", "bilinear", "bicubic")
        for padding in ops.GridPadding
        for align in (False, True)
    ),
    *(
        _grid(mode, padding, align, *VOLUME)
        for mode, padding, align in (
            ("nearest", "reflection", True),
            ("bilinear", "zeros", True),
            ("bilinear", "border", False),
        )
    ),
    _grid("bilinear", "reflection", True, f32(2, 1, 4), GRID),
    Case(
        ops.GridSample(),
        (IMAGE, GRID),
        lambda x, grid: torch.grid_sampler_2d(x, grid, 0, 0, False),
        _positions,
        note="planar",
        refusals=(
            (ops.GridSample(), (IMAGE, typed(DType.F64, 3, 7, 2)), "one element type"),
            (ops.GridSample(), (typed(DType.I64, 2, 5, 4),) * 2, "floating point"),
            (ops.GridSample(), (IMAGE, f32(3, 7, 4)), "[..., m_1 … m_d, d]"),
            (ops.GridSample(), (IMAGE, TensorType(())), "[..., m_1 … m_d, d]"),
            (ops.GridSample(), (f32(2, 0, 4), GRID), "at least one per axis"),
            (ops.GridSample(), (TensorType((2, B, 4)), TensorType((3, 7, 2))), "holds B or T"),
            (ops.GridSample(), (TensorType((T, B, 2, 5, 4)), TensorType((B, T, 3, 7, 2))), "T on"),
        ),
    ),
    Case(
        ops.GridSample(),
        VOLUME,
        lambda x, grid: torch.grid_sampler_3d(x, grid, 0, 0, False),
        _positions,
        note="spatial",
    ),
)

RESIZES = (
    *GRIDS,
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
