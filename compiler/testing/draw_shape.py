"""Draws of ops that move elements, and of reductions."""

from __future__ import annotations

from spikec.ir import ops
from spikec.ir.array import Array
from spikec.ir.dims import Dims, multiply
from spikec.ir.op import Op
from spikec.ir.types import DType, TensorType
from spikec.testing.draft import Draft, UnfitError, big, has_ints, ints


def reshape(d: Draft) -> None:
    """Merge two neighbouring axes (B with its channels too), or split one."""
    x = d.pick(lambda t: t.rank >= 2 and has_ints(t, 1))
    dims = x.type.dims
    at = d.integer(0, x.type.rank - 2)
    if d.chance() and not big(x.type):
        (last,) = ints(dims[-1:])
        factor = d.divisor(last)
        d.add(ops.Reshape((*dims[:-1], factor, last // factor)), x)
        return
    merged = multiply(dims[at], dims[at + 1])
    if isinstance(dims[at + 1], int):
        d.add(ops.Reshape((*dims[:at], merged, *dims[at + 2 :])), x)


def permute(d: Draft) -> None:
    """Permute axes of plain size; now and then B moves too."""
    x = d.pick(lambda t: has_ints(t, 2))
    count = next(n for n in range(x.type.rank, 0, -1) if has_ints(x.type, n))
    if x.type.is_static and d.chance(0.1):
        count = x.type.rank
    d.add(ops.Permute(tuple(int(axis) for axis in d.rng.permutation(range(-count, 0)))), x)


def slices(d: Draft) -> None:
    """Slice."""
    x = d.pick(lambda t: has_ints(t, 1))
    axis = d.axis(x.type)
    (size,) = ints((x.type.dims[axis],))
    start = d.integer(0, size - 1)
    d.add(ops.Slice(axis, start, d.integer(start + 1, size), d.integer(1, 2)), x)


def move(d: Draft) -> None:
    """Flip or Roll."""
    x = d.pick(lambda t: has_ints(t, 1))
    axes = tuple({d.axis(x.type), d.axis(x.type)})
    shifts = tuple(d.integer(-2, 2) for _ in axes)
    d.add(d.choose(ops.Flip(axes), ops.Roll(shifts, axes)), x)


def pad(d: Draft) -> None:
    """Pad in every mode; negative numbers crop."""
    count = d.integer(1, 2)
    x = d.floats(count, least=2, growing=True)
    mode = d.choose(*ops.PadMode)
    value = d.choose(0.0, 0.5) if mode is ops.PadMode.CONSTANT else 0.0
    pads = tuple((d.integer(-1, 1), d.integer(0, 1)) for _ in range(count))
    if any(n + lo < 2 for n, (lo, _) in zip(ints(x.type.dims[-count:]), pads, strict=True)):
        raise UnfitError
    d.add(ops.Pad(pads, mode, value), x)


def concat(d: Draft) -> None:
    """Concat of values that differ on one axis at most."""
    x = d.floats(1, growing=True)
    axis = d.axis(x.type)
    rest = _without(x.type, axis)
    fit = [v for v in d.values if v.type.rank == x.type.rank and _fits(v.type, axis, rest)]
    d.add(ops.Concat(axis), x, *(d.choose(*fit) for _ in range(d.integer(1, 2))))


def expand(d: Draft) -> None:
    """Expand an axis of size 1, or add one in front."""
    x = d.pick(lambda t: t.is_static and not big(t))
    dims = tuple(d.integer(1, 3) if dim == 1 else dim for dim in x.type.dims)
    d.add(ops.Expand((2, *dims) if d.chance(0.3) else dims), x)


def tile(d: Draft) -> None:
    """Tile."""
    x = d.pick(lambda t: has_ints(t, 2) and not big(t))
    d.add(ops.Tile((d.integer(1, 2), d.integer(1, 2))), x)


def gather(d: Draft) -> None:
    """Gather by indices of rank 0, 1 or 2."""
    x = d.pick(lambda t: has_ints(t, 1) and not big(t))
    axis = d.axis(x.type)
    (size,) = ints((x.type.dims[axis],))
    shape = tuple(d.integer(1, 3) for _ in range(d.integer(0, 2)))
    d.add(ops.Gather(Array(d.rng.integers(0, size, shape)), axis), x)


def resize(d: Draft) -> None:
    """Resize in every mode."""
    rank = d.integer(1, 2)
    x = d.floats(rank, growing=True)
    before = ints(x.type.dims[-rank:])
    sizes = tuple(d.integer(1, 2 * n) for n in before)
    scales = tuple(after / n for after, n in zip(sizes, before, strict=True))
    near = ops.Interpolation.NEAREST
    mode = d.choose(*(m for m in ops.Interpolation if m is not near or not d.smooth))
    where = d.choose(*(c for c in ops.Coordinates if c is not ops.Coordinates.CROP))
    rounding = d.choose(*ops.Rounding)
    options = (d.choose(-0.75, -0.5), d.chance(0.3), d.chance(0.3) and mode is not near)
    d.add(ops.Resize(sizes, scales, mode, where, rounding, *options), x)


def crop_and_resize(d: Draft) -> None:
    """Resize of a part, with a number for what lies outside."""
    x = d.floats(1)
    crop = ((d.real(-0.2, 0.4), d.real(0.6, 1.2)),)
    size = d.integer(1, 6)
    scale = size / ints(x.type.dims[-1:])[0]
    linear, where = ops.Interpolation.LINEAR, ops.Coordinates.CROP
    resize = ops.Resize((size,), (scale,), linear, where, crop=crop, extrapolation=0.5)
    d.add(resize, x)


def pixels(d: Draft) -> None:
    """PixelShuffle or PixelUnshuffle."""
    x = d.floats(3)
    channels, height, width = ints(x.type.dims[-3:])
    fit: list[Op] = []
    if channels % 4 == 0:
        fit.append(ops.PixelShuffle(2))
    if height % 2 == width % 2 == 0:
        fit.append(ops.PixelUnshuffle(2))
    if not fit:
        raise UnfitError
    d.add(d.choose(*fit), x)


def reduce(d: Draft) -> None:
    """A reduction over axes of plain size; products of squashed values."""
    x = d.floats(1)
    axes = tuple({d.axis(x.type), d.axis(x.type)})
    keep = d.chance()
    if d.chance(0.2):
        d.add(ops.ReduceProd(axes, keep), d.squashed(x))
        return
    total, mean = ops.ReduceSum(axes, keep), ops.ReduceMean(axes, keep)
    d.add(d.choose(total, mean, ops.ReduceMax(axes, keep), ops.ReduceMin(axes, keep)), x)


def cumulative(d: Draft) -> None:
    """CumSum."""
    x = d.floats(1)
    d.add(ops.CumSum(d.axis(x.type), d.chance(), d.chance()), x)


def best(d: Draft) -> None:
    """ArgMax, ArgMin or TopK; indices jump."""
    x = d.floats(1)
    axis = d.axis(x.type)
    if d.smooth or d.chance():
        (size,) = ints((x.type.dims[axis],))
        node = d.edit.add_node(ops.TopK(d.integer(1, size), axis, d.chance()), (x,))
        d.values.extend(node.outputs[: 1 if d.smooth else 2])
    else:
        keep, last = d.chance(), d.chance()
        d.add(d.choose(ops.ArgMax(axis, keep, last), ops.ArgMin(axis, keep, last)), x)


def _without(type_: TensorType, axis: int) -> Dims:
    dims = list(type_.dims)
    del dims[axis]
    return tuple(dims)


def _fits(type_: TensorType, axis: int, rest: Dims) -> bool:
    plain = type_.dtype is DType.F32 and isinstance(type_.dims[axis], int)
    return plain and _without(type_, axis) == rest


MOVES = (
    reshape,
    reshape,
    permute,
    slices,
    move,
    pad,
    concat,
    expand,
    tile,
    gather,
    resize,
    crop_and_resize,
    pixels,
    reduce,
    reduce,
    cumulative,
    best,
)
PLAIN_MOVES = (reshape, permute, slices, move, pad, concat, tile, gather, pixels)
"""Without reductions."""
