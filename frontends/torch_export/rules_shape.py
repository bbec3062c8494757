"""Rules for operators that move elements: views, cuts, joins, repeats, padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.rule import Rules, shared
from spikec.frontends.torch_export.scope import Known, Operand, Scope
from spikec.ir import Value, ops
from spikec.ir.dims import Dim, multiply
from spikec.ir.ops import PadMode

aten = torch.ops.aten
Ints = Sequence[int]


def view(s: Scope, x: Operand, *options: object, **more: object) -> Value:
    """Any other arrangement of the same elements in the same order; torch says which sizes."""
    return s.reshape(x, s.result_dims(), part="")


def same(s: Scope, x: Operand, *options: object, **more: object) -> Operand:
    """The operand itself: copies and memory layouts have no meaning here."""
    return x


def permute(s: Scope, x: Operand, order: Ints) -> Value:
    """Axes in another order."""
    return s.permute(x, order, part="")


def transpose(s: Scope, x: Operand, first: int, second: int) -> Value:
    """Two axes exchanged."""
    order = list(range(s.rank(x)))
    if order:
        order[first], order[second] = order[second], order[first]
    return s.permute(x, order, part="")


def matrix_transpose(s: Scope, x: Operand) -> Value:
    """The two axes of a matrix exchanged."""
    return transpose(s, x, 0, 1) if s.rank(x) == 2 else s.value(x)


def expand(s: Scope, x: Operand, sizes: object, *, implicit: bool = False) -> Value:
    """Repeat along axes of size 1 and along new ones."""
    dims = s.result_dims()
    return s.value(x) if s.dims(x) == dims else s.emit(ops.Expand(dims), x)


def slice_axis(
    s: Scope,
    x: Operand,
    dim: int = 0,
    start: Dim | None = None,
    end: Dim | None = None,
    step: int = 1,
) -> Operand:
    """X[start:end:step] along an axis; the whole axis is x itself."""
    if s.result_dims() == s.dims(x):
        return x
    size = s.size(x, dim)
    first, last, _ = slice(_whole(start), _whole(end), step).indices(size)
    return s.emit(ops.Slice(s.axis(dim, x), first, max(first, last), step), x)


def _whole(bound: Dim | None) -> int | None:
    if bound is None or isinstance(bound, int):
        return bound
    raise Refused(
        f"cuts a fixed axis at {bound}, a place that depends on the batch",
        remedy="cut at a fixed place",
    )


def part_of(s: Scope, x: Operand, dim: int, start: int, stop: int, part: str) -> Operand:
    """Cut a piece off, for rules made of several nodes."""
    if (start, stop) == (0, s.size(x, dim)):
        return x
    return s.emit(ops.Slice(s.axis(dim, x), start, stop), x, part=part)


def select(s: Scope, x: Operand, dim: int, index: Dim) -> Value:
    """One element of an axis, which goes away."""
    size = s.size(x, dim)
    place = (_whole(index) or 0) % size
    piece = s.emit(ops.Slice(s.axis(dim, x), place, place + 1), x, part="slice")
    return s.reshape(piece, s.result_dims(), part="")


def split(s: Scope, x: Operand, sizes: int | Ints, dim: int = 0) -> tuple[Operand, ...]:
    """Pieces along an axis."""
    pieces, start = [], 0
    for index in range(len(s.result)):
        stop = start + int(s.result[index].shape[dim])
        pieces.append(part_of(s, x, dim, start, stop, f"part{index}"))
        start = stop
    return tuple(pieces)


def unbind(s: Scope, x: Operand, dim: int = 0) -> tuple[Value, ...]:
    """Every element of an axis by itself."""
    pieces = []
    for index in range(s.size(x, dim)):
        piece = part_of(s, x, dim, index, index + 1, f"part{index}")
        pieces.append(s.reshape(piece, s.result_dims(index)))
    return tuple(pieces)


def cat(s: Scope, tensors: Sequence[Operand], dim: int = 0) -> Value:
    """Join along an axis; torch ignores empty vectors."""
    rank = max(s.rank(x) for x in tensors)
    parts = [x for x in tensors if s.rank(x) == rank]
    joined = s.promoted(*parts, to=s.result_dtype())
    return s.emit(ops.Concat(dim - rank if dim >= 0 else dim), *joined)


def stack(s: Scope, tensors: Sequence[Operand], dim: int = 0) -> Value:
    """Join along a new axis."""
    dims = s.result_dims()
    axis = dim - len(dims) if dim >= 0 else dim
    single = tuple(1 if i == axis + len(dims) else d for i, d in enumerate(dims))
    parts = [s.reshape(x, single) for x in s.promoted(*tensors, to=s.result_dtype())]
    return s.emit(ops.Concat(axis), *parts)


def repeat(s: Scope, x: Operand, repeats: Sequence[Dim]) -> Value:
    """Copies side by side, along new leading axes too."""
    repeats = (*(1,) * (s.rank(x) - len(repeats)), *repeats)
    lead = len(repeats) - s.rank(x)
    wide = (*(1,) * lead, *s.dims(x))
    y: Operand = s.reshape(x, wide)
    # the batch can only grow an axis of size 1: that is an expansion
    grown = tuple(n if d == 1 else d for d, n in zip(wide, repeats, strict=True))
    if grown != wide:
        y = s.emit(ops.Expand(grown), y, part="expand")
    counts = tuple(1 if d == 1 else _count(n) for d, n in zip(wide, repeats, strict=True))
    return s.value(y) if set(counts) <= {1} else s.emit(ops.Tile(counts), y)


def _count(repeats: Dim) -> int:
    if isinstance(repeats, int):
        return repeats
    raise Refused(f"repeats an axis {repeats} times", expected="a fixed number of times")


def repeat_interleave(
    s: Scope, x: Operand, repeats: int, dim: int | None = None, *, output_size: object = None
) -> Value:
    """Each element several times in a row."""
    dims = s.dims(x)
    axis = 0 if dim is None else dim % len(dims)
    if dim is None:
        x, dims = s.reshape(x, (s.value(x).type.size,)), (s.value(x).type.size,)
    lead, tail = dims[: axis + 1], dims[axis + 1 :]
    apart = s.reshape(x, (*lead, 1, *tail), part="apart")
    copies = s.emit(ops.Expand((*lead, repeats, *tail)), apart, part="copies")
    return s.reshape(copies, (*lead[:-1], multiply(lead[-1], repeats), *tail), part="")


def flip(s: Scope, x: Operand, dims: Ints) -> Value:
    """Axes backwards."""
    return s.emit(ops.Flip(tuple(s.axis(d, x) for d in dims)), x)


def roll(s: Scope, x: Operand, shifts: int | Ints, dims: int | Ints = ()) -> Value:
    """Elements moved along axes, round the end; without axes along all elements in a row."""
    moves = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    axes = (dims,) if isinstance(dims, int) else tuple(dims)
    if axes:
        return s.emit(ops.Roll(moves, tuple(s.axis(d, x) for d in axes)), x)
    row = s.reshape(x, (s.value(x).type.size,), part="row")
    return s.reshape(s.emit(ops.Roll(moves, (-1,)), row), s.dims(x))


def rot90(s: Scope, x: Operand, k: int = 1, dims: Ints = (0, 1)) -> Value:
    """A quarter turn, k times."""
    first, second = (d % s.rank(x) for d in dims)
    turns: dict[int, tuple[int, ...]] = {0: (), 1: (second,), 2: (first, second), 3: (first,)}
    y: Operand = x
    if turns[k % 4]:
        y = s.emit(ops.Flip(tuple(s.axis(d, x) for d in turns[k % 4])), x, part="flip")
    return transpose(s, y, first, second) if k % 2 else s.value(y)


def pixel_shuffle(s: Scope, x: Operand, factor: int) -> Value:
    """Channels into space."""
    return s.emit(ops.PixelShuffle(factor), x)


def pixel_unshuffle(s: Scope, x: Operand, factor: int) -> Value:
    """Space into channels."""
    return s.emit(ops.PixelUnshuffle(factor), x)


def channel_shuffle(s: Scope, x: Operand, groups: int) -> Value:
    """Channels dealt out to groups: reshape, exchange, reshape."""
    dims = s.dims(x)
    blocks = (dims[0], groups, s.size(x, 1) // groups, *dims[2:])
    apart = s.reshape(x, blocks, part="groups")
    order = (0, 2, 1, *range(3, len(blocks)))
    return s.reshape(s.permute(apart, order), dims, part="")


_MODES = {mode.value: mode for mode in PadMode}


def pad(
    s: Scope, x: Operand, pads: Ints, mode: str = "constant", value: float | None = None
) -> Value:
    """Padding (or, where negative, cutting) that torch lists from the last axis on."""
    pairs = tuple(zip(pads[::2], pads[1::2], strict=True))[::-1]
    if not any(map(any, pairs)):
        return s.value(x)
    if mode == "constant":
        return s.emit(ops.Pad(pairs, PadMode.CONSTANT, float(value or 0)), x)
    return s.emit(ops.Pad(pairs, _MODES[mode]), x)


def constant_pad(s: Scope, x: Operand, pads: Ints, value: float = 0) -> Value:
    """Core ATen's form."""
    return pad(s, x, pads, "constant", value)


