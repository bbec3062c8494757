"""Ops that move elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from spikec.frontends.onnx_graph import shapes
from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry, Known, Ramp, Spread, repeated, vector
from spikec.frontends.onnx_graph.fold_moves import bounds_of_shape
from spikec.frontends.onnx_graph.rule import Rules, always
from spikec.ir import ops
from spikec.ir.array import Array, NumpyArray
from spikec.ir.dims import Dims, SymbolicDim, product
from spikec.ir.graph import Value
from spikec.ir.ops.window import Ints


def identity(call: Call) -> Entry:
    """Identity."""
    return call.entry(0)


def _to_dims(dims: Callable[[Call], Dims]) -> Rules:
    """Rule for an op that only lays the same elements out anew."""
    return always(lambda call: _laid_out(call, call.value(0), dims(call)))


def _laid_out(call: Call, x: Value, dims: Dims) -> Value:
    return x if dims == x.type.dims else call.emit(ops.Reshape(dims), x)


def transpose(call: Call) -> Entry:
    """Transpose."""
    order = shapes.permutation(call)
    if order == tuple(range(len(order))):
        return call.value(0)
    return _permuted(call, call.value(0), order)


def _permuted(call: Call, x: Value, order: Ints) -> Value:
    return call.emit(ops.Permute(tuple(axis - len(order) for axis in order)), x)


def slice_(call: Call) -> Entry:
    """Slice, one axis after the other; a negative step is a slice that is flipped."""
    x = call.value(0)
    for axis, low, high, step in shapes.ranges(call):
        back = axis - x.type.rank
        where = range(low, high, step)
        if not where:
            x = call.emit(ops.Slice(back, 0, 0), x)
        elif step > 0:
            x = call.emit(ops.Slice(back, low, high, step), x)
        else:
            x = call.emit(ops.Slice(back, where[-1], where[0] + 1, -step), x)
            x = call.emit(ops.Flip((back,)), x)
    return x


def split(call: Call) -> tuple[Entry, ...]:
    """Split into slices."""
    axis, sizes = shapes.parts(call)
    x, start = call.value(0), 0
    results = []
    for size in sizes:
        results.append(call.emit(ops.Slice(axis - x.type.rank, start, start + size), x))
        start += size
    return tuple(results)


def concat(call: Call) -> Entry:
    """Concat."""
    values = [call.value(index) for index in range(len(call.operands))]
    axis = call.axis(values[0].type.rank)
    return call.emit(ops.Concat(axis - values[0].type.rank), *values)


def expand(call: Call) -> Entry:
    """Expand."""
    x, dims = call.value(0), shapes.expanded(call)
    return x if dims == x.type.dims else call.emit(ops.Expand(dims), x)


def tile(call: Call) -> Entry:
    """Tile."""
    dims, repeats = shapes.tiled(call)
    x = call.value(0)
    if any(count != 1 for count in repeats):
        x = call.emit(ops.Tile(repeats), x)
    return x if dims == x.type.dims else call.emit(ops.Expand(dims), x)


def gather(call: Call) -> Entry:
    """Gather: constant indices into data, or data as indices into a constant table."""
    data, indices = call.entry(0), call.entry(1)
    axis = call.axis(len(call.dims(0)), 0)
    if isinstance(data, Known):
        return _looked_up(call, data, indices, axis)
    if isinstance(indices, Known):
        return _picked(call, call.value(0), indices.array.astype(np.int64), axis)
    if isinstance(indices, Ramp):
        return _strided(call, call.value(0), indices, axis)
    call.refuse("both its operands depend on data", "one of them must be constant")


def _looked_up(call: Call, table: Known, indices: Entry, axis: int) -> Entry:
    """Rows of a table by ids; an axis other than the first moves to the front and back."""
    rows = np.moveaxis(table.array, axis, 0)
    if isinstance(indices, Spread):
        if axis:
            call.refuse(f"repeated ids into axis {axis} of a table")
        return Spread(rows[indices.base], (*indices.dims, *rows.shape[1:]))
    y = call.emit(ops.Embedding(Array(rows)), call.value(1))
    count, rest = len(call.dims(1)), rows.ndim - 1
    if axis == 0:
        return y
    order = (*range(count, count + axis), *range(count), *range(count + axis, count + rest))
    return _permuted(call, y, order)


def _picked(call: Call, x: Value, indices: NumpyArray, axis: int) -> Value:
    size = x.type.dims[axis]
    if isinstance(size, SymbolicDim):
        call.refuse(f"it picks from an axis of {size} elements", "pick from axes of known size")
    if indices.size and not (-size <= indices.min() and indices.max() < size):
        call.refuse(f"an index is outside of an axis of {size} elements")
    index = np.where(indices < 0, indices + size, indices)
    return call.emit(ops.Gather(Array(index), axis - x.type.rank), x)


def _strided(call: Call, x: Value, indices: Ramp, axis: int) -> Entry:
    """Indices ``step * b + base`` into an axis of B step elements: base within each block."""
    (batch,) = (dim for dim in indices.dims if isinstance(dim, SymbolicDim))
    place = indices.dims.index(batch)
    size, step = x.type.dims[axis], int(indices.step.flat[0])
    if np.any(indices.step != step):
        call.refuse("its indices count in different steps")
    inside = indices.base.size and indices.base.min() >= 0 and indices.base.max() < step
    if size != product((batch, step)) or not inside or axis or place:
        call.refuse("its indices do not fall into one block per element of the batch")
    blocks = call.emit(ops.Reshape((batch, step, *x.type.dims[1:])), x)
    base = indices.base.reshape(indices.base.shape[1:]).astype(np.int64)
    if np.array_equal(base.reshape(-1), np.arange(step)):
        return _laid_out(call, blocks, (batch, *base.shape, *x.type.dims[1:]))
    return call.emit(ops.Gather(Array(base), 1 - blocks.type.rank), blocks)


def gather_nd(call: Call) -> Entry:
    """GatherND with known places, in each element of the batch or in the leading axes."""
    indices = call.entry(1)
    if call.integer("batch_dims", 0):
        call.refuse("it gathers with batch_dims", "use Gather with constant indices")
    if isinstance(indices, Known):
        return _picked_nd(call, call.value(0), indices.array, 0)
    if not isinstance(indices, Ramp):
        call.refuse(*CONSTANTS_ONLY)
    # y[b, …] = x[b, known places …]: the first component counts the batch, the others do not
    x, base, step = call.value(0), indices.base[0], indices.step[0]
    counts = not base[..., 0].any() and (step[..., 0] == 1).all() and not step[..., 1:].any()
    if not counts or x.type.dims[0] != indices.dims[0] or base.shape[-1] < 2:
        call.refuse("its indices do not take known places of each element of the batch")
    return _picked_nd(call, x, base[..., 1:], 1)


def _picked_nd(call: Call, x: Value, places: NumpyArray, lead: int) -> Value:
    """Pick tuples of places from the axes behind ``lead``, laid out as one axis."""
    depth = lead + places.shape[-1]
    sizes = tuple(dim for dim in x.type.dims[lead:depth] if isinstance(dim, int))
    if len(sizes) != places.shape[-1]:
        call.refuse("it picks from an axis whose size depends on the batch")
    count = int(np.prod(sizes))
    flat = call.emit(ops.Reshape((*x.type.dims[:lead], count, *x.type.dims[depth:])), x)
    known = np.where(places < 0, places + sizes, places)
    index = np.ravel_multi_index(tuple(np.moveaxis(known, -1, 0)), sizes)
    return call.emit(ops.Gather(Array(np.asarray(index)), lead - flat.type.rank), flat)


CONSTANTS_ONLY = (
    "it is supported on constants only, and its operands depend on data",
    "use Gather with constant indices",
)


def pad(call: Call) -> Entry:
    """Pad."""
    x = call.value(0)
    mode, width, value = shapes.padding(call)
    if mode not in _PAD_MODES:
        call.refuse(f"padding mode {mode!r} is unknown")
    return call.emit(ops.Pad(width, _PAD_MODES[mode], value), x) if any(map(any, width)) else x


_PAD_MODES = {
    "constant": ops.PadMode.CONSTANT,
    "reflect": ops.PadMode.REFLECT,
    "edge": ops.PadMode.REPLICATE,
    "wrap": ops.PadMode.CIRCULAR,
}


def depth_to_space(call: Call) -> Entry:
    """DepthToSpace: block first (DCR) or channel first (CRD)."""
    x, r = call.value(0), call.integer("blocksize")
    mode = call.text("mode", "DCR")
    if mode == "CRD":
        return call.emit(ops.PixelShuffle(r), x)
    batch, c, h, w = _image(call, x)
    if mode != "DCR" or r < 1 or c % r**2:
        call.refuse(f"mode {mode} with blocks of {r} on {c} channels")
    cells = call.emit(ops.Reshape((batch, r, r, c // r**2, h, w)), x)
    rows = _permuted(call, cells, (0, 3, 4, 1, 5, 2))
    return call.emit(ops.Reshape((batch, c // r**2, h * r, w * r)), rows)


def space_to_depth(call: Call) -> Entry:
    """SpaceToDepth: block first (DCR, the only mode until opset 27) or channel first (CRD)."""
    x, r = call.value(0), call.integer("blocksize")
    mode = call.text("mode", "DCR")
    if mode == "CRD":
        return call.emit(ops.PixelUnshuffle(r), x)
    batch, c, h, w = _image(call, x)
    if mode != "DCR" or r < 1 or h % r or w % r:
        call.refuse(f"mode {mode} with blocks of {r} on {h} x {w} pixels")
    cells = call.emit(ops.Reshape((batch, c, h // r, r, w // r, r)), x)
    rows = _permuted(call, cells, (0, 3, 5, 1, 2, 4))
    return call.emit(ops.Reshape((batch, c * r**2, h // r, w // r)), rows)


def _image(call: Call, x: Value) -> tuple[int | SymbolicDim, int, int, int]:
    dims = x.type.dims
    sizes = [dim for dim in dims[1:] if isinstance(dim, int)]
    if len(dims) != 4 or len(sizes) != 3:
        call.refuse(f"its operand is no batch of images: {x.type}")
    return (dims[0], *sizes)  # type: ignore[return-value]


def shape(call: Call) -> Entry:
    """Shape: sizes, some of them perhaps symbolic."""
    return vector(call.dims(0)[bounds_of_shape(call)])


def size(call: Call) -> Entry:
    """Size: the number of elements."""
    number = vector([product(call.dims(0))])
    return type(number)(number.array.reshape(()))


def filled(call: Call) -> Entry:
    """ConstantOfShape of a size that depends on the batch."""
    dims = call.sizes(0, "shape")
    value = call.tensor("value")
    number = np.zeros((), np.float32) if value is None else value.reshape(())
    return repeated(number, dims)


def counted(call: Call) -> Entry:
    """Range from 0 in steps of 1 to a symbolic size."""
    (limit,) = call.sizes(1, "limit")
    start, step = call.scalar(0, "start"), call.scalar(2, "delta")
    if step != 1 or start != 0:
        call.refuse(f"it counts from {start} in steps of {step} to {limit}")
    return Ramp(np.zeros(1, np.int64), np.ones(1, np.int64), (limit,))


def eye_like(call: Call) -> Entry:
    """EyeLike: only the operand's sizes matter."""
    rows, columns = call.dims(0)
    if not (isinstance(rows, int) and isinstance(columns, int)):
        call.refuse("a matrix of a size that depends on the batch")
    kind = call.integer("dtype", 1)
    if kind != 1:
        call.refuse("a matrix of another type than float32")
    return Known(np.eye(rows, columns, k=call.integer("k", 0), dtype=np.float32))


