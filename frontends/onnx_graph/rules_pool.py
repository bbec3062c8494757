"""Pooling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry
from spikec.frontends.onnx_graph.rule import Rules, always
from spikec.frontends.onnx_graph.windows import Window, spatial_sizes, window
from spikec.ir.array import Array
from spikec.ir.graph import Value
from spikec.ir.ops import (
    Abs,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Constant,
    MaxPool,
    Pow,
    ReduceSum,
    SumPool,
)


def _window(call: Call) -> Window:
    kernel = call.ints("kernel_shape")
    if not kernel:
        call.refuse("its attribute kernel_shape is missing")
    return window(call, kernel)


def max_pool(call: Call) -> Entry:
    """MaxPool without indices."""
    call.only_first("its indices are read as a result")
    w = _window(call)
    ceil = bool(call.integer("ceil_mode", 0))
    return call.emit(MaxPool(w.kernel, w.stride, w.padding, w.dilation, ceil), call.value(0))


def average_pool(call: Call) -> Entry:
    """AveragePool."""
    w = _window(call)
    ceil, count = bool(call.integer("ceil_mode", 0)), bool(call.integer("count_include_pad", 0))
    op = AvgPool(w.kernel, w.stride, w.padding, w.dilation, ceil, count)
    return call.emit(op, call.value(0))


def lp_pool(call: Call) -> Entry:
    """LpPool: (Σ |x|^p)^(1/p) over each window."""
    w = _window(call)
    ceil = bool(call.integer("ceil_mode", 0))
    power = _power(call, call.emit(Abs(), call.value(0)), call.integer("p", 2))
    total = call.emit(SumPool(w.kernel, w.stride, w.padding, w.dilation, ceil), power)
    return _power(call, total, 1 / call.integer("p", 2))


def global_lp_pool(call: Call) -> Entry:
    """GlobalLpPool: (Σ |x|^p)^(1/p) over all spatial axes."""
    x, p = call.value(0), call.integer("p", 2)
    axes = tuple(range(2 - x.type.rank, 0))
    total = call.emit(ReduceSum(axes, keepdims=True), _power(call, call.emit(Abs(), x), p))
    return _power(call, total, 1 / p)


def _power(call: Call, x: Value, exponent: float) -> Value:
    number = np.asarray(exponent, x.type.dtype.numpy)
    return call.emit(Pow(), x, call.emit(Constant(Array(number))))


def global_average_pool(call: Call) -> Entry:
    """GlobalAveragePool."""
    return call.emit(AdaptiveAvgPool(_ones(call)), call.value(0))


def global_max_pool(call: Call) -> Entry:
    """GlobalMaxPool."""
    return call.emit(AdaptiveMaxPool(_ones(call)), call.value(0))


def _ones(call: Call) -> tuple[int, ...]:
    rank = len(call.dims(0)) - 2
    if rank < 1:
        call.refuse("its operand has no spatial axes")
    return (1,) * len(spatial_sizes(call, call.dims(0), rank))


RULES: Mapping[str, Rules] = {
    "AveragePool": always(average_pool),
    "GlobalAveragePool": always(global_average_pool),
    "GlobalLpPool": always(global_lp_pool),
    "GlobalMaxPool": always(global_max_pool),
    "LpPool": always(lp_pool),
    "MaxPool": always(max_pool),
}
