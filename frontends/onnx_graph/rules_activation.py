"""Activation functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry, Known
from spikec.frontends.onnx_graph.rule import Rule, Rules, UseBody, always
from spikec.ir.array import Array
from spikec.ir.dims import Dims, SymbolicDim, product
from spikec.ir.graph import Value
from spikec.ir.op import Op
from spikec.ir.ops import (
    ELU,
    GELU,
    Abs,
    ArgMax,
    Atan,
    Cast,
    Ceil,
    Clip,
    Constant,
    Cos,
    Equal,
    Erf,
    Exp,
    Floor,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    Log,
    Maximum,
    Minimum,
    Mish,
    Mul,
    Neg,
    Not,
    PReLU,
    Reciprocal,
    ReLU,
    Reshape,
    Round,
    Sigmoid,
    Sign,
    SiLU,
    Sin,
    Softmax,
    Softplus,
    Softsign,
    Sqrt,
    Tan,
    Tanh,
    ThresholdedReLU,
)

SELU_ALPHA = 1.67326319217681884765625
SELU_GAMMA = 1.05070102214813232421875
"""Defaults of the ONNX standard."""


def plain(make: Callable[[], Op]) -> Rules:
    """Rule for an op without options."""
    return always(lambda call: call.emit(make(), call.value(0)))


def clip_by_attributes(call: Call) -> Entry:
    """Clip until opset 10: bounds are attributes."""
    low, high = call.real("min", -math.inf), call.real("max", math.inf)
    return call.emit(Clip(_bound(low), _bound(high)), call.value(0))


def _bound(number: float) -> float | None:
    return None if math.isinf(number) or abs(number) >= _FLOAT_MAX else number


_FLOAT_MAX = float(np.finfo(np.float32).max)
"""The standard's default bounds, which bound nothing."""


def clip(call: Call) -> Entry:
    """Clip from opset 11: bounds are operands."""
    bounds = [call.operands[i] if call.has(i) else None for i in (1, 2)]
    if all(bound is None or isinstance(bound, Known) for bound in bounds):
        low, high = (call.scalar(i, "bound") if call.has(i) else None for i in (1, 2))
        low, high = None if low == -math.inf else low, None if high == math.inf else high
        return call.emit(Clip(low, high), call.value(0))
    y = call.value(0)
    for index, op in ((1, Maximum()), (2, Minimum())):
        if call.has(index):
            y = call.emit(op, y, call.value(index))
    return y


def elu(call: Call) -> Entry:
    """Elu."""
    return call.emit(ELU(call.real("alpha", 1.0)), call.value(0))


def selu(call: Call) -> Entry:
    """Selu: gamma alpha (exp(x) - 1) below 0."""
    alpha, gamma = call.real("alpha", SELU_ALPHA), call.real("gamma", SELU_GAMMA)
    return call.emit(ELU(alpha, gamma), call.value(0))


def celu(call: Call) -> Entry:
    """Celu: alpha (exp(x / alpha) - 1) below 0."""
    alpha = call.real("alpha", 1.0)
    return call.emit(ELU(alpha, 1.0, alpha), call.value(0))


def gelu(call: Call) -> Entry:
    """Gelu, exact or by tanh."""
    return call.emit(GELU(call.text("approximate", "none") == "tanh"), call.value(0))


def hard_sigmoid(call: Call) -> Entry:
    """HardSigmoid."""
    op = HardSigmoid(call.real("alpha", 0.2), call.real("beta", 0.5))
    return call.emit(op, call.value(0))


def leaky_relu(call: Call) -> Entry:
    """LeakyRelu."""
    return call.emit(LeakyReLU(call.real("alpha", 0.01)), call.value(0))


def thresholded_relu(call: Call) -> Entry:
    """ThresholdedRelu."""
    return call.emit(ThresholdedReLU(call.real("alpha", 1.0)), call.value(0))


def prelu(call: Call) -> Entry:
    """PRelu with constant slopes; with computed ones by its definition."""
    slope = call.entry(1)
    if not isinstance(slope, Known):
        raise UseBody
    array = slope.array
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return call.emit(PReLU(Array(array)), call.value(0))


