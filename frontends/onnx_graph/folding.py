"""Decides what can be computed while the graph is being read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.frontends.onnx_graph import shapes
from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import (
    Entry,
    Known,
    Ramp,
    Sized,
    Spread,
    Symbolic,
    size_entry,
)
from spikec.frontends.onnx_graph.fold_moves import MAKERS, MOVES
from spikec.frontends.onnx_graph.fold_numbers import ELEMENTWISE, OTHER, Fold
from spikec.frontends.onnx_graph.fold_sizes import fold_symbolic
from spikec.frontends.onnx_graph.fold_spread import fold_spread, spread_out, tiled_out
from spikec.ir.array import NumpyArray

Results = tuple[Entry, ...]

ANY_TYPE = frozenset((*MOVES, "Cast", "CastLike", "Constant", "DequantizeLinear", "Shape", "Size"))
"""Ops that take the narrow types of quantised weights, which NumPy knows by extension only."""

FOLDS: Mapping[str, Fold] = {**ELEMENTWISE, **OTHER, **MOVES, **MAKERS}
"""Ops on known numbers."""


def fold(call: Call, kind: str) -> Results | None:
    """Give the results of a node that needs no data; None where a rule must take it."""
    present = [entry for entry in call.operands if entry is not None]
    if all(isinstance(entry, Known) for entry in present):
        return _known(call, kind)
    if kind == "Expand" and isinstance(present[0], Known | Spread | Ramp | Sized):
        return _one(spread_out(call))
    if kind == "Tile" and isinstance(present[0], Known) and isinstance(present[1], Symbolic):
        return (tiled_out(call),)
    if all(isinstance(entry, Known | Symbolic) for entry in present):
        return _symbolic(call, kind)
    if all(isinstance(entry, Known | Spread | Ramp | Sized) for entry in present):
        return _one(fold_spread(call, kind))
    return None


def _one(entry: Entry | None) -> Results | None:
    return None if entry is None else (entry,)


def _arrays(call: Call) -> list[NumpyArray | None]:
    return [e.array if isinstance(e, Known | Symbolic) else None for e in call.operands]


def _known(call: Call, kind: str) -> Results | None:
    with np.errstate(all="ignore"):  # inf and nan are results here, not accidents
        if kind == "Split":
            return _split(call)
        if kind not in FOLDS:
            return None
        arrays = _arrays(call)
        if kind not in ANY_TYPE and not all(a is None or a.dtype.kind in "biuf" for a in arrays):
            call.refuse("it computes with a constant of an unusual element type")
        try:
            return (Known(np.asarray(FOLDS[kind](call, *arrays))),)
        except (ArithmeticError, IndexError, MemoryError, TypeError, ValueError) as error:
            call.refuse(f"it cannot be computed: {error}")


def _symbolic(call: Call, kind: str) -> Results | None:
    if kind == "Split":
        return _split(call)
    if kind in MOVES:
        return (size_entry(np.asarray(MOVES[kind](call, *_arrays(call)))),)
    return _one(fold_symbolic(call, kind))


def _split(call: Call) -> Results:
    axis, sizes = shapes.parts(call)
    entry = call.entry(0)
    assert isinstance(entry, Known | Symbolic)
    parts = np.split(entry.array, np.cumsum(sizes)[:-1], axis=axis)
    if isinstance(entry, Symbolic):
        return tuple(size_entry(part) for part in parts)
    return tuple(Known(part) for part in parts)
