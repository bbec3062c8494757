"""Rules for functions of one tensor, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.rule import Rule, Rules, shared
from spikec.frontends.torch_export.scope import Operand, Scope
from spikec.ir import Array, Op, Value, ops

aten = torch.ops.aten


def unary(make: Callable[[], Op]) -> Rule:
    """Make a rule for a function without options."""

    def rule(s: Scope, x: Operand) -> Value:
        return s.emit(make(), s.cast(x, s.result_dtype()))

    return rule


def chain(*makes: Callable[[], Op]) -> Rule:
    """Make a rule for functions one after another."""

    def rule(s: Scope, x: Operand) -> Operand:
        x = s.cast(x, s.result_dtype())
        for make in makes:
            x = s.emit(make(), x)
        return x

    return rule


def times(make: Callable[[], Op], before: float = 1.0, after: float = 1.0) -> Rule:
    """Make a rule for after · f(before · x): logarithms and powers of another base."""

    def rule(s: Scope, x: Operand) -> Operand:
        x = s.cast(x, s.result_dtype())
        if before != 1.0:
            x = s.emit(ops.Mul(), x, s.scalar(before, s.dtype(x)), part="scaled")
        x = s.emit(make(), x)
        return x if after == 1.0 else s.emit(ops.Mul(), x, s.scalar(after, s.dtype(x)))

    return rule


def clamp(s: Scope, x: Operand, low: float | None = None, high: float | None = None) -> Operand:
    """Bounds in numbers; an absent one does not hold."""
    return s.emit(ops.Clip(low, high), s.cast(x, s.result_dtype()))


def clamp_min(s: Scope, x: Operand, low: float) -> Operand:
    """A lower bound."""
    return clamp(s, x, low, None)


def clamp_max(s: Scope, x: Operand, high: float) -> Operand:
    """An upper bound."""
    return clamp(s, x, None, high)


def clamp_tensor(
    s: Scope, x: Operand, low: Operand | None = None, high: Operand | None = None
) -> Operand:
    """Bounds as tensors."""
    dtype = s.result_dtype()
    y = s.cast(x, dtype)
    if low is not None:
        y = s.emit(ops.Maximum(), y, s.cast(low, dtype))
    return y if high is None else s.emit(ops.Minimum(), y, s.cast(high, dtype))


def hardtanh(s: Scope, x: Operand, low: float = -1.0, high: float = 1.0) -> Value:
    """Clip; ReLU6 has the bounds 0 and 6."""
    return s.emit(ops.Clip(low, high), x)


def relu6(s: Scope, x: Operand) -> Value:
    """Clip to 0 … 6."""
    return s.emit(ops.Clip(0.0, 6.0), x)


def leaky_relu(s: Scope, x: Operand, slope: float = 0.01) -> Value:
    """Another slope below 0."""
    return s.emit(ops.LeakyReLU(slope), x)


def prelu(s: Scope, x: Operand, weight: Operand) -> Value:
    """One slope, or one per channel (axis 1)."""
    slope = s.array(weight, "the slope of a PReLU")
    if slope.ndim == 1 and slope.size > 1:
        slope = Array(slope.data.reshape(-1, *(1,) * (s.rank(x) - 2)))
    return s.emit(ops.PReLU(slope), x)


def rrelu(
    s: Scope,
    x: Operand,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: object = None,
) -> Value:
    """In evaluation mode the slope is the mean of the range."""
    if training:
        raise Refused("draws random slopes", remedy="call model.eval() before the export")
    return s.emit(ops.LeakyReLU((lower + upper) / 2), x)


def elu(
    s: Scope, x: Operand, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> Value:
    """ELU and its scaled forms."""
    return s.emit(ops.ELU(alpha, scale, 1 / input_scale), x)


def selu(s: Scope, x: Operand) -> Value:
    """ELU with the self-normalising constants."""
    return s.emit(ops.ELU(1.6732632423543772, 1.0507009873554805), x)


def celu(s: Scope, x: Operand, alpha: float = 1.0) -> Value:
    """ELU whose slope is continuous."""
    return s.emit(ops.ELU(alpha, 1.0, alpha), x)


def gelu(s: Scope, x: Operand, *, approximate: str = "none") -> Value:
    """Exact, or by tanh."""
    return s.emit(ops.GELU(tanh=approximate == "tanh"), x)


def softplus(s: Scope, x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Value:
    """Linear beyond ``threshold``, where the difference is below exp(-threshold)."""
    y = s.emit(ops.Softplus(beta), x)
    if math.exp(-threshold) < np.finfo(np.float32).eps / 2:
        return y
    bound = s.scalar(threshold / beta, s.dtype(x))
    return s.emit(ops.Where(), s.emit(ops.Greater(), x, bound), x, y)


def threshold(s: Scope, x: Operand, bound: float, fill: float) -> Value:
    """X above the bound, else a number."""
    if fill == 0:
        return s.emit(ops.ThresholdedReLU(bound), x)
    above = s.emit(ops.Greater(), x, s.scalar(bound, s.dtype(x)), part="above")
    return s.emit(ops.Where(), above, x, s.scalar(fill, s.dtype(x)))


def log_sigmoid(s: Scope, x: Operand) -> Value:
    """-log(1 + exp(-x))."""
    inner = s.emit(ops.Neg(), x, part="neg")
    return s.emit(ops.Neg(), s.emit(ops.Softplus(), inner, part="softplus"))


def glu(s: Scope, x: Operand, dim: int = -1) -> Value:
    """First half times the sigmoid of the second."""
    axis, half = s.axis(dim, x), s.size(x, dim) // 2
    first = s.emit(ops.Slice(axis, 0, half), x, part="value")
    second = s.emit(ops.Slice(axis, half, 2 * half), x, part="gate")
    return s.emit(ops.Mul(), first, s.emit(ops.Sigmoid(), second, part="sigmoid"))


def softmax(s: Scope, x: Operand, dim: int, dtype: torch.dtype | bool | None = None) -> Value:
    """Softmax along an axis."""
    return s.emit(ops.Softmax(s.axis(dim, x)), s.cast(x, s.result_dtype()))


def log_softmax(s: Scope, x: Operand, dim: int, dtype: torch.dtype | bool | None = None) -> Value:
    """Its logarithm."""
    return s.emit(ops.Softmax(s.axis(dim, x), log=True), s.cast(x, s.result_dtype()))


def offset(make: Callable[[], Op], number: float, before: bool) -> Rule:
    """Make a rule for f(x + number) or f(x) + number."""

    def rule(s: Scope, x: Operand) -> Value:
        x = s.cast(x, s.result_dtype())
        shift = s.scalar(number, s.dtype(x))
        if before:
            return s.emit(make(), s.emit(ops.Add(), x, shift, part="shifted"))
        return s.emit(ops.Add(), s.emit(make(), x), shift)

    return rule


def erfc(s: Scope, x: Operand) -> Value:
    """1 - erf x."""
    return s.emit(ops.Sub(), s.scalar(1.0, s.dtype(x)), s.emit(ops.Erf(), x, part="erf"))


def hyperbolic(merge: Callable[[], Op]) -> Rule:
    """Make a rule for (exp x ± exp(-x)) / 2."""

    def rule(s: Scope, x: Operand) -> Value:
        up = s.emit(ops.Exp(), x, part="up")
        down = s.emit(ops.Exp(), s.emit(ops.Neg(), x, part="neg"), part="down")
        joined = s.emit(merge(), up, down, part="joined")
        return s.emit(ops.Mul(), joined, s.scalar(0.5, s.dtype(x)))

    return rule


def trunc(s: Scope, x: Operand) -> Value:
    """Round towards 0: sign(x) ⌊|x|⌋."""
    size = s.emit(ops.Floor(), s.emit(ops.Abs(), x, part="abs"), part="floor")
    return s.emit(ops.Mul(), s.emit(ops.Sign(), x, part="sign"), size)


def frac(s: Scope, x: Operand) -> Value:
    """What truncation takes away."""
    return s.emit(ops.Sub(), x, trunc(s, x))


def square(s: Scope, x: Operand) -> Value:
    """X x."""
    return s.emit(ops.Mul(), x, x)


def logit(s: Scope, x: Operand, eps: float | None = None) -> Value:
    """log(x / (1 - x)), with x cut to eps … 1 - eps."""
    inner: Operand = x if eps is None else s.emit(ops.Clip(eps, 1 - eps), x, part="clip")
    rest = s.emit(ops.Sub(), s.scalar(1.0, s.dtype(x)), inner, part="rest")
    return s.emit(ops.Log(), s.emit(ops.Div(), inner, rest, part="odds"))


def isnan(s: Scope, x: Operand) -> Value:
    """NaN is the number that does not equal itself."""
    return s.emit(ops.Not(), s.emit(ops.Equal(), x, x, part="equal"))


_SIMPLE: dict[torch._ops.OpOverload, Callable[[], Op]] = {
    aten.relu.default: ops.ReLU,
    aten.sigmoid.default: ops.Sigmoid,
    aten.silu.default: ops.SiLU,
    aten.mish.default: ops.Mish,
    aten.tanh.default: ops.Tanh,
    aten.hardsigmoid.default: ops.HardSigmoid,
    aten.hardswish.default: ops.HardSwish,
    aten.abs.default: ops.Abs,
    aten.neg.default: ops.Neg,
    aten.sign.default: ops.Sign,
    aten.sgn.default: ops.Sign,
    aten.exp.default: ops.Exp,
    aten.log.default: ops.Log,
    aten.sqrt.default: ops.Sqrt,
    aten.reciprocal.default: ops.Reciprocal,
    aten.erf.default: ops.Erf,
    aten.sin.default: ops.Sin,
    aten.cos.default: ops.Cos,
    aten.tan.default: ops.Tan,
    aten.atan.default: ops.Atan,
    aten.floor.default: ops.Floor,
    aten.ceil.default: ops.Ceil,
    aten.round.default: ops.Round,
}

RULES: Rules = {
    **{target: unary(make) for target, make in _SIMPLE.items()},
    aten.rsqrt.default: chain(ops.Sqrt, ops.Reciprocal),
    aten.log2.default: times(ops.Log, after=1 / math.log(2)),
    aten.log10.default: times(ops.Log, after=1 / math.log(10)),
    aten.exp2.default: times(ops.Exp, before=math.log(2)),
    aten.log1p.default: offset(ops.Log, 1.0, before=True),
    aten.expm1.default: offset(ops.Exp, -1.0, before=False),
    aten.sinh.default: hyperbolic(ops.Sub),
    aten.cosh.default: hyperbolic(ops.Add),
    aten.erfc.default: erfc,
    aten.trunc.default: trunc,
    aten.frac.default: frac,
    aten.square.default: square,
    aten.logit.default: logit,
    aten.isnan.default: isnan,
    **shared(clamp, aten.clamp.default, aten.clip.default),
    aten.clamp_min.default: clamp_min,
    aten.clamp_max.default: clamp_max,
    aten.clamp.Tensor: clamp_tensor,
    aten.clamp_min.Tensor: clamp_tensor,
    aten.clamp_max.Tensor: lambda s, x, high: clamp_tensor(s, x, None, high),
    aten.hardtanh.default: hardtanh,
    aten.relu6.default: relu6,
    aten.leaky_relu.default: leaky_relu,
    **shared(prelu, aten.prelu.default, aten._prelu_kernel.default),
    aten.rrelu.default: rrelu,
    aten.elu.default: elu,
    aten.selu.default: selu,
    aten.celu.default: celu,
    aten.gelu.default: gelu,
    aten.softplus.default: softplus,
    aten.threshold.default: threshold,
    aten.log_sigmoid.default: log_sigmoid,
    aten.glu.default: glu,
    **shared(softmax, aten.softmax.int, aten._softmax.default, aten._safe_softmax.default),
    **shared(log_softmax, aten.log_softmax.int, aten._log_softmax.default),
}
