"""Functions of one value, arithmetic, truth values."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from spikec.backends.onnx_graph.rule import Call, Refused, Rule
from spikec.backends.onnx_graph.scope import element_type
from spikec.ir import ops


def named(operator: str) -> Rule:
    """Write an operator that means the same in ONNX."""

    def rule(op: ops.Op, call: Call) -> str:
        return call.scope(operator, *call.operands)

    return rule


def clip(op: ops.Clip, call: Call) -> str:
    """Write a maximum and a minimum, each where there is a bound."""
    y = call.x if op.low is None else call.scope("Max", call.x, call.array(op.low))
    return y if op.high is None else call.scope("Min", y, call.array(op.high))


def leaky(op: ops.LeakyReLU, call: Call) -> str:
    """Write a LeakyRelu."""
    return call.scope("LeakyRelu", call.x, alpha=op.slope)


def prelu(op: ops.PReLU, call: Call) -> str:
    """Write a PRelu."""
    return call.scope("PRelu", call.x, call.array(op.slope, "slope"))


def thresholded(op: ops.ThresholdedReLU, call: Call) -> str:
    """Write a ThresholdedRelu."""
    return call.scope("ThresholdedRelu", call.x, alpha=op.alpha)


def elu(op: ops.ELU, call: Call) -> str:
    """Scale · x above 0, scale · alpha · (exp(x / width) - 1) below."""
    s = call.scope
    inner = s("Div", s("Min", call.x, call.array(0)), call.array(op.width))
    low = s("Mul", s("Sub", s("Exp", inner), call.array(1)), call.array(op.alpha))
    y = s("Where", s("Greater", call.x, call.array(0)), call.x, low)
    return s("Mul", y, call.array(op.scale))


def gelu(op: ops.GELU, call: Call) -> str:
    """X (1 + erf(x / √2)) / 2, or its approximation by tanh."""
    s = call.scope
    if op.tanh:
        cube = s("Mul", s("Mul", call.x, s("Mul", call.x, call.x)), call.array(0.044715))
        inner = s("Mul", s("Add", call.x, cube), call.array(math.sqrt(2 / math.pi)))
        bell = s("Tanh", inner)
    else:
        bell = s("Erf", s("Div", call.x, call.array(math.sqrt(2))))
    return s("Div", s("Mul", call.x, s("Add", bell, call.array(1))), call.array(2))


def silu(op: ops.SiLU, call: Call) -> str:
    """X · sigmoid(x)."""
    return call.scope("Mul", call.x, call.scope("Sigmoid", call.x))


def mish(op: ops.Mish, call: Call) -> str:
    """X · tanh(softplus(x))."""
    s = call.scope
    return s("Mul", call.x, s("Tanh", s("Softplus", call.x)))


def softplus(op: ops.Softplus, call: Call) -> str:
    """Softplus of beta x, divided by beta."""
    if op.beta == 1:
        return call.scope("Softplus", call.x)
    beta = call.array(op.beta)
    return call.scope("Div", call.scope("Softplus", call.scope("Mul", call.x, beta)), beta)


def hard_sigmoid(op: ops.HardSigmoid, call: Call) -> str:
    """Write a HardSigmoid."""
    return call.scope("HardSigmoid", call.x, alpha=op.alpha, beta=op.beta)


def hard_swish(op: ops.HardSwish, call: Call) -> str:
    """X · min(max(x + 3, 0), 6) / 6."""
    s = call.scope
    gate = s("Max", s("Add", call.x, call.array(3)), call.array(0))
    return s("Div", s("Mul", call.x, s("Min", gate, call.array(6))), call.array(6))


def quant_relu(op: ops.QuantReLU, call: Call) -> str:
    """Amplitude · min(max(floor(x / step + 1/2), low), levels)."""
    s = call.scope
    y = s("Floor", s("Add", s("Div", call.x, call.array(op.step)), call.array(0.5)))
    y = s("Min", s("Max", y, call.array(op.low)), call.array(op.levels))
    return s("Mul", call.array(op.step if op.amplitude is None else op.amplitude), y)


def quantise(op: ops.Quantise, call: Call) -> str:
    """Amplitude · min(max(round(x / step), low), high)."""
    s = call.scope
    y = s("Round", s("Div", call.x, call.array(op.step)))
    y = s("Min", s("Max", y, call.array(op.low)), call.array(op.high))
    amplitude = op.step if op.amplitude is None else op.amplitude
    return y if (amplitude.data == 1).all() else s("Mul", call.array(amplitude), y)


def softmax(op: ops.Softmax, call: Call) -> str:
    """Write a Softmax or a LogSoftmax."""
    return call.scope("LogSoftmax" if op.log else "Softmax", call.x, axis=op.axis)


def cast(op: ops.Cast, call: Call) -> str:
    """Write a Cast."""
    return call.scope("Cast", call.x, to=element_type(np.dtype(op.dtype.numpy)))


def floor_mod(op: ops.FloorMod, call: Call) -> str:
    """A - b ⌊a / b⌋; of integers it is ONNX's Mod."""
    a, b = call.operands
    if not call.inputs[0].dtype.is_float:
        return call.scope("Mod", a, b)
    quotient = call.scope("Floor", call.scope("Div", a, b))
    return call.scope("Sub", a, call.scope("Mul", b, quotient))


