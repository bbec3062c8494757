"""Arithmetic, comparisons, choice, changes of element type, quantisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from spikec.errors import TypeMismatch
from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry, Known, Spread, dims_of, repeated
from spikec.frontends.onnx_graph.fold_numbers import cast_to
from spikec.frontends.onnx_graph.rule import Rules, always
from spikec.ir import ops
from spikec.ir.array import Array, NumpyArray
from spikec.ir.graph import Value
from spikec.ir.op import Op
from spikec.ir.types import DType


def binary(make: Callable[[], Op]) -> Rules:
    """Rule for a plain op on two operands that broadcast."""
    return always(lambda call: call.emit(make(), *call.terms(0, 1)))


def variadic(make: Callable[[], Op]) -> Rules:
    """Rule for an op on any number of operands: from left to right."""
    return always(lambda call: _chain(call, make))


def _chain(call: Call, make: Callable[[], Op]) -> Value:
    y, *rest = (call.value(index) for index in range(len(call.operands)))
    for item in rest:
        y = call.emit(make(), y, item)
    return y


def mean(call: Call) -> Entry:
    """Mean of its operands."""
    total = _chain(call, ops.Add)
    return call.emit(ops.Div(), total, number(call, len(call.operands), total))


def number(call: Call, value: float, like: Value) -> Value:
    """Give one number as a constant of the same element type as another value."""
    return call.emit(ops.Constant(Array(np.asarray(value, like.type.dtype.numpy))))


def power(call: Call) -> Entry:
    """Pow: the result has the base's element type."""
    base, exponent = call.terms(0, 1)
    if exponent.type.dtype is not base.type.dtype:
        exponent = call.emit(ops.Cast(base.type.dtype), exponent)
    return call.emit(ops.Pow(), base, exponent)


def modulo(call: Call) -> Entry:
    """Mod with the sign of the divisor; with ``fmod`` that of the dividend."""
    a, b = call.terms(0, 1)
    if not call.integer("fmod", 0):
        return call.emit(ops.FloorMod(), a, b)
    size = call.emit(ops.FloorMod(), call.emit(ops.Abs(), a), call.emit(ops.Abs(), b))
    return call.emit(ops.Mul(), call.emit(ops.Sign(), a), size)


def where(call: Call) -> Entry:
    """Where."""
    return call.emit(ops.Where(), *call.terms(0, 1, 2))


def cast(call: Call) -> Entry:
    """Cast between numbers; bfloat16 is computed as float32."""
    return _cast(call, cast_to(call, call.integer("to")))


def cast_like(call: Call) -> Entry:
    """CastLike: the element type of the second operand."""
    other = call.entry(1)
    if isinstance(other, Value):
        return _cast(call, other.type.dtype.numpy)
    if isinstance(other, Known):
        return _cast(call, other.array.dtype)
    return _cast(call, other.base.dtype if isinstance(other, Spread) else np.dtype(np.int64))


def _cast(call: Call, dtype: np.dtype[np.generic]) -> Entry:
    x = call.value(0)
    try:
        target = DType.F32 if dtype.name == "bfloat16" else DType.of(dtype)
    except TypeMismatch:
        call.refuse(f"it casts to {dtype.name}", "use float, integer or bool types")
    return x if target is x.type.dtype else call.emit(ops.Cast(target), x)


def quantise(call: Call) -> Entry:
    """QuantizeLinear: saturate(round(x / scale) + zero point)."""
    x = call.value(0)
    scale, zero = _scale(call, x)
    kind = _quantised_kind(call, zero)
    info = np.iinfo(str(kind.numpy))
    y = call.emit(ops.Round(), call.emit(ops.Div(), x, _constant(call, scale, x)))
    if zero is not None and zero.any():
        y = call.emit(ops.Add(), y, _constant(call, zero, x))
    y = call.emit(ops.Clip(float(info.min), float(info.max)), y)
    return call.emit(ops.Cast(kind), y)


