"""Rules for tensors that were written into: the old content with some places replaced."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.rule import Rules
from spikec.frontends.torch_export.rules_constant import overwritten
from spikec.frontends.torch_export.rules_shape import part_of
from spikec.frontends.torch_export.scope import Known, Operand, Scalar, Scope
from spikec.ir import Array, Value, ops
from spikec.ir.dims import Dim

aten = torch.ops.aten


def slice_scatter(
    s: Scope,
    x: Operand,
    source: Operand,
    dim: int = 0,
    start: Dim | None = None,
    end: Dim | None = None,
    step: int = 1,
) -> Operand:
    """x[start:end:step] = source."""
    if s.dims(x) == s.dims(source):
        return overwritten(s, source)
    size = s.size(x, dim)
    bounds = [bound if isinstance(bound, int | None) else size for bound in (start, end)]
    places = range(size)[slice(bounds[0], bounds[1], step)]
    return replaced(s, x, source, dim, places)


def select_scatter(s: Scope, x: Operand, source: Operand, dim: int, index: int) -> Operand:
    """x[index] = source along an axis."""
    axis = dim % s.rank(x)
    place = index % s.size(x, dim)
    dims = (*s.dims(x)[:axis], 1, *s.dims(x)[axis + 1 :])
    return replaced(s, x, s.reshape(source, dims, part="piece"), dim, range(place, place + 1))


def replaced(s: Scope, x: Operand, source: Operand, dim: int, places: range) -> Operand:
    """Give x with ``source`` at places along an axis: pieces joined, or picked from both."""
    if not places:
        return x
    piece = s.cast(source, s.dtype(x))
    axis, size = s.axis(dim, x), s.size(x, dim)
    if len(places) == size:
        return piece
    if places.step == 1 or len(places) == 1:
        parts = []
        if places[0] > 0:
            parts.append(part_of(s, x, dim, 0, places[0], "before"))
        parts.append(piece)
        if places[-1] + 1 < size:
            parts.append(part_of(s, x, dim, places[-1] + 1, size, "behind"))
        return s.emit(ops.Concat(axis), *parts)
    order = torch.arange(size)
    order[list(places)] = size + torch.arange(len(places))
    both = s.emit(ops.Concat(axis), x, piece, part="both")
    return s.emit(ops.Gather(Array(order.numpy()), axis), both)


def masked_by_index(s: Scope, x: Operand, dim: int, places: Operand, value: Operand) -> Value:
    """Write one number, or a broadcast tensor, at constant places along an axis."""
    if not isinstance(places, Known):
        raise Refused("writes to places that depend on the input", remedy="use torch.where")
    hit = torch.zeros(s.size(x, dim), dtype=torch.bool)
    hit[places.tensor] = True
    mask = Known.of(hit.reshape(-1, *(1,) * (-s.axis(dim, x) - 1)))
    return s.emit(ops.Where(), mask, s.cast(value, s.dtype(x)), x)


def index_fill(s: Scope, x: Operand, dim: int, places: Operand, value: Scalar | Operand) -> Value:
    """A number at constant places."""
    (number,) = s.promoted(value, to=s.dtype(x))
    return masked_by_index(s, x, dim, places, number)


def index_put(
    s: Scope,
    x: Operand,
    indices: Sequence[Operand | None],
    values: Operand,
    accumulate: bool = False,
) -> Value:
    """x[mask] = number, or x[:, places] = number or tensor."""
    used = {axis: place for axis, place in enumerate(indices) if place is not None}
    single = len(used) == 1 and not accumulate
    axis, place = next(iter(used.items()))
    if single and s.dtype(place) is torch.bool and math.prod(_numbers(s, values)) == 1:
        span = s.rank(place)
        mask = s.reshape(place, (*s.dims(place), *(1,) * (s.rank(x) - axis - span)), part="mask")
        number = s.reshape(values, (), part="number")
        return s.emit(ops.Where(), mask, s.cast(number, s.dtype(x)), x)
    if single and isinstance(place, Known) and s.dtype(place) is not torch.bool:
        if math.prod(_numbers(s, values)) == 1:
            return masked_by_index(s, x, axis, place, s.reshape(values, (), part="number"))
        return _put_pieces(s, x, axis, place, values)
    raise Refused(
        "writes to several index tensors at once, or to places that depend on the input",
        expected="x[mask] = number, or x[:, constant places] = tensor",
        remedy="use torch.where with a mask",
    )


def _numbers(s: Scope, x: Operand) -> list[int]:
    """Give sizes, with the batch as a size that is not 1."""
    return [dim if isinstance(dim, int) else 2 for dim in s.dims(x)]


def _put_pieces(s: Scope, x: Operand, axis: int, place: Known, values: Operand) -> Value:
    """Join old and new content and pick from both."""
    index = place.tensor
    size = s.size(x, axis)
    if index.ndim != 1:
        raise Refused("writes by an index of several axes", remedy="flatten the index")
    dims = (*s.dims(x)[:axis], len(index), *s.dims(x)[axis + 1 :])
    piece = s.cast(values, s.dtype(x))
    if s.dims(piece) != dims:
        piece = s.emit(ops.Expand(dims), piece, part="pieces")
    order = torch.arange(size)
    order[index] = size + torch.arange(len(index))
    both = s.emit(ops.Concat(s.axis(axis, x)), x, piece, part="both")
    return s.emit(ops.Gather(Array(order.numpy()), s.axis(axis, x)), both)


def index_copy(s: Scope, x: Operand, dim: int, places: Operand, source: Operand) -> Value:
    """Pieces at constant places."""
    if not isinstance(places, Known):
        raise Refused("writes to places that depend on the input", remedy="use torch.where")
    return _put_pieces(s, x, dim % s.rank(x), places, source)


RULES: Rules = {
    aten.slice_scatter.default: slice_scatter,
    aten.select_scatter.default: select_scatter,
    aten.index_fill.int_Scalar: index_fill,
    aten.index_fill.int_Tensor: index_fill,
    aten.index_put.default: index_put,
    aten.index_copy.default: index_copy,
}
