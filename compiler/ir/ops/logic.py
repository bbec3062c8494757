"""Comparisons, boolean algebra and choice: masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Sizes
from spikec.ir.op import Family, Op, Types, Values, expect
from spikec.ir.ops.elementwise import Binary, joint_dims, joint_dtype
from spikec.ir.types import DType, TensorType

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Comparison(Binary):
    """y = a ? b, a truth value."""

    family: ClassVar[Family] = Family.LOGIC
    result: ClassVar[DType | None] = DType.BOOL


class Equal(Comparison):
    """y = (a = b)."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.equal(a, b)


class Less(Comparison):
    """y = (a < b)."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.less(a, b)


class LessEqual(Comparison):
    """y = (a ≤ b)."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.less_equal(a, b)


class Greater(Comparison):
    """y = (a > b)."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.greater(a, b)


class GreaterEqual(Comparison):
    """y = (a ≥ b)."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.greater_equal(a, b)


@dataclass(frozen=True)
class Truth(Binary):
    """y = a ? b on truth values."""

    family: ClassVar[Family] = Family.LOGIC

    def infer(self, inputs: Types) -> Types:
        expect(joint_dtype(inputs) is DType.BOOL, "operands that are no truth values", "bool")
        return super().infer(inputs)


class And(Truth):
    """y = a ∧ b."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.logical_and(a, b)


class Or(Truth):
    """y = a ∨ b."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.logical_or(a, b)


class Xor(Truth):
    """y = a ≠ b."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.logical_xor(a, b)


@dataclass(frozen=True)
class Not(Op):
    """y = ¬x."""

    family: ClassVar[Family] = Family.LOGIC

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(x.dtype is DType.BOOL, f"operand {x}", "bool")
        return (x.analog(),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (np.asarray(np.logical_not(inputs[0])),)


@dataclass(frozen=True)
class Where(Op):
    """y = a where the condition holds, else b; operands condition, a, b broadcast."""

    family: ClassVar[Family] = Family.LOGIC
    arity: ClassVar[tuple[int, int | None]] = (3, 3)

    def infer(self, inputs: Types) -> Types:
        condition, *rest = inputs
        expect(condition.dtype is DType.BOOL, f"condition {condition}", "bool")
        return (TensorType(joint_dims(inputs), joint_dtype(tuple(rest))),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        condition, a, b = inputs
        return (np.where(condition, a, b),)
