"""Elementary functions and changes of element type."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Sizes
from spikec.ir.op import Family, Op, Types, Values
from spikec.ir.ops.activation import erf
from spikec.ir.ops.elementwise import Unary
from spikec.ir.types import Analog, DType

Numbers = NDArray[Any]


class Abs(Unary):
    """y = |x|."""

    floats_only: ClassVar[bool] = False

    def f(self, x: Numbers) -> Numbers:
        return np.abs(x)


class Neg(Unary):
    """y = -x."""

    family: ClassVar[Family] = Family.AFFINE  # a chip negates weights
    floats_only: ClassVar[bool] = False

    def f(self, x: Numbers) -> Numbers:
        return -x


class Sign(Unary):
    """y = -1, 0 or 1."""

    floats_only: ClassVar[bool] = False

    def f(self, x: Numbers) -> Numbers:
        return np.sign(x)


class Exp(Unary):
    """y = exp x."""

    def f(self, x: Numbers) -> Numbers:
        return np.exp(x)


class Log(Unary):
    """y = ln x."""

    def f(self, x: Numbers) -> Numbers:
        return np.log(x)


class Sqrt(Unary):
    """y = √x."""

    def f(self, x: Numbers) -> Numbers:
        return np.sqrt(x)


class Reciprocal(Unary):
    """y = 1 / x."""

    def f(self, x: Numbers) -> Numbers:
        return 1 / x


class Erf(Unary):
    """y = (2/√π) ∫₀ˣ exp(-u²) du."""

    def f(self, x: Numbers) -> Numbers:
        return erf(x)


class Sin(Unary):
    """y = sin x."""

    def f(self, x: Numbers) -> Numbers:
        return np.sin(x)


class Cos(Unary):
    """y = cos x."""

    def f(self, x: Numbers) -> Numbers:
        return np.cos(x)


class Tan(Unary):
    """y = tan x."""

    def f(self, x: Numbers) -> Numbers:
        return np.tan(x)


class Atan(Unary):
    """y = arctan x."""

    def f(self, x: Numbers) -> Numbers:
        return np.arctan(x)


class Floor(Unary):
    """y = ⌊x⌋."""

    def f(self, x: Numbers) -> Numbers:
        return np.floor(x)


class Ceil(Unary):
    """y = ⌈x⌉."""

    def f(self, x: Numbers) -> Numbers:
        return np.ceil(x)


class Round(Unary):
    """y = x to the nearest integer, halves to the even one."""

    def f(self, x: Numbers) -> Numbers:
        return np.round(x)


@dataclass(frozen=True)
class Cast(Op):
    """y = x as another element type; to integers it truncates, to bool it asks x ≠ 0."""

    dtype: DType

    family: ClassVar[Family] = Family.ACTIVATION

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        signal = x.signal if self.dtype.is_float else Analog()
        return (replace(x, dtype=self.dtype, signal=signal),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        with np.errstate(all="ignore"):
            return (inputs[0].astype(self.dtype.numpy),)
