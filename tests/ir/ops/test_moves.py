"""Ops that move elements put each of them where PyTorch puts it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch.nn.functional as F  # noqa: N812  (PyTorch's own name for it)
from hypothesis import assume, given
from hypothesis import strategies as st

from spikec.errors import TypeMismatch
from spikec.ir import Array, Sizes, TensorType, ops
from spikec.ir.ops import PadMode
from tests.ir.ops.comparison import assert_as_torch, ramp, run, tensor

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
Shape = tuple[int, ...]
MODES = {
    PadMode.CONSTANT: "constant",
    PadMode.REFLECT: "reflect",
    PadMode.REPLICATE: "replicate",
    PadMode.CIRCULAR: "circular",
}


def torch_pad(pads: tuple[tuple[int, int], ...]) -> list[int]:
    """Give pads in torch's order: the last axis first."""
    return [n for pair in reversed(pads) for n in pair]


@given(st.data(), st.sampled_from(PadMode))
def test_padding_and_cropping(data: st.DataObject, mode: PadMode) -> None:
    rank = data.draw(st.integers(1, 3))
    x = ramp(2, 2, *(data.draw(st.integers(1, 5)) for _ in range(rank)))
    pads = tuple(
        (data.draw(st.integers(-2, 4)), data.draw(st.integers(-2, 4))) for _ in range(rank)
    )
    kept = [n + min(lo, 0) + min(hi, 0) for n, (lo, hi) in zip(x.shape[2:], pads, strict=True)]
    # a repetition is of what is left after cropping; torch computes some of the rest, wrongly or
    # from pixels that were cut, and we refuse it
    most = {PadMode.REFLECT: [n - 1 for n in kept], PadMode.CIRCULAR: kept}.get(mode, [9] * rank)
    op = ops.Pad(pads, mode, 0.5 if mode is PadMode.CONSTANT else 0.0)
    fits = all(max(pair) <= m for pair, m in zip(pads, most, strict=True))
    if (min(kept) < 1 and mode is not PadMode.CONSTANT) or min(kept) < 0 or not fits:
        changed = [any(pair) for pair in pads]
        assume(any(changed))
        if not fits or min(n for n, c in zip(kept, changed, strict=True) if c) < 1:
            with pytest.raises(TypeMismatch):
                op.infer((TensorType(x.shape),))
        return
    assume(min(kept) >= 1)  # torch refuses empty results; tested below
    wanted = F.pad(tensor(x), torch_pad(pads), MODES[mode], op.value or None)
    assert_as_torch(op, wanted, x, exact=True)


def test_cropping_may_leave_nothing_and_padding_may_start_from_it() -> None:
    assert run(ops.Pad(((-1, -2),)), ramp(3)).shape == (0,)
    np.testing.assert_array_equal(run(ops.Pad(((-3, 2),), value=4.0), ramp(3)), [4, 4])


@given(SHAPES, st.data())
def test_permutation(shape: Shape, data: st.DataObject) -> None:
    rank = len(shape)
    count = data.draw(st.integers(0, rank))
    order = tuple(data.draw(st.permutations(range(-count, 0))))
    axes = (*range(rank - count), *(rank + axis for axis in order))
    x = ramp(*shape)
    assert_as_torch(ops.Permute(order), tensor(x).permute(axes), x, exact=True)


@given(st.integers(0, 7), st.integers(0, 7), st.integers(1, 4), st.integers(-3, -1))
def test_slices(start: int, stop: int, step: int, axis: int) -> None:
    assume(start <= stop)
    x = ramp(7, 7, 7)
    where: list[slice] = [slice(None)] * 3
    where[axis] = slice(start, stop, step)
    assert_as_torch(ops.Slice(axis, start, stop, step), tensor(x)[tuple(where)], x, exact=True)


@given(SHAPES, st.data())
def test_flips_rolls_and_tiles(shape: Shape, data: st.DataObject) -> None:
    x, rank = ramp(*shape), len(shape)
    axes = tuple(data.draw(st.lists(st.integers(-rank, -1), unique=True)))
    assert_as_torch(ops.Flip(axes), tensor(x).flip(axes), x, exact=True)
    shifts = tuple(data.draw(st.integers(-9, 9)) for _ in axes)
    if axes:
        assert_as_torch(ops.Roll(shifts, axes), tensor(x).roll(shifts, axes), x, exact=True)
    repeats = tuple(data.draw(st.lists(st.integers(1, 3), max_size=rank)))
    assert_as_torch(ops.Tile(repeats), tensor(x).tile(repeats), x, exact=True)


def test_rolling_along_no_axis_changes_nothing() -> None:
    np.testing.assert_array_equal(run(ops.Roll((), ()), ramp(2, 3)), ramp(2, 3))


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(-3, -1), st.booleans())
def test_gathering(indices: list[int], axis: int, table: bool) -> None:
    x = ramp(5, 5, 5)
    shape = (-1, 2) if table and len(indices) % 2 == 0 and indices else (-1,)
    index = np.array(indices, np.int64).reshape(shape)
    place: list[Any] = [slice(None)] * 3
    place[axis] = tensor(index)
    assert_as_torch(ops.Gather(Array(index), axis), tensor(x)[tuple(place)], x, exact=True)


def test_gathering_one_element_drops_the_axis() -> None:
    x = ramp(3, 4)
    np.testing.assert_array_equal(run(ops.Gather(Array(np.array(2)), -1), x), x[:, 2])


@given(st.lists(SHAPES, min_size=1, max_size=1), st.data())
def test_expansion(shapes: list[Shape], data: st.DataObject) -> None:
    (wanted,) = shapes
    keep = data.draw(st.lists(st.booleans(), min_size=len(wanted), max_size=len(wanted)))
    shape = tuple(n if k else 1 for n, k in zip(wanted, keep, strict=True))
    shape = shape[data.draw(st.integers(0, len(wanted))) :]
    x = ramp(*shape)
    assert_as_torch(ops.Expand(wanted), tensor(x).expand(wanted), x, exact=True)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(-3, -1))
def test_concatenation(sizes: list[int], axis: int) -> None:
    shapes = [tuple(n if a == 3 + axis else 2 for a in range(3)) for n in sizes]
    values = [ramp(*shape) + 100 * i for i, shape in enumerate(shapes)]
    types = tuple(TensorType(v.shape) for v in values)
    (result,) = ops.Concat(axis).run(tuple(values), Sizes())
    assert ops.Concat(axis).infer(types)[0].dims == result.shape
    np.testing.assert_array_equal(result, np.concatenate(values, axis))


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_pixel_shuffles_undo_each_other(factor: int, c: int, h: int, w: int) -> None:
    x = ramp(2, c * factor**2, h, w)
    wide = run(ops.PixelShuffle(factor), x)
    np.testing.assert_array_equal(wide, F.pixel_shuffle(tensor(x), factor).numpy())
    np.testing.assert_array_equal(run(ops.PixelUnshuffle(factor), wide), x)


def test_an_embedding_counts_negative_ids_from_the_end() -> None:
    table = ramp(3, 2)
    np.testing.assert_array_equal(
        run(ops.Embedding(Array(table)), np.array([-1, 0, 2])), table[[2, 0, 2]]
    )
