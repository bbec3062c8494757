"""Rules for comparisons, truth values, and changes of element type."""

from __future__ import annotations

from collections.abc import Callable

import torch

from spikec.frontends.torch_export.rule import Rule, Rules, shared
from spikec.frontends.torch_export.scope import Operand, Scalar, Scope
from spikec.ir import Op, Value, ops

aten = torch.ops.aten


def comparison(make: Callable[[], Op], *, negated: bool = False) -> Rule:
    """Make a rule; ≠ is the negation of =."""

    def rule(s: Scope, a: Operand, b: Operand | Scalar) -> Value:
        result = s.emit(make(), *s.promoted(a, b), part="equal" if negated else "")
        return s.emit(ops.Not(), result) if negated else result

    return rule


def truth(make: Callable[[], Op]) -> Rule:
    """Make a rule for operands that are truth values, or ask whether they are not 0."""

    def rule(s: Scope, a: Operand, b: Operand) -> Value:
        return s.emit(make(), s.cast(a, torch.bool), s.cast(b, torch.bool))

    return rule


def bits(make: Callable[[], Op]) -> Rule:
    """Make a rule for bitwise operators; only on truth values are they logic."""

    def rule(s: Scope, a: Operand, b: Operand | Scalar) -> Value:
        return s.emit(make(), *s.promoted(a, b))

    return rule


def logical_not(s: Scope, x: Operand) -> Value:
    """¬x, for numbers x = 0."""
    return s.emit(ops.Not(), s.cast(x, torch.bool))


def bitwise_not(s: Scope, x: Operand) -> Value:
    """¬x on truth values."""
    return s.emit(ops.Not(), x)


def isfinite(s: Scope, x: Operand) -> Value:
    """|x| < ∞, which is false for NaN too."""
    size = s.emit(ops.Abs(), x, part="abs")
    return s.emit(ops.Less(), size, s.scalar(float("inf"), s.dtype(x)))


def isinf(s: Scope, x: Operand) -> Value:
    """|x| = ∞."""
    size = s.emit(ops.Abs(), x, part="abs")
    return s.emit(ops.Equal(), size, s.scalar(float("inf"), s.dtype(x)))


def to_copy(s: Scope, x: Operand, **options: object) -> Operand:
    """A change of element type; device and memory layout have no meaning here."""
    return s.cast(x, s.result_dtype())


def type_as(s: Scope, x: Operand, other: Operand) -> Operand:
    """The element type of another tensor."""
    return s.cast(x, s.result_dtype())


RULES: Rules = {
    **shared(comparison(ops.Equal), aten.eq.Tensor, aten.eq.Scalar),
    **shared(comparison(ops.Equal, negated=True), aten.ne.Tensor, aten.ne.Scalar),
    **shared(comparison(ops.Less), aten.lt.Tensor, aten.lt.Scalar),
    **shared(comparison(ops.LessEqual), aten.le.Tensor, aten.le.Scalar),
    **shared(comparison(ops.Greater), aten.gt.Tensor, aten.gt.Scalar),
    **shared(comparison(ops.GreaterEqual), aten.ge.Tensor, aten.ge.Scalar),
    aten.logical_and.default: truth(ops.And),
    aten.logical_or.default: truth(ops.Or),
    aten.logical_xor.default: truth(ops.Xor),
    aten.logical_not.default: logical_not,
    **shared(bits(ops.And), aten.bitwise_and.Tensor, aten.__and__.Tensor),
    **shared(bits(ops.Or), aten.bitwise_or.Tensor, aten.__or__.Tensor),
    **shared(bits(ops.Xor), aten.bitwise_xor.Tensor, aten.__xor__.Tensor),
    aten.bitwise_not.default: bitwise_not,
    aten.isfinite.default: isfinite,
    aten.isinf.default: isinf,
    aten._to_copy.default: to_copy,
    aten.type_as.default: type_as,
}