def _quantised_kind(call: Call, zero: NumpyArray | None) -> DType:
    code = call.integer("output_dtype", 0)
    dtype = cast_to(call, code) if code else np.dtype(np.uint8) if zero is None else zero.dtype
    if dtype not in (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.int16)):
        call.refuse(f"it quantises to {dtype.name}", "quantise to int8, uint8 or int16")
    return DType.of(dtype)


def dequantise(call: Call) -> Entry:
    """DequantizeLinear: (x - zero point) scale."""
    x = call.value(0)
    scale, zero = _scale(call, x)
    y = call.emit(ops.Cast(DType.of(scale.dtype)), x)
    if zero is not None and zero.any():
        y = call.emit(ops.Sub(), y, _constant(call, zero, y))
    return call.emit(ops.Mul(), y, _constant(call, scale, y))


def _scale(call: Call, x: Value) -> tuple[NumpyArray, NumpyArray | None]:
    """Give scale and zero point, shaped to broadcast along the node's axis."""
    if call.integer("block_size", 0):
        call.refuse("block-wise quantisation", "quantise per tensor or per axis")
    scale, zero = call.known(1, "scale"), call.optional(2, "zero point")
    if scale.dtype not in (np.dtype(np.float32), np.dtype(np.float16)):
        call.refuse(f"a scale of type {scale.dtype.name}")
    if scale.size > 1:
        axis = call.axis(x.type.rank, 1)
        shape = (-1, *(1,) * (x.type.rank - axis - 1))
        return scale.reshape(shape), None if zero is None else zero.reshape(shape)
    return scale.reshape(()), None if zero is None else zero.reshape(())


def _constant(call: Call, array: NumpyArray, like: Value) -> Value:
    return call.emit(ops.Constant(Array(array.astype(like.type.dtype.numpy))))


def dropout(call: Call) -> tuple[Entry, ...]:
    """Dropout in evaluation mode: nothing is dropped."""
    if call.opset >= 12 and call.has(2) and call.scalar(2, "training_mode"):
        call.refuse("it is in training mode", "export the model in evaluation mode")
    x = call.entry(0)
    mask = repeated(np.array(True), dims_of(x))
    return (x, mask)[: len(call.node.output)]


def triangle(call: Call) -> Entry:
    """Trilu of data: a known mask chooses."""
    x = call.value(0)
    rows, columns = x.type.dims[-2:]
    if not (isinstance(rows, int) and isinstance(columns, int)):
        call.refuse("it cuts a triangle out of axes of unknown size")
    offset = int(call.scalar(1, "k")) if call.has(1) else 0
    cut = np.triu if call.integer("upper", 1) else np.tril
    mask = call.emit(ops.Constant(Array(cut(np.ones((rows, columns), bool), offset))))
    return call.emit(ops.Where(), mask, x, number(call, 0, x))


RULES: Mapping[str, Rules] = {
    "Add": binary(ops.Add),
    "And": binary(ops.And),
    "Cast": always(cast),
    "CastLike": always(cast_like),
    "DequantizeLinear": always(dequantise),
    "Div": binary(ops.Div),
    "Dropout": always(dropout),
    "Equal": binary(ops.Equal),
    "Greater": binary(ops.Greater),
    "GreaterOrEqual": binary(ops.GreaterEqual),
    "Less": binary(ops.Less),
    "LessOrEqual": binary(ops.LessEqual),
    "Max": variadic(ops.Maximum),
    "Mean": always(mean),
    "Min": variadic(ops.Minimum),
    "Mod": always(modulo),
    "Mul": binary(ops.Mul),
    "Or": binary(ops.Or),
    "Pow": always(power),
    "QuantizeLinear": always(quantise),
    "Sub": binary(ops.Sub),
    "Sum": variadic(ops.Add),
    "Trilu": always(triangle),
    "Where": always(where),
    "Xor": binary(ops.Xor),
}
