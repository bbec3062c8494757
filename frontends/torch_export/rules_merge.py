"""Rules for arithmetic on two or more tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from spikec.frontends.torch_export.rule import Rule, Rules, shared
from spikec.frontends.torch_export.rules_activation import trunc
from spikec.frontends.torch_export.rules_affine import scaled
from spikec.frontends.torch_export.scope import Operand, Scalar, Scope
from spikec.ir import Op, Value, ops
from spikec.ir.dims import Dim

aten = torch.ops.aten
Anything = Operand | Scalar


def binary(make: Callable[[], Op]) -> Rule:
    """Make a rule for an operation on operands of the result's element type."""

    def rule(s: Scope, a: Anything, b: Anything) -> Value:
        return s.emit(make(), *s.promoted(a, b, to=s.result_dtype()))

    return rule


def add(s: Scope, a: Anything, b: Anything, alpha: Scalar = 1) -> Value:
    """A + alpha b."""
    left, right = s.promoted(a, b, to=s.result_dtype())
    return s.emit(ops.Add(), left, scaled(s, right, alpha))


def sub(s: Scope, a: Anything, b: Anything, alpha: Scalar = 1) -> Value:
    """A - alpha b."""
    left, right = s.promoted(a, b, to=s.result_dtype())
    return s.emit(ops.Sub(), left, scaled(s, right, alpha))


def rsub(s: Scope, a: Anything, b: Anything, alpha: Scalar = 1) -> Value:
    """B - alpha a."""
    return sub(s, b, a, alpha)


def div_mode(s: Scope, a: Anything, b: Anything, *, rounding_mode: str | None = None) -> Value:
    """A quotient, exact or rounded."""
    left, right = s.promoted(a, b, to=s.result_dtype())
    if not s.result_dtype().is_floating_point:
        return _whole_quotient(s, left, right, rounding_mode)
    quotient = s.emit(ops.Div(), left, right, part="quotient" if rounding_mode else "")
    if rounding_mode is None:
        return quotient
    return s.emit(ops.Floor(), quotient) if rounding_mode == "floor" else trunc(s, quotient)


def _whole_quotient(s: Scope, a: Operand, b: Operand, rounding_mode: str | None) -> Value:
    """Give the quotient of integers; Div truncates, so a remainder of b's sign goes first."""
    if rounding_mode == "floor":
        a = s.emit(ops.Sub(), a, s.emit(ops.FloorMod(), a, b, part="rest"), part="multiple")
    return s.emit(ops.Div(), a, b)


def floor_divide(s: Scope, a: Anything, b: Anything) -> Value:
    """The quotient, rounded down."""
    return div_mode(s, a, b, rounding_mode="floor")


def fmod(s: Scope, a: Anything, b: Anything) -> Value:
    """A - b trunc(a / b): the remainder with the sign of a."""
    left, right = s.promoted(a, b, to=s.result_dtype())
    size = s.emit(ops.Abs(), left, part="size")
    by = s.emit(ops.Abs(), right, part="by")
    rest = s.emit(ops.FloorMod(), size, by, part="rest")
    return s.emit(ops.Mul(), s.emit(ops.Sign(), left, part="sign"), rest)


def addcmul(s: Scope, x: Operand, a: Operand, b: Operand, *, value: Scalar = 1) -> Value:
    """X + value a b."""
    return s.emit(ops.Add(), x, scaled(s, s.emit(ops.Mul(), a, b, part="product"), value))


def addcdiv(s: Scope, x: Operand, a: Operand, b: Operand, *, value: Scalar = 1) -> Value:
    """X + value a / b."""
    return s.emit(ops.Add(), x, scaled(s, s.emit(ops.Div(), a, b, part="quotient"), value))


def lerp(s: Scope, a: Operand, b: Operand, weight: Anything) -> Value:
    """A + weight (b - a)."""
    way = s.emit(ops.Sub(), b, a, part="difference")
    (factor,) = s.promoted(weight, to=s.result_dtype())
    return s.emit(ops.Add(), a, s.emit(ops.Mul(), way, factor, part="part"))


def hypot(s: Scope, a: Operand, b: Operand) -> Value:
    """√(a² + b²)."""
    squares = [s.emit(ops.Mul(), x, x, part="square") for x in (a, b)]
    return s.emit(ops.Sqrt(), s.emit(ops.Add(), *squares, part="sum"))


