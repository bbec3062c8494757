"""Pools: over windows, and over regions."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from spikec.backends.onnx_graph.rule import Call, Refused, Rule
from spikec.ir import SymbolicDim, ops
from spikec.ir.dims import product
from spikec.ir.ops.pool import WindowPool
from spikec.ir.ops.window import Ints, overhang


def max_pool(op: ops.MaxPool, call: Call) -> str:
    """Write a MaxPool; ceil mode becomes padding, which never wins."""
    if not call.inputs[0].dtype.is_float:
        raise Refused(f"a max-pool of {call.inputs[0]}", "insert a Cast to f32 in front")
    y = call.scope(
        "MaxPool",
        _planes(call, len(op.kernel)),
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        dilations=list(op.dilation),
        pads=_pads(op, call),
    )
    return _unplanes(call, y)


def sum_pool(op: WindowPool, call: Call) -> str:
    """Sum windows by a convolution of ones, which adds whole numbers exactly."""
    rank = len(op.kernel)
    y = call.scope(
        "Conv",
        _planes(call, rank, single=True),
        call.array(np.ones((1, 1, *op.kernel))),
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        dilations=list(op.dilation),
        pads=_pads(op, call),
    )
    return _unplanes(call, y)


def avg_pool(op: ops.AvgPool, call: Call) -> str:
    """Write an AveragePool where every window is full, else sums over counts."""
    size = _size(call, len(op.kernel))
    counts = functools.reduce(np.multiply.outer, op.tap_counts(size))
    plain = not any(_pads(op, call)) and set(op.dilation) == {1}
    if plain:
        y = call.scope(
            "AveragePool",
            _planes(call, len(op.kernel)),
            kernel_shape=list(op.kernel),
            strides=list(op.stride),
        )
        return _unplanes(call, y)
    return call.scope("Div", sum_pool(op, call), call.array(counts))


def adaptive_avg(op: ops.AdaptiveAvgPool, call: Call) -> str:
    """Average regions: one window size where they are equal, else one matrix per axis."""
    rank = len(op.output)
    size = _size(call, rank)
    if set(op.output) == {1}:
        axes = call.scope.ints(*range(-rank, 0))
        return call.scope("ReduceMean", call.x, axes, keepdims=1)
    if all(i % o == 0 for i, o in zip(size, op.output, strict=True)):
        kernel = tuple(i // o for i, o in zip(size, op.output, strict=True))
        pool = ops.AvgPool(kernel, kernel, ((0, 0),) * rank, (1,) * rank)
        return avg_pool(pool, call)
    y = call.x
    for axis, (i, o) in enumerate(zip(size, op.output, strict=True), start=-rank):
        y = weighed(call, y, axis, _averages(i, o))
    return y


def adaptive_max(op: ops.AdaptiveMaxPool, call: Call) -> str:
    """Take the maximum of each region, axis by axis."""
    rank, y = len(op.output), call.x
    for axis, (i, o) in enumerate(zip(_size(call, rank), op.output, strict=True), start=-rank):
        y = _largest(call, y, axis, i, o)
    return y


def _largest(call: Call, x: str, axis: int, size: int, out: int) -> str:
    ints, s = call.scope.ints, call.scope
    parts = [
        s(
            "ReduceMax",
            s("Slice", x, ints(r * size // out), ints(-(-(r + 1) * size // out)), ints(axis)),
            ints(axis),
            keepdims=1,
        )
        for r in range(out)
    ]
    return parts[0] if out == 1 else s("Concat", *parts, axis=axis)


def _averages(size: int, out: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    matrix = np.zeros((size, out))
    for r in range(out):
        region = slice(r * size // out, -(-(r + 1) * size // out))
        matrix[region, r] = 1 / (region.stop - region.start)
    return matrix


def weighed(
    call: Call, x: str, axis: int, matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> str:
    """Multiply one axis by a matrix [size, out]."""
    if axis == -1:
        return call.scope("MatMul", x, call.array(matrix))
    rank = call.inputs[0].rank
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    swapped = call.scope("Transpose", x, perm=order)
    return call.scope("Transpose", call.scope("MatMul", swapped, call.array(matrix)), perm=order)


def _pads(op: WindowPool, call: Call) -> list[int]:
    """Padding, with what the windows of ceil mode reach beyond it."""
    size = _size(call, len(op.kernel))
    options = (op.kernel, op.stride, op.padding, op.dilation)
    extra = overhang(size, *options, op.windows(size))
    ends = [hi + more for (_, hi), more in zip(op.padding, extra, strict=True)]
    return [*(lo for lo, _ in op.padding), *ends]


def _size(call: Call, rank: int) -> Ints:
    return tuple(dim for dim in call.inputs[0].dims[-rank:] if isinstance(dim, int))


def _planes(call: Call, rank: int, *, single: bool = False) -> str:
    """Give the first operand as [N, C, spatial...], or [N, 1, spatial...]."""
    dims = call.inputs[0].dims
    channels = dims[-rank - 1] if len(dims) > rank else 1
    if single or isinstance(channels, SymbolicDim):
        return call.reshaped(call.x, (product(dims[:-rank]), 1, *dims[-rank:]))
    if len(dims) == rank + 2:
        return call.x
    return call.reshaped(call.x, (product(dims[: -rank - 1]), channels, *dims[-rank:]))


def _unplanes(call: Call, y: str) -> str:
    return call.reshaped(y, call.outputs[0].dims)


RULES: Mapping[type[ops.Op], Rule] = {
    ops.MaxPool: max_pool,
    ops.SumPool: sum_pool,
    ops.AvgPool: avg_pool,
    ops.AdaptiveAvgPool: adaptive_avg,
    ops.AdaptiveMaxPool: adaptive_max,
}
