"""What a name of an ONNX graph stands for while the graph is being read.

Numbers that are known stay NumPy arrays until an op of the IR needs them; shapes that depend on the
batch size are followed as arrays of symbolic sizes; everything else is a value of the IR graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spikec.ir.array import NumpyArray
from spikec.ir.dims import Dim, Dims, SymbolicDim
from spikec.ir.graph import Value


@dataclass(frozen=True, eq=False)
class Known:
    """Numbers that are known now: weights, shapes, indices."""

    array: NumpyArray


@dataclass(frozen=True, eq=False)
class Symbolic:
    """Integers of which some are symbolic sizes: an array of ``Dim`` objects."""

    array: NumpyArray


@dataclass(frozen=True, eq=False)
class Spread:
    """Known numbers repeated along symbolic axes; ``base`` has size 1 there."""

    base: NumpyArray
    dims: Dims


@dataclass(frozen=True, eq=False)
class Ramp:
    """Integers that grow along one symbolic axis: ``value[i] = base + step * i``.

    ``base`` and ``step`` have size 1 on that axis, and the sizes ``dims`` elsewhere.
    """

    base: NumpyArray
    step: NumpyArray
    dims: Dims


@dataclass(frozen=True, eq=False)
class Sized:
    """Numbers that were not followed; only how many there are is known."""

    dims: Dims


Entry = Known | Symbolic | Spread | Ramp | Sized | Value


def repeated(numbers: NumpyArray, dims: Dims) -> Spread:
    """Repeat numbers that broadcast to these sizes."""
    return Spread(based(numbers, dims), dims)


def based(numbers: NumpyArray, dims: Dims) -> NumpyArray:
    """Broadcast numbers to sizes, with 1 for a symbolic one."""
    return np.broadcast_to(numbers, tuple(1 if isinstance(d, SymbolicDim) else d for d in dims))


def dims_of(entry: Entry) -> Dims:
    """Give the sizes of whatever a name stands for."""
    match entry:
        case Known(array) | Symbolic(array):
            return tuple(int(size) for size in array.shape)
        case Spread(dims=dims) | Ramp(dims=dims) | Sized(dims=dims):
            return dims
        case Value():
            return entry.type.dims


def size_entry(array: NumpyArray) -> Known | Symbolic:
    """Wrap an array of sizes: symbolic only while a symbol stands in it."""
    if any(isinstance(item, SymbolicDim) for item in array.flat):
        return Symbolic(array)
    return Known(array.astype(np.int64))


def vector(dims: Iterable[Dim]) -> Known | Symbolic:
    """Give sizes as a one-dimensional tensor."""
    items = tuple(dims)
    array = np.empty(len(items), dtype=object)
    for index, item in enumerate(items):
        array[index] = item
    return size_entry(array)