def swish(call: Call) -> Entry:
    """Swish: x sigmoid(alpha x)."""
    x, alpha = call.value(0), call.real("alpha", 1.0)
    if alpha == 1:
        return call.emit(SiLU(), x)
    number = call.emit(Constant(Array(np.asarray(alpha, x.type.dtype.numpy))))
    return call.emit(Mul(), x, call.emit(Sigmoid(), call.emit(Mul(), x, number)))


def is_nan(call: Call) -> Entry:
    """IsNaN: only NaN differs from itself."""
    x = call.value(0)
    return call.emit(Not(), call.emit(Equal(), x, x))


def _along_axis(apply: Callable[[Call, Value, int], Value]) -> Rule:
    """The softmax family from opset 13: along one axis."""

    def rule(call: Call) -> Entry:
        x = call.value(0)
        return apply(call, x, call.axis(x.type.rank, -1) - x.type.rank)

    return rule


def _flattened(apply: Callable[[Call, Value, int], Value]) -> Rule:
    """The softmax family until opset 12: over all axes from one on, laid out as one."""

    def rule(call: Call) -> Entry:
        x = call.value(0)
        dims = x.type.dims
        axis = call.axis(len(dims), 1)
        wide = [index for index in range(axis, len(dims)) if dims[index] != 1]
        if len(wide) <= 1:
            return apply(call, x, (wide or [axis])[0] - len(dims))
        flat: Dims = (*dims[:axis], product(dims[axis:]))
        y = apply(call, call.emit(Reshape(flat), x), -1)
        return call.emit(Reshape(dims), y)

    return rule


def _softmax(call: Call, x: Value, axis: int) -> Value:
    return call.emit(Softmax(axis), x)


def _log_softmax(call: Call, x: Value, axis: int) -> Value:
    return call.emit(Softmax(axis, log=True), x)


def _hardmax(call: Call, x: Value, axis: int) -> Value:
    """1 at the first largest element, 0 elsewhere."""
    count = x.type.dims[axis]
    if isinstance(count, SymbolicDim):
        call.refuse(f"it selects along an axis of {count} elements")
    places = np.arange(count).reshape(-1, *(1,) * (-axis - 1))
    best = call.emit(ArgMax(axis, keepdims=True), x)
    hit = call.emit(Equal(), best, call.emit(Constant(Array(places))))
    return call.emit(Cast(x.type.dtype), hit)


def _family(apply: Callable[[Call, Value, int], Value]) -> Rules:
    return {1: _flattened(apply), 13: _along_axis(apply)}


RULES: Mapping[str, Rules] = {
    "Abs": plain(Abs),
    "Atan": plain(Atan),
    "Ceil": plain(Ceil),
    "Celu": always(celu),
    "Clip": {1: clip_by_attributes, 11: clip},
    "Cos": plain(Cos),
    "Elu": always(elu),
    "Erf": plain(Erf),
    "Exp": plain(Exp),
    "Floor": plain(Floor),
    "Gelu": always(gelu),
    "HardSigmoid": always(hard_sigmoid),
    "HardSwish": plain(HardSwish),
    "Hardmax": _family(_hardmax),
    "IsNaN": always(is_nan),
    "LeakyRelu": always(leaky_relu),
    "Log": plain(Log),
    "LogSoftmax": _family(_log_softmax),
    "Mish": plain(Mish),
    "Neg": plain(Neg),
    "Not": plain(Not),
    "PRelu": always(prelu),
    "Reciprocal": plain(Reciprocal),
    "Relu": plain(ReLU),
    "Round": plain(Round),
    "Selu": always(selu),
    "Sigmoid": plain(Sigmoid),
    "Sign": plain(Sign),
    "Sin": plain(Sin),
    "Softmax": _family(_softmax),
    "Softplus": plain(Softplus),
    "Softsign": plain(Softsign),
    "Sqrt": plain(Sqrt),
    "Swish": always(swish),
    "Tan": plain(Tan),
    "Tanh": plain(Tanh),
    "ThresholdedRelu": always(thresholded_relu),
}
