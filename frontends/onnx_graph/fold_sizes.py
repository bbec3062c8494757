"""Folding where symbolic sizes take part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry, Known, Symbolic, size_entry
from spikec.ir.array import NumpyArray
from spikec.ir.dims import Dim, SymbolicDim, add, divide, multiply, product


def fold_symbolic(call: Call, kind: str) -> Entry | None:
    """Compute with sizes; None where the op is not one for sizes."""
    if kind in ARITHMETIC:
        arrays = [_objects(entry) for entry in call.operands if entry is not None]
        return ARITHMETIC[kind](call, *arrays)
    return None


def _objects(entry: Entry) -> NumpyArray:
    assert isinstance(entry, Known | Symbolic)
    return entry.array


def _pairwise(function: Callable[[Dim, Dim], Any]) -> Callable[..., Entry]:
    """Apply a function of two sizes with broadcasting; None from it means: no size."""

    def fold(call: Call, left: NumpyArray, right: NumpyArray) -> Entry:
        wide = np.broadcast(left, right)
        result = np.empty(wide.shape, object)
        for index, (a, b) in enumerate(wide):
            found = function(_dim(call, a), _dim(call, b))
            if found is None:
                call.refuse(f"the result of {a} and {b} depends on the batch size")
            result.flat[index] = found
        return size_entry(result)

    return fold


def _dim(call: Call, item: Any) -> Dim:
    if isinstance(item, SymbolicDim):
        return item
    if item != int(item):
        call.refuse(f"a size is combined with the fraction {item}")
    return int(item)


def _difference(left: Dim, right: Dim) -> Dim | None:
    return add(left, multiply(right, -1))


def _quotient(left: Dim, right: Dim) -> Dim | None:
    if isinstance(left, int) and isinstance(right, int):
        size = abs(left) // abs(right) if right else 0
        return (size if (left < 0) == (right < 0) else -size) if right else None
    found = divide(left, right)
    broken = isinstance(found, SymbolicDim) and found.coefficient.denominator != 1
    return None if broken else found


def _equal(call: Call, left: NumpyArray, right: NumpyArray) -> Entry:
    wide = np.broadcast(left, right)
    result = np.empty(wide.shape, bool)
    for index, (a, b) in enumerate(wide):
        answer = _same(a, b)
        if answer is None:
            call.refuse(f"whether {a} equals {b} depends on the batch size")
        result.flat[index] = answer
    return Known(result)


def _same(a: Any, b: Any) -> bool | None:
    """Compare sizes; a symbolic one is at least 1, whatever the batch."""
    if isinstance(a, SymbolicDim) == isinstance(b, SymbolicDim):
        return bool(a == b) if a == b or not isinstance(a, SymbolicDim) else None
    number = b if isinstance(a, SymbolicDim) else a
    return False if number <= 0 else None


def _where(call: Call, condition: NumpyArray, yes: NumpyArray, no: NumpyArray) -> Entry:
    if condition.dtype != np.bool_:
        call.refuse("a condition that is no truth value")
    return size_entry(np.where(condition, yes, no))


def _cast(call: Call, x: NumpyArray) -> Entry:
    if call.integer("to") not in (6, 7):
        call.refuse("a size that depends on the batch becomes a number of another type")
    return size_entry(x)


def _product(call: Call, x: NumpyArray, axes: NumpyArray | None = None) -> Entry:
    if x.ndim != 1:
        call.refuse("a product of sizes that are no vector")
    result = np.empty((1,) if call.integer("keepdims", 1) else (), object)
    result[...] = product(_dim(call, item) for item in x)
    return size_entry(result)


ARITHMETIC: Mapping[str, Callable[..., Entry]] = {
    "Add": _pairwise(add),
    "Cast": _cast,
    "Div": _pairwise(_quotient),
    "Equal": _equal,
    "Mul": _pairwise(multiply),
    "ReduceProd": _product,
    "Sub": _pairwise(_difference),
    "Where": _where,
}