def power(op: ops.Pow, call: Call) -> str:
    """Write a Pow of floating-point numbers."""
    if not call.inputs[0].dtype.is_float:
        raise Refused("a power of integers", "insert a Cast to f32 in front")
    return call.scope("Pow", *call.operands)


def boolean(numbers: str, truth: str) -> Rule:
    """Write an operator that is another one on truth values."""

    def rule(op: ops.Op, call: Call) -> str:
        is_bool = call.kind == np.dtype(bool)
        return call.scope(truth if is_bool else numbers, *call.operands)

    return rule


def einsum(op: ops.Einsum, call: Call) -> str:
    """Write an Einsum."""
    return call.scope("Einsum", *call.operands, equation=op.equation)


RULES: Mapping[type[ops.Op], Rule] = {
    ops.ReLU: named("Relu"),
    ops.Clip: clip,
    ops.LeakyReLU: leaky,
    ops.PReLU: prelu,
    ops.ThresholdedReLU: thresholded,
    ops.ELU: elu,
    ops.GELU: gelu,
    ops.Sigmoid: named("Sigmoid"),
    ops.SiLU: silu,
    ops.Mish: mish,
    ops.Softplus: softplus,
    ops.Softsign: named("Softsign"),
    ops.Tanh: named("Tanh"),
    ops.HardSigmoid: hard_sigmoid,
    ops.HardSwish: hard_swish,
    ops.QuantReLU: quant_relu,
    ops.Quantise: quantise,
    ops.Softmax: softmax,
    ops.Abs: named("Abs"),
    ops.Neg: named("Neg"),
    ops.Sign: named("Sign"),
    ops.Exp: named("Exp"),
    ops.Log: named("Log"),
    ops.Sqrt: named("Sqrt"),
    ops.Reciprocal: named("Reciprocal"),
    ops.Erf: named("Erf"),
    ops.Sin: named("Sin"),
    ops.Cos: named("Cos"),
    ops.Tan: named("Tan"),
    ops.Atan: named("Atan"),
    ops.Floor: named("Floor"),
    ops.Ceil: named("Ceil"),
    ops.Round: named("Round"),
    ops.Cast: cast,
    ops.Add: boolean("Add", "Or"),
    ops.Sub: named("Sub"),
    ops.Mul: boolean("Mul", "And"),
    ops.Div: named("Div"),
    ops.Pow: power,
    ops.Maximum: boolean("Max", "Or"),
    ops.Minimum: boolean("Min", "And"),
    ops.FloorMod: floor_mod,
    ops.Matmul: named("MatMul"),
    ops.Einsum: einsum,
    ops.Equal: named("Equal"),
    ops.Less: named("Less"),
    ops.LessEqual: named("LessOrEqual"),
    ops.Greater: named("Greater"),
    ops.GreaterEqual: named("GreaterOrEqual"),
    ops.And: named("And"),
    ops.Or: named("Or"),
    ops.Xor: named("Xor"),
    ops.Not: named("Not"),
    ops.Where: named("Where"),
}
