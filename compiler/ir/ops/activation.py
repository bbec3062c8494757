"""Non-linear functions of analog values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import (
    Family,
    Op,
    Types,
    Values,
    analog,
    axis_of,
    expect,
    expect_float,
    expect_within,
)
from spikec.ir.ops.elementwise import Unary, check_broadcast

Floats = NDArray[Any]


class ReLU(Unary):
    """y = max(x, 0)."""

    floats_only: ClassVar[bool] = False

    def f(self, x: Floats) -> Floats:
        return np.maximum(x, 0)


@dataclass(frozen=True)
class Clip(Unary):
    """y = min(max(x, low), high); a bound that is None does not hold. ReLU6 is Clip(0, 6)."""

    low: float | None = None
    high: float | None = None

    floats_only: ClassVar[bool] = False

    def infer(self, inputs: Types) -> Types:
        for bound in (self.low, self.high):
            expect_within(bound, inputs[0], "bound")
        return super().infer(inputs)

    def f(self, x: Floats) -> Floats:
        y = x if self.low is None else np.maximum(x, x.dtype.type(self.low))
        return y if self.high is None else np.minimum(y, x.dtype.type(self.high))


@dataclass(frozen=True)
class LeakyReLU(Unary):
    """y = x for x >= 0, slope x below."""

    slope: float = 0.01

    def f(self, x: Floats) -> Floats:
        return np.where(x >= 0, x, x * x.dtype.type(self.slope))


@dataclass(frozen=True)
class PReLU(Unary):
    """y = x for x >= 0, slope x below; slope broadcasts against the trailing axes."""

    slope: Array

    def infer(self, inputs: Types) -> Types:
        check_broadcast(self.slope, inputs[0], "slope")
        return super().infer(inputs)

    def f(self, x: Floats) -> Floats:
        return np.where(x >= 0, x, x * self.slope.astype(x.dtype))


@dataclass(frozen=True)
class ThresholdedReLU(Unary):
    """y = x for x > alpha, else 0."""

    alpha: float = 1.0

    def f(self, x: Floats) -> Floats:
        return np.where(x > x.dtype.type(self.alpha), x, 0)


@dataclass(frozen=True)
class ELU(Unary):
    """y = scale x for x > 0, scale alpha (exp(x / width) - 1) below.

    ELU has scale = width = 1; SELU scale = 1.0507…, alpha = 1.6732…; CELU width = alpha.
    """

    alpha: float = 1.0
    scale: float = 1.0
    width: float = 1.0

    def f(self, x: Floats) -> Floats:
        kind = x.dtype.type
        low = kind(self.alpha) * np.expm1(np.minimum(x, 0) / kind(self.width))
        y: Floats = kind(self.scale) * np.where(x > 0, x, low)
        return y


@dataclass(frozen=True)
class GELU(Unary):
    """y = x Φ(x) = x (1 + erf(x/√2)) / 2.

    With ``tanh`` it is x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
    """

    tanh: bool = False

    def f(self, x: Floats) -> Floats:
        if self.tanh:
            cubic = x.dtype.type(math.sqrt(2 / math.pi)) * (x + x.dtype.type(0.044715) * x**3)
            inner = np.tanh(cubic)
        else:
            inner = erf(x / x.dtype.type(math.sqrt(2)))
        y: Floats = x * (1 + inner) / 2
        return y


class Sigmoid(Unary):
    """y = 1 / (1 + exp(-x))."""

    def f(self, x: Floats) -> Floats:
        return sigmoid(x)


class SiLU(Unary):
    """y = x / (1 + exp(-x))."""

    def f(self, x: Floats) -> Floats:
        return x * sigmoid(x)


class Mish(Unary):
    """y = x tanh(log(1 + exp x))."""

    def f(self, x: Floats) -> Floats:
        return x * np.tanh(np.logaddexp(x, 0))


@dataclass(frozen=True)
class Softplus(Unary):
    """y = log(1 + exp(beta x)) / beta."""

    beta: float = 1.0

    def f(self, x: Floats) -> Floats:
        beta = x.dtype.type(self.beta)
        y: Floats = np.logaddexp(x * beta, 0) / beta
        return y


class Softsign(Unary):
    """y = x / (1 + |x|)."""

    def f(self, x: Floats) -> Floats:
        y: Floats = x / (1 + np.abs(x))
        return y


class Tanh(Unary):
    """y = tanh x."""

    def f(self, x: Floats) -> Floats:
        return np.tanh(x)


@dataclass(frozen=True)
class HardSigmoid(Unary):
    """y = min(max(alpha x + beta, 0), 1)."""

    alpha: float = 1 / 6
    beta: float = 0.5

    def f(self, x: Floats) -> Floats:
        y: Floats = np.clip(x.dtype.type(self.alpha) * x + x.dtype.type(self.beta), 0, 1)
        return y


class HardSwish(Unary):
    """y = x min(max(x + 3, 0), 6) / 6."""

    def f(self, x: Floats) -> Floats:
        y: Floats = x * np.clip(x + 3, 0, 6) / 6
        return y


@dataclass(frozen=True)
class QuantReLU(Unary):
    """y = amplitude min(max(floor(x / step + 1/2), low), levels); amplitude is ``step`` by default.

    Both broadcast against the trailing axes.  With ``low`` < 0 negative values are kept: a
    quantiser between weights, and no ReLU.
    """

    step: Array
    levels: int
    amplitude: Array | None = None
    low: int = 0

    def infer(self, inputs: Types) -> Types:
        check_broadcast(self.step, inputs[0], "step")
        if self.amplitude is not None:
            check_broadcast(self.amplitude, inputs[0], "amplitude")
        expect(self.levels >= 1, f"{self.levels} levels", "at least 1")
        expect(self.low <= 0, f"lowest level {self.low}", "at most 0")
        return super().infer(inputs)

    def f(self, x: Floats) -> Floats:
        step = self.step.astype(x.dtype)
        amplitude = step if self.amplitude is None else self.amplitude.astype(x.dtype)
        y = np.floor(x / step + x.dtype.type(0.5))
        return np.asarray(amplitude * np.clip(y, self.low, self.levels))


@dataclass(frozen=True)
class Quantise(Unary):
    """y = amplitude min(max(round(x / step), low), high), halves to the even one.

    Both broadcast against the trailing axes; amplitude is ``step`` by default.  By a power of two
    x is divided exactly: single and double precision, and every tool, round to the same number.
    """

    step: Array
    low: int
    high: int
    amplitude: Array | None = None

    def infer(self, inputs: Types) -> Types:
        check_broadcast(self.step, inputs[0], "step")
        if self.amplitude is not None:
            check_broadcast(self.amplitude, inputs[0], "amplitude")
        expect(bool((self.step.data > 0).all()), f"step {self.step}", "numbers above 0")
        expect(self.low < self.high, f"levels {self.low}..{self.high}", "low < high")
        return super().infer(inputs)

    def f(self, x: Floats) -> Floats:
        step = self.step.astype(x.dtype)
        amplitude = step if self.amplitude is None else self.amplitude.astype(x.dtype)
        return np.asarray(amplitude * np.clip(np.round(x / step), self.low, self.high))


@dataclass(frozen=True)
class Softmax(Op):
    """y = exp(x) / Σ exp(x) along ``axis``; with ``log``: its logarithm."""

    axis: int
    log: bool = False

    family: ClassVar[Family] = Family.ACTIVATION

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect_float(x)
        axis_of(self.axis, x.rank)
        return analog(x.dims, x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        shifted = x - x.max(axis=self.axis, keepdims=True)
        total = np.exp(shifted).sum(axis=self.axis, keepdims=True)
        return (shifted - np.log(total) if self.log else np.exp(shifted) / total,)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    y: Floats = np.where(x >= 0, 1, e) / (1 + e)
    return y


def erf(x: Floats) -> Floats:
    """(2/√π) ∫₀ˣ exp(-u²) du, correctly rounded from double precision."""
    return np.asarray(_ERF(np.asarray(x, np.float64)), x.dtype)


_ERF = np.frompyfunc(math.erf, 1, 1)