def reflection_pad(s: Scope, x: Operand, pads: Ints) -> Value:
    """Core ATen's form."""
    return pad(s, x, pads, "reflect")


def replication_pad(s: Scope, x: Operand, pads: Ints) -> Value:
    """Core ATen's form."""
    return pad(s, x, pads, "replicate")


def triangle(s: Scope, x: Operand, diagonal: int, *, lower: bool) -> Value:
    """0 above (or below) a diagonal of the last two axes."""
    ones = torch.ones((s.size(x, -2), s.size(x, -1)), dtype=torch.bool)
    keep = Known.of(ones.tril(diagonal) if lower else ones.triu(diagonal))
    return s.emit(ops.Where(), keep, x, s.scalar(0, s.dtype(x)))


def tril(s: Scope, x: Operand, diagonal: int = 0) -> Value:
    """Keep the lower triangle."""
    return triangle(s, x, diagonal, lower=True)


def triu(s: Scope, x: Operand, diagonal: int = 0) -> Value:
    """Keep the upper triangle."""
    return triangle(s, x, diagonal, lower=False)


_VIEWS = (
    aten.view.default,
    aten._unsafe_view.default,
    aten.unsqueeze.default,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
)
_COPIES = (
    aten.clone.default,
    aten.alias.default,
)
RULES: Rules = {
    **shared(view, *_VIEWS),
    **shared(same, *_COPIES),
    aten.permute.default: permute,
    aten.transpose.int: transpose,
    aten.t.default: matrix_transpose,
    aten.expand.default: expand,
    aten.slice.Tensor: slice_axis,
    aten.select.int: select,
    **shared(split, aten.split.Tensor, aten.split_with_sizes.default),
    aten.unbind.int: unbind,
    aten.cat.default: cat,
    aten.stack.default: stack,
    **shared(repeat, aten.repeat.default, aten.tile.default),
    aten.repeat_interleave.self_int: repeat_interleave,
    aten.flip.default: flip,
    aten.roll.default: roll,
    aten.rot90.default: rot90,
    aten.pixel_shuffle.default: pixel_shuffle,
    aten.pixel_unshuffle.default: pixel_unshuffle,
    aten.channel_shuffle.default: channel_shuffle,
    aten.pad.default: pad,
    aten.constant_pad_nd.default: constant_pad,
    **shared(
        reflection_pad,
        aten.reflection_pad1d.default,
        aten.reflection_pad2d.default,
        aten.reflection_pad3d.default,
    ),
    **shared(
        replication_pad,
        aten.replication_pad1d.default,
        aten.replication_pad2d.default,
        aten.replication_pad3d.default,
    ),
    aten.tril.default: tril,
    aten.triu.default: triu,
}