def logaddexp(s: Scope, a: Operand, b: Operand) -> Value:
    """log(exp a + exp b) = max + log(1 + exp(-|a - b|))."""
    distance = s.emit(ops.Abs(), s.emit(ops.Sub(), a, b, part="difference"), part="distance")
    rest = s.emit(ops.Softplus(), s.emit(ops.Neg(), distance, part="neg"), part="softplus")
    return s.emit(ops.Add(), s.emit(ops.Maximum(), a, b, part="maximum"), rest)


def cosine_similarity(s: Scope, a: Operand, b: Operand, dim: int = 1, eps: float = 1e-8) -> Value:
    """Σ a b / (max(‖a‖, eps) max(‖b‖, eps))."""
    axes = (dim % max(s.rank(a), s.rank(b)) - max(s.rank(a), s.rank(b)),)
    lengths = []
    for x in (a, b):
        power = s.emit(ops.ReduceSum(axes), s.emit(ops.Mul(), x, x, part="square"), part="power")
        lengths.append(s.emit(ops.Clip(eps), s.emit(ops.Sqrt(), power, part="norm"), part="length"))
    dot = s.emit(ops.ReduceSum(axes), s.emit(ops.Mul(), a, b, part="products"), part="dot")
    return s.emit(ops.Div(), dot, s.emit(ops.Mul(), *lengths, part="lengths"))


def where(s: Scope, condition: Operand, a: Anything, b: Anything) -> Value:
    """A choice; the branches may be numbers."""
    branches = s.promoted(a, b, to=s.result_dtype())
    return s.emit(ops.Where(), s.cast(condition, torch.bool), *branches)


def masked_fill(s: Scope, x: Operand, mask: Operand, value: Anything) -> Value:
    """A number where the mask is set."""
    return where(s, mask, value, x)


def broadcast_tensors(s: Scope, tensors: Sequence[Operand]) -> tuple[Operand, ...]:
    """All tensors in the sizes of their broadcast."""
    dims = s.result_dims(0)
    return tuple(
        x if s.dims(x) == dims else s.emit(ops.Expand(dims), x, part="expand") for x in tensors
    )


def meshgrid(s: Scope, tensors: Sequence[Operand], *, indexing: str = "ij") -> tuple[Operand, ...]:
    """Each vector along its own axis."""
    order = list(range(len(tensors)))
    if indexing == "xy" and len(tensors) > 1:
        order[:2] = [1, 0]
    grids = []
    for place, x in zip(order, tensors, strict=True):
        shape: list[Dim] = [1] * len(tensors)
        shape[place] = s.dims(x)[0] if s.rank(x) else 1
        grids.append(s.emit(ops.Expand(s.result_dims(0)), s.reshape(x, shape), part="expand"))
    return tuple(grids)


RULES: Rules = {
    **shared(add, aten.add.Tensor, aten.add.Scalar),
    **shared(sub, aten.sub.Tensor, aten.sub.Scalar),
    **shared(rsub, aten.rsub.Tensor, aten.rsub.Scalar),
    **shared(binary(ops.Mul), aten.mul.Tensor, aten.mul.Scalar),
    **shared(binary(ops.Div), aten.div.Tensor, aten.div.Scalar),
    **shared(div_mode, aten.div.Tensor_mode, aten.div.Scalar_mode),
    **shared(floor_divide, aten.floor_divide.default, aten.floor_divide.Scalar),
    **shared(binary(ops.FloorMod), aten.remainder.Tensor, aten.remainder.Scalar),
    **shared(fmod, aten.fmod.Tensor, aten.fmod.Scalar),
    **shared(binary(ops.Pow), aten.pow.Tensor_Tensor, aten.pow.Tensor_Scalar, aten.pow.Scalar),
    **shared(binary(ops.Maximum), aten.maximum.default, aten.max.other),
    **shared(binary(ops.Minimum), aten.minimum.default, aten.min.other),
    aten.addcmul.default: addcmul,
    aten.addcdiv.default: addcdiv,
    **shared(lerp, aten.lerp.Scalar, aten.lerp.Tensor),
    aten.hypot.default: hypot,
    aten.logaddexp.default: logaddexp,
    aten.cosine_similarity.default: cosine_similarity,
    **shared(
        where, aten.where.self, aten.where.ScalarSelf, aten.where.ScalarOther, aten.where.Scalar
    ),
    **shared(masked_fill, aten.masked_fill.Scalar, aten.masked_fill.Tensor),
    aten.broadcast_tensors.default: broadcast_tensors,
    aten.meshgrid.indexing: meshgrid,
}
