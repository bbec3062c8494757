"""Normalisations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry
from spikec.frontends.onnx_graph.rule import Rules, always
from spikec.ir.array import Array, NumpyArray
from spikec.ir.dims import SymbolicDim
from spikec.ir.graph import Value
from spikec.ir.ops import (
    Abs,
    Add,
    BatchNorm,
    Constant,
    Div,
    Equal,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
    Mul,
    Reciprocal,
    ReduceMean,
    ReduceSum,
    RMSNorm,
    Sqrt,
    Sub,
    Where,
)

_TRAINING = "its results for training are read; export the model in evaluation mode"


def batch_norm(call: Call) -> Entry:
    """BatchNormalization in evaluation mode."""
    if call.opset >= 14 and call.integer("training_mode", 0):
        call.refuse("it is in training mode", "export the model in evaluation mode")
    call.only_first(_TRAINING)
    roles = ("scale", "bias", "mean", "variance")
    weight, bias, mean, variance = (call.known(i + 1, role) for i, role in enumerate(roles))
    eps = call.real("epsilon", 1e-5)
    x = call.value(0)
    if call.opset < 9 and not call.integer("spatial", 1):
        return _pointwise(call, x, (weight, bias, mean, variance), eps)
    axis = 1 - x.type.rank if x.type.rank > 1 else -1
    op = BatchNorm(Array(mean), Array(variance), Array(weight), Array(bias), eps, axis)
    return call.emit(op, x)


def _pointwise(call: Call, x: Value, arrays: tuple[NumpyArray, ...], eps: float) -> Value:
    """Batch normalisation with own statistics per element (``spatial = 0``, until opset 8)."""
    weight, bias, mean, variance = (array.astype(np.float64) for array in arrays)
    gain = weight / np.sqrt(variance + eps)
    dtype = x.type.dtype.numpy
    scale = call.emit(Constant(Array(gain.astype(dtype))))
    shift = call.emit(Constant(Array((bias - mean * gain).astype(dtype))))
    return call.emit(Add(), call.emit(Mul(), x, scale), shift)


def instance_norm(call: Call) -> Entry:
    """InstanceNormalization: as many groups as channels."""
    weight, bias = call.known(1, "scale"), call.known(2, "bias")
    x = call.value(0)
    eps = call.real("epsilon", 1e-5)
    op = GroupNorm(weight.size, Array(weight), Array(bias), eps, 1 - x.type.rank)
    return call.emit(op, x)


def group_norm_per_group(call: Call) -> Entry:
    """GroupNormalization of opset 18: scale and bias hold one number per group."""
    return _group_norm(call, per_group=True)


def group_norm(call: Call) -> Entry:
    """GroupNormalization from opset 21: scale and bias hold one number per channel."""
    return _group_norm(call, per_group=False)


def _group_norm(call: Call, *, per_group: bool) -> Entry:
    groups, x = call.integer("num_groups"), call.value(0)
    weight, bias = call.known(1, "scale"), call.known(2, "bias")
    channels = x.type.dims[1] if x.type.rank > 1 else 0
    if isinstance(channels, SymbolicDim) or groups < 1 or channels % groups:
        call.refuse(f"{groups} groups do not divide {channels} channels")
    if per_group:
        weight, bias = (np.repeat(array, channels // groups) for array in (weight, bias))
    eps = call.real("epsilon", 1e-5)
    return call.emit(GroupNorm(groups, Array(weight), Array(bias), eps, 1 - x.type.rank), x)


def layer_norm(call: Call) -> tuple[Entry, ...]:
    """LayerNormalization over the axes from ``axis`` on."""
    x = call.value(0)
    count, weight, bias = _last_axes(call, x, 2)
    eps = call.real("epsilon", 1e-5)
    y = call.emit(LayerNorm(count, weight, bias, eps), x)
    return (y, *_statistics(call, x, count, eps)) if any(call.wanted[1:]) else (y,)


def _statistics(call: Call, x: Value, count: int, eps: float) -> tuple[Value, Value]:
    """Mean and 1 / sqrt(variance + eps), for those who read them as results."""
    axes = tuple(range(-count, 0))
    mean = call.emit(ReduceMean(axes, keepdims=True), x)
    centred = call.emit(Sub(), x, mean)
    variance = call.emit(ReduceMean(axes, keepdims=True), call.emit(Mul(), centred, centred))
    number = call.emit(Constant(Array(np.asarray(eps, x.type.dtype.numpy))))
    spread = call.emit(Sqrt(), call.emit(Add(), variance, number))
    return mean, call.emit(Reciprocal(), spread)


def rms_norm(call: Call) -> Entry:
    """RMSNormalization over the axes from ``axis`` on."""
    x = call.value(0)
    count, weight, _ = _last_axes(call, x, 1)
    return call.emit(RMSNorm(count, weight, call.real("epsilon", 1e-5)), x)


def _last_axes(call: Call, x: Value, arrays: int) -> tuple[int, Array | None, Array | None]:
    """Give the number of normalised axes, and weight and bias in their full shape."""
    axis = call.axis(x.type.rank, -1)
    shape = tuple(dim for dim in x.type.dims[axis:] if isinstance(dim, int))
    if len(shape) != x.type.rank - axis:
        call.refuse("it normalises over the batch", "normalise over axes behind the batch")
    full: list[Array | None] = [None, None]
    for index, role in ((1, "scale"), (2, "bias"))[:arrays]:
        array = call.optional(index, role)
        if array is not None:
            full[index - 1] = Array(np.broadcast_to(array, shape))
    return len(shape), full[0], full[1]


def local_response_norm(call: Call) -> Entry:
    """LRN across channels."""
    x = call.value(0)
    op = LocalResponseNorm(
        call.integer("size"),
        call.real("alpha", 1e-4),
        call.real("beta", 0.75),
        call.real("bias", 1.0),
        1 - x.type.rank,
    )
    return call.emit(op, x)


def lp_norm(call: Call) -> Entry:
    """LpNormalization: x / ‖x‖ along one axis, and 0 where the norm is 0."""
    x, p = call.value(0), call.integer("p", 2)
    axis = call.axis(x.type.rank, -1) - x.type.rank
    if p == 1:
        norm = call.emit(ReduceSum((axis,), keepdims=True), call.emit(Abs(), x))
    else:
        square = call.emit(ReduceSum((axis,), keepdims=True), call.emit(Mul(), x, x))
        norm = call.emit(Sqrt(), square)
    dtype = x.type.dtype.numpy
    zero, one = (call.emit(Constant(Array(np.asarray(n, dtype)))) for n in (0, 1))
    safe = call.emit(Where(), call.emit(Equal(), norm, zero), one, norm)
    return call.emit(Div(), x, safe)


RULES: Mapping[str, Rules] = {
    "BatchNormalization": always(batch_norm),
    "GroupNormalization": {18: group_norm_per_group, 21: group_norm},
    "InstanceNormalization": always(instance_norm),
    "LRN": always(local_response_norm),
    "LayerNormalization": always(layer_norm),
    "LpNormalization": always(lp_norm),
    "RMSNormalization": always(rms_norm),
}
