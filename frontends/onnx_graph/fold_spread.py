"""Folding of known numbers that are repeated along the batch, or count along it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from spikec.frontends.onnx_graph import shapes
from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import (
    Entry,
    Known,
    Ramp,
    Sized,
    Spread,
    based,
    dims_of,
    repeated,
)
from spikec.frontends.onnx_graph.fold_numbers import ELEMENTWISE
from spikec.ir.array import NumpyArray
from spikec.ir.dims import Dims, SymbolicDim
from spikec.ir.op import broadcast_dims

Move = Callable[[NumpyArray], NumpyArray]


def spread_out(call: Call) -> Entry | None:
    """Expand known numbers to symbolic sizes; None where the sizes are numbers."""
    dims = shapes.expanded(call)
    if not any(isinstance(dim, SymbolicDim) for dim in dims):
        return None
    return _moved(call.entry(0), lambda numbers: based(numbers, dims), dims)


def tiled_out(call: Call) -> Entry:
    """Repeat known numbers a symbolic number of times."""
    entry = call.entry(0)
    assert isinstance(entry, Known)
    dims, repeats = shapes.tiled(call)
    return repeated(np.tile(entry.array, repeats), dims)


def fold_spread(call: Call, kind: str) -> Entry | None:
    """Compute with repeated or counting numbers; None where they must become a value."""
    entries = [entry for entry in call.operands if entry is not None]
    if kind in ELEMENTWISE:
        return _elementwise(call, kind, entries)
    if kind not in MOVES or any(isinstance(entry, Sized) for entry in entries):
        return None
    return MOVES[kind](call)


def _elementwise(call: Call, kind: str, entries: list[Entry]) -> Entry:
    dims = broadcast_dims(*map(dims_of, entries))
    if any(isinstance(entry, Sized) for entry in entries):
        return Sized(dims)
    bases = [_base(entry) for entry in entries]
    if any(isinstance(entry, Ramp) for entry in entries):
        step = _step(kind, entries)
        if step is None or kind not in ("Add", "Sub", "Mul", "Cast"):
            return Sized(dims)
        base = ELEMENTWISE[kind](call, *bases)
        return Ramp(based(base, dims), based(step, dims), dims)
    with np.errstate(all="ignore"):
        return repeated(ELEMENTWISE[kind](call, *bases), dims)


def _base(entry: Entry) -> NumpyArray:
    if isinstance(entry, Known):
        return entry.array
    assert isinstance(entry, Spread | Ramp)
    return entry.base


def _step(kind: str, entries: list[Entry]) -> NumpyArray | None:
    """Give the step of a sum, a difference or a multiple of counting numbers."""
    axes = {_counting_axis(entry) for entry in entries if isinstance(entry, Ramp)}
    steps = [entry.step if isinstance(entry, Ramp) else None for entry in entries]
    if len(axes) > 1:
        return None
    if kind == "Mul":
        first, second = steps
        if first is not None and second is not None:
            return None
        return np.asarray(
            _base(entries[0]) * second if first is None else first * _base(entries[1])
        )
    signs = (1, -1 if kind == "Sub" else 1)
    terms = [s * step for s, step in zip(signs, steps, strict=False) if step is not None]
    return np.asarray(reduce(np.add, terms))


def _counting_axis(entry: Ramp) -> int:
    """Give the axis along which numbers count, from the end."""
    places = [i for i, dim in enumerate(entry.dims) if isinstance(dim, SymbolicDim)]
    return places[0] - len(entry.dims)


def _moved(entry: Entry, move: Move, dims: Dims) -> Entry | None:
    """Move bases and steps alike."""
    match entry:
        case Known(array):
            return Spread(move(array), dims)
        case Spread(base):
            return Spread(move(base), dims)
        case Ramp(base, step):
            return Ramp(move(base), move(step), dims)
        case _:
            return Sized(dims) if isinstance(entry, Sized) else None


def _identity(call: Call) -> Entry:
    return call.entry(0)


def _unsqueeze(call: Call) -> Entry | None:
    axes = shapes.unsqueezed_axes(call)
    return _moved(call.entry(0), lambda n: np.expand_dims(n, axes), shapes.unsqueezed(call))


def _squeeze(call: Call) -> Entry | None:
    axes = shapes.squeezed_axes(call)
    return _moved(call.entry(0), lambda n: n.squeeze(axes), shapes.squeezed(call))


def _transpose(call: Call) -> Entry | None:
    order, dims = shapes.permutation(call), call.dims(0)
    return _moved(call.entry(0), lambda n: n.transpose(order), tuple(dims[a] for a in order))


def _concat(call: Call) -> Entry | None:
    """Join components that all count along the same axis, or not at all."""
    entries = [entry for entry in call.operands if isinstance(entry, Spread | Ramp)]
    axis = call.axis(len(call.dims(0)))
    rest = {(*entry.dims[:axis], *entry.dims[axis + 1 :]) for entry in entries}
    sizes = [size for entry in entries if isinstance(size := entry.dims[axis], int)]
    if len(sizes) != len(call.operands) or len(rest) != 1:
        return None
    dims = (*entries[0].dims[:axis], sum(sizes), *entries[0].dims[axis + 1 :])
    base = np.concatenate([entry.base for entry in entries], axis)
    if not any(isinstance(entry, Ramp) for entry in entries):
        return Spread(base, dims)
    steps = [e.step if isinstance(e, Ramp) else np.zeros_like(e.base) for e in entries]
    return Ramp(base, np.concatenate(steps, axis), dims)


MOVES: Mapping[str, Callable[[Call], Entry | None]] = {
    "Concat": _concat,
    "Expand": spread_out,
    "Identity": _identity,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Ops that move elements, on entries other than values."""
