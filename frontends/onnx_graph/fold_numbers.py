"""Constant folding of element-wise ops and reductions: their meaning on NumPy arrays.

The rules are ours because an evaluator that knows only the newest opset (onnx.reference gives
Softmax of opset 11 the meaning of opset 13) folds old models wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from spikec.frontends.onnx_graph.call import Call
from spikec.ir.array import NumpyArray

Fold = Callable[..., NumpyArray]
"""Takes the call and its operands as arrays (None where absent)."""


def cast_to(call: Call, code: int) -> np.dtype[Any]:
    """Give the NumPy type of an ONNX element type code."""
    if code == TensorProto.STRING:
        call.refuse("text is no number")
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(code))
    except (KeyError, ValueError):
        call.refuse(f"element type {code} is unknown")


def _same(function: Callable[..., Any]) -> Fold:
    """Keep the element type of the first operand, as ONNX does."""

    def fold(call: Call, first: NumpyArray, *rest: NumpyArray) -> NumpyArray:
        result: NumpyArray = np.asarray(function(first, *rest))
        return result.astype(first.dtype, copy=False)

    return fold


def _logic(function: Callable[..., Any]) -> Fold:
    def fold(call: Call, *operands: NumpyArray) -> NumpyArray:
        return np.asarray(function(*operands))

    return fold


def _divide(call: Call, left: NumpyArray, right: NumpyArray) -> NumpyArray:
    if not np.issubdtype(left.dtype, np.integer):
        return np.asarray(left / right)
    if not np.all(right):
        call.refuse("it divides integers by zero")
    quotient = np.floor_divide(left, right)
    inexact = (quotient * right != left) & ((left < 0) != (right < 0))
    return np.asarray(quotient + inexact).astype(left.dtype)


def _modulo(call: Call, left: NumpyArray, right: NumpyArray) -> NumpyArray:
    return np.asarray((np.fmod if call.integer("fmod", 0) else np.mod)(left, right))


def _power(call: Call, left: NumpyArray, right: NumpyArray) -> NumpyArray:
    if np.issubdtype(left.dtype, np.integer):
        return np.asarray(np.power(left.astype(np.float64), right)).astype(left.dtype)
    return np.asarray(np.power(left, right)).astype(left.dtype)


def _clip(
    call: Call, x: NumpyArray, low: NumpyArray | None = None, high: NumpyArray | None = None
) -> NumpyArray:
    if call.opset < 11:
        low, high = (
            np.asarray(call.real("min", -math.inf)),
            np.asarray(call.real("max", math.inf)),
        )
    if low is not None:
        x = np.maximum(x, low.astype(x.dtype))
    return x if high is None else np.minimum(x, high.astype(x.dtype))


def _cast(call: Call, x: NumpyArray) -> NumpyArray:
    dtype = cast_to(call, call.integer("to"))
    if x.dtype.kind == "f" and dtype.kind in "iu" and not np.isfinite(x).all():
        call.refuse("it casts infinite numbers to integers")
    rounded = np.asarray(x.astype(dtype))
    return rounded.astype(np.float32) if dtype.name == "bfloat16" else rounded


def _cast_like(call: Call, x: NumpyArray, like: NumpyArray) -> NumpyArray:
    return np.asarray(x.astype(like.dtype))


def _where(call: Call, condition: NumpyArray, yes: NumpyArray, no: NumpyArray) -> NumpyArray:
    return np.where(condition, yes, no)


def _variadic(function: Callable[[NumpyArray, NumpyArray], Any]) -> Fold:
    def fold(call: Call, first: NumpyArray, *rest: NumpyArray) -> NumpyArray:
        for item in rest:
            first = np.asarray(function(first, item))
        return first

    return fold


def _is_inf(call: Call, x: NumpyArray) -> NumpyArray:
    plus, minus = call.integer("detect_positive", 1), call.integer("detect_negative", 1)
    return np.asarray(np.isinf(x) & (((x > 0) & bool(plus)) | ((x < 0) & bool(minus))))


def _erf(x: NumpyArray) -> NumpyArray:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x))


def reduced_axes(call: Call, rank: int, since: int) -> tuple[int, ...]:
    """Axes of a reduction; without axes it is all of them (or none, where the node says so)."""
    axes = call.ints_at("axes", 1, since)
    if not axes:
        noop = call.opset >= since and call.integer("noop_with_empty_axes", 0)
        return () if noop else tuple(range(rank))
    return tuple(call.front(axis, rank) for axis in axes)


def _reduce(function: Callable[..., Any], since: int = 18) -> Fold:
    def fold(call: Call, x: NumpyArray, axes: NumpyArray | None = None) -> NumpyArray:
        chosen = reduced_axes(call, x.ndim, since)
        result = function(x, axis=chosen, keepdims=bool(call.integer("keepdims", 1)))
        return np.asarray(result).astype(x.dtype)

    return fold


def _arg(function: Callable[..., Any]) -> Fold:
    def fold(call: Call, x: NumpyArray) -> NumpyArray:
        axis = call.axis(x.ndim, 0)
        if call.integer("select_last_index", 0):
            found = x.shape[axis] - 1 - function(np.flip(x, axis), axis=axis, keepdims=True)
        else:
            found = function(x, axis=axis, keepdims=True)
        found = np.asarray(found, dtype=np.int64)
        return found if call.integer("keepdims", 1) else found.squeeze(axis)

    return fold


def _cumulate(call: Call, x: NumpyArray, axis: NumpyArray) -> NumpyArray:
    index = call.front(int(axis.reshape(()).item()), x.ndim)
    x = np.flip(x, index) if call.integer("reverse", 0) else x
    total = np.cumsum(x, axis=index, dtype=x.dtype)
    total = total - x if call.integer("exclusive", 0) else total
    return np.asarray(np.flip(total, index) if call.integer("reverse", 0) else total)


def _dequantise(
    call: Call, x: NumpyArray, scale: NumpyArray, zero: NumpyArray | None = None
) -> NumpyArray:
    blocks = call.integer("block_size", 0)
    if blocks:
        call.refuse("block-wise quantised weights")
    shape = [1] * x.ndim
    if scale.size > 1:
        shape[call.axis(x.ndim, 1)] = -1
    wide = x.astype(np.float64)
    if zero is not None:
        wide = wide - zero.astype(np.float64).reshape(shape if zero.size > 1 else ())
    result = wide * scale.astype(np.float64).reshape(shape if scale.size > 1 else ())
    return np.asarray(result).astype(scale.dtype)


UNARY: Mapping[str, Fold] = {
    "Abs": _same(np.abs),
    "Neg": _same(np.negative),
    "Floor": _same(np.floor),
    "Ceil": _same(np.ceil),
    "Round": _same(np.round),
    "Sign": _same(np.sign),
    "Sqrt": _same(np.sqrt),
    "Exp": _same(np.exp),
    "Log": _same(np.log),
    "Erf": _same(_erf),
    "Sin": _same(np.sin),
    "Cos": _same(np.cos),
    "Tanh": _same(np.tanh),
    "Reciprocal": _same(np.reciprocal),
    "Relu": _same(lambda x: np.maximum(x, 0)),
    "Sigmoid": _same(lambda x: 1 / (1 + np.exp(-x))),
    "Not": _logic(np.logical_not),
    "IsNaN": _logic(np.isnan),
    "IsInf": _is_inf,
    "Cast": _cast,
    "Clip": _clip,
}

BINARY: Mapping[str, Fold] = {
    "Add": _same(np.add),
    "Sub": _same(np.subtract),
    "Mul": _same(np.multiply),
    "Div": _divide,
    "Mod": _modulo,
    "Pow": _power,
    "Min": _variadic(np.minimum),
    "Max": _variadic(np.maximum),
    "Sum": _variadic(np.add),
    "And": _logic(np.logical_and),
    "Or": _logic(np.logical_or),
    "Xor": _logic(np.logical_xor),
    "Equal": _logic(np.equal),
    "Less": _logic(np.less),
    "LessOrEqual": _logic(np.less_equal),
    "Greater": _logic(np.greater),
    "GreaterOrEqual": _logic(np.greater_equal),
    "Where": _where,
    "CastLike": _cast_like,
}

ELEMENTWISE: Mapping[str, Fold] = {**UNARY, **BINARY}

OTHER: Mapping[str, Fold] = {
    "ReduceSum": _reduce(np.sum, since=13),
    "ReduceMean": _reduce(np.mean),
    "ReduceProd": _reduce(np.prod),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ArgMax": _arg(np.argmax),
    "ArgMin": _arg(np.argmin),
    "CumSum": _cumulate,
    "MatMul": _logic(np.matmul),
    "DequantizeLinear": _dequantise,
}