def one_hot(call: Call) -> Entry:
    """OneHot: 1 where the index (or, below 0, the index plus depth) is the position."""
    depth, values = int(call.scalar(1, "depth")), call.known(2, "values")
    ids = call.value(0)
    axis = call.front(call.integer("axis", -1), ids.type.rank + 1)
    dims = (*ids.type.dims[:axis], 1, *ids.type.dims[axis:])
    wide = call.emit(ops.Reshape(dims), ids)
    places = np.arange(depth, dtype=ids.type.dtype.numpy)
    places = places.reshape((-1, *(1,) * (len(dims) - axis - 1)))
    hits = [
        call.emit(ops.Equal(), wide, call.emit(ops.Constant(Array(p))))
        for p in (places, places - places.dtype.type(depth))
    ]
    off, on = (call.emit(ops.Constant(Array(values[i]))) for i in (0, 1))
    return call.emit(ops.Where(), call.emit(ops.Or(), *hits), on, off)


RULES: Mapping[str, Rules] = {
    "Concat": always(concat),
    "ConstantOfShape": always(filled),
    "DepthToSpace": always(depth_to_space),
    "Expand": always(expand),
    "EyeLike": always(eye_like),
    "Flatten": _to_dims(shapes.flattened),
    "Gather": always(gather),
    "GatherND": always(gather_nd),
    "Identity": always(identity),
    "OneHot": always(one_hot),
    "Pad": always(pad),
    "Range": always(counted),
    "Reshape": _to_dims(shapes.reshaped),
    "Shape": always(shape),
    "Size": always(size),
    "Slice": always(slice_),
    "SpaceToDepth": always(space_to_depth),
    "Split": always(split),
    "Squeeze": _to_dims(shapes.squeezed),
    "Tile": always(tile),
    "Transpose": always(transpose),
    "Unsqueeze": _to_dims(shapes.unsqueezed),
}
