"""Constant folding of ops that make or move elements; they move symbolic sizes just as well."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from onnx import helper

from spikec.frontends.onnx_graph import shapes
from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.fold_numbers import Fold, cast_to
from spikec.ir.array import NumpyArray
from spikec.ir.dims import Dims, SymbolicDim

MOST_ELEMENTS = 1 << 28
"""Folding refuses to make larger arrays than this: a damaged shape must not exhaust memory."""


def numeric(call: Call, dims: Dims) -> tuple[int, ...]:
    """Give sizes that are numbers, few enough to be laid out in memory."""
    known = tuple(dim for dim in dims if not isinstance(dim, SymbolicDim))
    if len(known) != len(dims):
        call.refuse("a constant of a size that depends on the batch")
    if any(dim < 0 for dim in known):
        call.refuse(f"{list(known)} is no shape")
    if math.prod(known) > MOST_ELEMENTS:
        call.refuse(f"a constant of {math.prod(known):.1e} elements")
    return known


def _identity(call: Call, x: NumpyArray, *rest: NumpyArray) -> NumpyArray:
    return x


def _reshape(call: Call, x: NumpyArray, shape: NumpyArray) -> NumpyArray:
    return x.reshape(numeric(call, shapes.reshaped(call)))


def _squeeze(call: Call, x: NumpyArray, axes: NumpyArray | None = None) -> NumpyArray:
    return x.reshape(numeric(call, shapes.squeezed(call)))


def _unsqueeze(call: Call, x: NumpyArray, axes: NumpyArray | None = None) -> NumpyArray:
    return x.reshape(numeric(call, shapes.unsqueezed(call)))


def _flatten(call: Call, x: NumpyArray) -> NumpyArray:
    return x.reshape(numeric(call, shapes.flattened(call)))


def _transpose(call: Call, x: NumpyArray) -> NumpyArray:
    return x.transpose(shapes.permutation(call))


def _concat(call: Call, *parts: NumpyArray) -> NumpyArray:
    return np.concatenate(parts, axis=call.axis(parts[0].ndim))


def _slice(call: Call, x: NumpyArray, *bounds: NumpyArray) -> NumpyArray:
    for axis, low, high, step in shapes.ranges(call):
        x = x.take(np.arange(low, high, step), axis=axis)
    return x


def _gather(call: Call, x: NumpyArray, indices: NumpyArray) -> NumpyArray:
    axis = call.axis(x.ndim, 0)
    return np.asarray(x.take(_checked(call, indices, x.shape[axis]), axis=axis))


def _checked(call: Call, indices: NumpyArray, size: int) -> NumpyArray:
    if indices.dtype.kind not in "iu":
        call.refuse("its indices depend on the batch size")
    if indices.size and not (-size <= indices.min() and indices.max() < size):
        call.refuse(f"an index beyond the {size} elements of the axis")
    return np.asarray(indices)


def _gather_elements(call: Call, x: NumpyArray, indices: NumpyArray) -> NumpyArray:
    axis = call.axis(x.ndim, 0)
    index = np.where(indices < 0, indices + x.shape[axis], indices)
    return np.take_along_axis(x, _checked(call, index, x.shape[axis]), axis=axis)


def _gather_nd(call: Call, x: NumpyArray, indices: NumpyArray) -> NumpyArray:
    batch = call.integer("batch_dims", 0)
    depth = indices.shape[-1]
    flat = x.reshape((-1, *x.shape[batch:]))
    rows = indices.reshape((flat.shape[0], -1, depth))
    picked = [flat[row][tuple(rows[row].T)] for row in range(flat.shape[0])]
    return np.stack(picked).reshape(indices.shape[:-1] + x.shape[batch + depth :])


def _scatter_nd(call: Call, x: NumpyArray, indices: NumpyArray, updates: NumpyArray) -> NumpyArray:
    if call.text("reduction", "none") != "none":
        call.refuse("a scatter that reduces")
    result = x.copy()
    result[tuple(np.moveaxis(indices, -1, 0))] = updates
    return result


def _scatter_elements(
    call: Call, x: NumpyArray, indices: NumpyArray, updates: NumpyArray
) -> NumpyArray:
    if call.text("reduction", "none") != "none":
        call.refuse("a scatter that reduces")
    axis = call.axis(x.ndim, 0)
    result = x.copy()
    np.put_along_axis(
        result, np.where(indices < 0, indices + x.shape[axis], indices), updates, axis
    )
    return result


def _expand(call: Call, x: NumpyArray, shape: NumpyArray) -> NumpyArray:
    return np.broadcast_to(x, numeric(call, shapes.expanded(call)))


def _tile(call: Call, x: NumpyArray, repeats: NumpyArray) -> NumpyArray:
    numeric(call, tuple(int(a * b) for a, b in zip(x.shape, repeats, strict=True)))
    return np.tile(x, repeats)


def _trilu(call: Call, x: NumpyArray, k: NumpyArray | None = None) -> NumpyArray:
    offset = 0 if k is None else int(k.reshape(()).item())
    return np.asarray((np.triu if call.integer("upper", 1) else np.tril)(x, offset))


def _pad(call: Call, x: NumpyArray, *rest: NumpyArray | None) -> NumpyArray:
    mode, width, value = shapes.padding(call)
    numeric(call, tuple(size + b + a for size, (b, a) in zip(x.shape, width, strict=True)))
    if mode != "constant" or min(map(min, width), default=0) < 0:
        call.refuse("a constant that is padded by mirroring or cropped by padding")
    return np.pad(x, width, constant_values=np.asarray(value, x.dtype))


def _range(call: Call, start: NumpyArray, limit: NumpyArray, delta: NumpyArray) -> NumpyArray:
    low, high, step = (array.reshape(()).item() for array in (start, limit, delta))
    if step == 0:
        call.refuse("a range with a step of 0")
    (count,) = numeric(call, (max(0, math.ceil((high - low) / step)),))
    return np.asarray(low + np.arange(count) * step).astype(start.dtype)


def _filled(call: Call, shape: NumpyArray) -> NumpyArray:
    value = call.tensor("value")
    dims = numeric(call, tuple(int(size) for size in shape))
    if value is None:
        return np.zeros(dims, np.float32)
    return np.full(dims, value.reshape(-1)[0], dtype=value.dtype)


def _eye(call: Call, x: NumpyArray) -> NumpyArray:
    code = call.integer("dtype", 0)
    dtype = cast_to(call, code) if code else x.dtype
    rows, columns = x.shape
    return np.eye(rows, columns, call.integer("k", 0)).astype(dtype)


def _shape(call: Call, x: NumpyArray) -> NumpyArray:
    return np.asarray(np.array(x.shape, np.int64)[bounds_of_shape(call)])


def bounds_of_shape(call: Call) -> slice:
    """Give the part of the shape that Shape returns (start and end came with opset 15)."""
    has_end = "end" in call.attributes
    return slice(call.integer("start", 0), call.integer("end") if has_end else None)


def _size(call: Call, x: NumpyArray) -> NumpyArray:
    return np.array(x.size, np.int64)


def _one_hot(call: Call, indices: NumpyArray, depth: NumpyArray, values: NumpyArray) -> NumpyArray:
    count = int(depth.reshape(()).item())
    numeric(call, (*indices.shape, count))
    axis = call.front(call.integer("axis", -1), indices.ndim + 1)
    index = indices.astype(np.int64)
    index = np.where(index < 0, index + count, index)
    hot = np.expand_dims(index, axis) == np.arange(count).reshape(
        [-1 if a == axis else 1 for a in range(indices.ndim + 1)]
    )
    return np.asarray(np.where(hot, values[1], values[0]))


def _non_zero(call: Call, x: NumpyArray) -> NumpyArray:
    return np.array(np.nonzero(x), np.int64)


def _constant(call: Call) -> NumpyArray:
    for name, dtype in (("value_int", np.int64), ("value_ints", np.int64)):
        if name in call.attributes:
            given = helper.get_attribute_value(call.attributes[name])
            return np.array(given, dtype)
    for name in ("value_float", "value_floats"):
        if name in call.attributes:
            return np.array(helper.get_attribute_value(call.attributes[name]), np.float32)
    value = call.tensor("value")
    if value is None:
        call.refuse("a constant that is no tensor of numbers")
    return value


MOVES: Mapping[str, Fold] = {
    "Identity": _identity,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Concat": _concat,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "Expand": _expand,
    "Tile": _tile,
}
"""Ops that move elements of any kind, symbolic sizes too."""

MAKERS: Mapping[str, Fold] = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Range": _range,
    "EyeLike": _eye,
    "Shape": _shape,
    "Size": _size,
    "OneHot": _one_hot,
    "NonZero": _non_zero,
    "Pad": _pad,
    "Trilu": _trilu,
    "ScatterElements": _scatter_elements,
}
"""Further ops on known numbers."""
