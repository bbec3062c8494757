"""Rules for picking elements: indexing, gathering, embedding, sliding windows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.rule import Rules, shared
from spikec.frontends.torch_export.scope import Known, Operand, Scope
from spikec.ir import Array, Value, ops
from spikec.ir.dims import Dims, product

aten = torch.ops.aten
Indices = Sequence[Operand | None]


def take(s: Scope, x: Operand, indices: torch.Tensor, axis: int, part: str = "") -> Value:
    """Pick constant places along one axis, counted from the end."""
    size = s.size(x, axis)
    places = torch.where(indices < 0, indices + size, indices).to(torch.int64)
    return s.emit(ops.Gather(Array(places.cpu().numpy()), axis), x, part=part)


def index(s: Scope, x: Operand, indices: Indices) -> Value:
    """x[i, :, j, …] with tensors as indices."""
    used = {axis: place for axis, place in enumerate(indices) if place is not None}
    if any(isinstance(place, Value) for place in used.values()):
        return _index_by_value(s, x, used)
    own = [a for a, place in used.items() if _is_own_place(s, x, a, place)]
    if own:
        return _index_within_samples(s, x, used, own)
    places = {axis: _tensor(place) for axis, place in used.items()}
    if any(place.dtype in (torch.bool, torch.uint8) for place in places.values()):
        x, places = _unmasked(s, x, places)
    return _index_by_constants(s, x, places)


def _tensor(place: Operand) -> torch.Tensor:
    assert isinstance(place, Known)  # values have gone another way
    return place.tensor


def _index_by_constants(s: Scope, x: Operand, places: dict[int, torch.Tensor]) -> Value:
    """Join the indexed axes to one and gather along it."""
    axes = sorted(places)
    rank = s.rank(x)
    if len(axes) == 1:
        return take(s, x, places[axes[0]], axes[0] - rank)
    sizes = [s.size(x, axis) for axis in axes]
    flat = torch.zeros((), dtype=torch.int64)
    for axis, size in zip(axes, sizes, strict=True):
        place = places[axis].to(torch.int64)
        flat = flat * size + torch.where(place < 0, place + size, place)
    adjacent = axes == list(range(axes[0], axes[0] + len(axes)))
    front = axes[0] if adjacent else 0
    rest = [axis for axis in range(rank) if axis not in axes]
    moved = s.permute(x, (*rest[:front], *axes, *rest[front:]), part="together")
    dims = s.dims(moved)
    joined = (*dims[:front], math.prod(sizes), *dims[front + len(axes) :])
    return take(s, s.reshape(moved, joined, part="row"), flat, front - len(joined))


def _unmasked(
    s: Scope, x: Operand, places: dict[int, torch.Tensor]
) -> tuple[Operand, dict[int, torch.Tensor]]:
    """Turn masks into places; a mask over several axes makes them one."""
    masks = [axis for axis, place in places.items() if place.dtype in (torch.bool, torch.uint8)]
    if len(places) > 1:
        raise Refused(
            "indexes by a mask and by something else at once", remedy="index in two steps"
        )
    axis = masks[0]
    mask = places[axis].bool()
    dims = s.dims(x)
    span = mask.ndim
    joined = (*dims[:axis], math.prod(mask.shape), *dims[axis + span :])
    return s.reshape(x, joined, part="row"), {axis: mask.flatten().nonzero().flatten()}


def _is_own_place(s: Scope, x: Operand, axis: int, place: Operand) -> bool:
    """Tell whether an index along the batch is 0, 1, 2, … : every sample by itself."""
    if not isinstance(place, Known) or isinstance(s.dims(x)[axis], int):
        return False
    return all(
        sample.numel() == sample.shape[0]
        and torch.equal(sample.flatten(), torch.arange(sample.shape[0], dtype=sample.dtype))
        for sample in place.samples
    )


def _index_within_samples(
    s: Scope, x: Operand, used: dict[int, Operand], own: Sequence[int]
) -> Value:
    """x[arange(batch), i]: the same places in every sample."""
    rest = [axis for axis in used if axis not in own]
    if not rest:
        return s.reshape(x, s.result_dims(), part="")
    place = used[rest[0]]
    rank = max(s.rank(used[own[0]]), s.rank(place))
    leads = s.rank(used[own[0]]) == rank and not isinstance(s.dims(used[own[0]])[0], int)
    if own != [0] or rest != [1] or not leads or not isinstance(place, Known):
        raise Refused(
            "mixes samples by its indices", remedy="index along other axes than the batch"
        )
    index = _one_sample(place) if s.rank(place) == rank else place.tensor
    index = index.reshape((1,) * (rank - 1 - index.ndim) + index.shape)
    return s.reshape(take(s, x, index, 1 - s.rank(x), "pick"), s.result_dims(), part="")


def _index_by_value(s: Scope, x: Operand, used: dict[int, Operand]) -> Value:
    """Rows of a constant table, or one place per sample that the input decides."""
    if isinstance(x, Known) and list(used) == [0]:
        return embedding(s, x, used[0])
    own = [axis for axis, place in used.items() if _is_own_place(s, x, axis, place)]
    rest = [axis for axis in used if axis not in own]
    if own == [0] and rest == [1] and s.rank(used[1]) == 1:
        return _picked(s, x, used[1])
    raise Refused(
        "indexes by values that depend on the input",
        expected="constant indices, or a constant table",
        remedy="use torch.where, a mask, or torch.gather with constant indices",
    )


def _picked(s: Scope, x: Operand, place: Operand) -> Value:
    """x[b, place[b]]: Σ_i [place = i] x[b, i]."""
    size, dims = s.size(x, 1), s.dims(x)
    chosen = one_hot(s, place, size)
    flag = s.cast(chosen, s.dtype(x))
    row = s.reshape(flag, (dims[0], 1, size), part="row")
    table = s.reshape(x, (dims[0], size, product(dims[2:])), part="table")
    return s.reshape(s.emit(ops.Matmul(), row, table, part="picked"), s.result_dims(), part="")


def one_hot(s: Scope, x: Operand, classes: int) -> Value:
    """[x = i] for each class i, as integers."""
    apart = s.reshape(x, (*s.dims(x), 1), part="apart")
    numbers = Known.of(torch.arange(classes, dtype=s.dtype(x)))
    return s.value(s.cast(s.emit(ops.Equal(), apart, numbers, part="equal"), torch.int64))


def one_hot_default(s: Scope, x: Operand, num_classes: int = -1) -> Value:
    """The number of classes must be given."""
    if num_classes < 0:
        raise Refused("takes the number of classes from the data", remedy="give num_classes")
    return one_hot(s, x, num_classes)


def index_select(s: Scope, x: Operand, dim: int, places: Operand) -> Value:
    """Places along one axis; where the input gives them, rows of a constant table."""
    if isinstance(places, Known):
        return take(s, x, places.tensor.reshape(-1), s.axis(dim, x))
    if isinstance(x, Known) and dim % s.rank(x) == 0:
        return embedding(s, x, places)
    raise Refused("picks places that depend on the input", remedy="use a mask and a sum")


def embedding(
    s: Scope,
    table: Operand,
    ids: Operand,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Value:
    """Rows of a table by ids of the input."""
    return s.emit(ops.Embedding(s.array(table, "the table of an embedding")), ids)


def gather(s: Scope, x: Operand, dim: int, places: Operand, *, sparse_grad: bool = False) -> Value:
    """y[i, j, …] = x[i, places[i, j, …], …] with constant places, alike in every sample."""
    if not isinstance(places, Known):
        raise Refused(
            "gathers from places that depend on the input",
            expected="constant places",
            remedy="use a one-hot mask and a sum",
        )
    axis = dim % s.rank(x)
    batched = not isinstance(s.dims(x)[0], int)
    if batched and axis == 0:
        raise Refused("gathers along the batch", remedy="keep samples apart")
    index_map = _one_sample(places) if batched else places.tensor
    lead: Dims = s.dims(x)[:1] if batched else ()
    sizes = [s.size(x, a) for a in range(len(lead), s.rank(x))]
    grids = torch.meshgrid(*(torch.arange(n) for n in index_map.shape), indexing="ij")
    flat = torch.zeros((), dtype=torch.int64)
    for position, size in enumerate(sizes):
        here = index_map if position == axis - len(lead) else grids[position]
        flat = flat * size + here
    row = s.reshape(x, (*lead, math.prod(sizes)), part="row")
    return take(s, row, flat, -1)


def _one_sample(places: Known) -> torch.Tensor:
    first = places.samples[0][0]
    if not all(torch.equal(first.expand_as(sample), sample) for sample in places.samples):
        raise Refused("picks other places in each sample", remedy="pick by the input's content")
    return first


def windows(s: Scope, x: Operand, dimension: int, size: int, step: int) -> Value:
    """Tensor.unfold: windows along an axis; the place in the window is the last axis."""
    axis = dimension % s.rank(x)
    starts = torch.arange(0, s.size(x, axis) - size + 1, step)
    y = take(s, x, starts[:, None] + torch.arange(size), axis - s.rank(x), "windows")
    order = [a for a in range(s.rank(y)) if a != axis + 1]
    return s.permute(y, (*order, axis + 1), part="")


def im2col(
    s: Scope,
    x: Operand,
    kernel: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Value:
    """functional.unfold: the patches of an image as columns."""
    wide: Operand = x
    if any(padding):
        wide = s.emit(ops.Pad(tuple((p, p) for p in padding)), x, part="pad")
    for position in range(2):
        n = s.size(wide, -2 + position)
        k, d, step = kernel[position], dilation[position], stride[position]
        starts = torch.arange(0, n - d * (k - 1), step)
        taps = torch.arange(k)[:, None] * d + starts
        wide = take(s, wide, taps, -2 + position, f"axis{position}")
    # [..., C, kh, oh, kw, ow] -> [..., C, kh, kw, oh, ow]
    rank = s.rank(wide)
    order = (*range(rank - 4), rank - 4, rank - 2, rank - 3, rank - 1)
    return s.reshape(s.permute(wide, order), s.result_dims(), part="")


def col2im(
    s: Scope,
    x: Operand,
    output_size: Sequence[int],
    kernel: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Value:
    """functional.fold: columns summed into an image, a transposed convolution with ones."""
    taps = math.prod(kernel)
    channels = s.size(x, -2) // taps
    grid = tuple(
        (n + 2 * p - d * (k - 1) - 1) // t + 1
        for n, k, d, p, t in zip(output_size, kernel, dilation, padding, stride, strict=True)
    )
    rest = tuple(
        n - ((g - 1) * t - 2 * p + d * (k - 1) + 1)
        for n, g, k, d, p, t in zip(
            output_size, grid, kernel, dilation, padding, stride, strict=True
        )
    )
    image = s.reshape(x, (*s.dims(x)[:-2], channels * taps, *grid), part="grid")
    one = torch.eye(taps, dtype=s.dtype(x)).reshape(taps, 1, *kernel).repeat(channels, 1, 1, 1)
    op = ops.ConvTranspose(
        Array(one.numpy()),
        None,
        tuple(stride),
        tuple((p, p) for p in padding),
        rest,
        tuple(dilation),
        channels,
    )
    return s.emit(op, image)


def diagonal(s: Scope, x: Operand, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    """The diagonal of two axes, as the last axis."""
    rank = s.rank(x)
    first, second = dim1 % rank, dim2 % rank
    rest = [axis for axis in range(rank) if axis not in (first, second)]
    rows, columns = s.size(x, first), s.size(x, second)
    moved = s.permute(x, (*rest, first, second), part="last")
    row = s.reshape(moved, (*s.dims(moved)[:-2], rows * columns), part="row")
    places = torch.arange(rows * columns).reshape(rows, columns).diagonal(offset)
    return take(s, row, places, -1)


RULES: Rules = {
    **shared(index, aten.index.Tensor, aten._unsafe_index.Tensor),
    aten.index_select.default: index_select,
    aten.embedding.default: embedding,
    aten.gather.default: gather,
    aten.one_hot.default: one_hot_default,
    aten.unfold.default: windows,
    aten.im2col.default: im2col,
    aten.col2im.default: col2im,
    **shared(diagonal, aten.diagonal.default, aten.diagonal_copy.default),
}
