"""Rules for reductions, selections of extremes, and running sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.rule import Rule, Rules, shared
from spikec.frontends.torch_export.scope import Operand, Scope
from spikec.ir import Op, Value, ops

aten = torch.ops.aten
Axes = int | Sequence[int] | None


def axes_of(s: Scope, x: Operand, dim: Axes) -> tuple[int, ...]:
    """Give axes from the end; none given means all."""
    if dim is None or (not isinstance(dim, int) and not dim):
        return tuple(range(-s.rank(x), 0))
    axes = (dim,) if isinstance(dim, int) else dim
    return tuple(sorted(s.axis(axis, x) for axis in axes))


def count(s: Scope, x: Operand, axes: Sequence[int]) -> int:
    """Give the number of elements that a reduction joins."""
    return math.prod(s.size(x, axis) for axis in axes)


def reduction(make: Callable[..., Op]) -> Rule:
    """Make the rule for a reduction over axes, or over everything."""

    def rule(
        s: Scope,
        x: Operand,
        dim: Axes = None,
        keepdim: bool = False,
        *,
        dtype: torch.dtype | None = None,
    ) -> Operand:
        y = s.cast(x, s.result_dtype())
        axes = axes_of(s, x, dim)
        return s.emit(make(axes, keepdim), y) if axes else y

    return rule


def variance(
    s: Scope, x: Operand, axes: tuple[int, ...], correction: float, keepdim: bool
) -> tuple[Value, Value]:
    """Σ (x - mean)² / (n - correction), and the mean."""
    size = count(s, x, axes)
    mean = s.emit(ops.ReduceMean(axes, True), x, part="mean")
    off = s.emit(ops.Sub(), x, mean, part="centred")
    square = s.emit(ops.Mul(), off, off, part="square")
    divisor = size - correction
    if divisor <= 0:
        raise Refused(f"variance of {size} elements with correction {correction}")
    total = s.emit(ops.ReduceSum(axes, keepdim), square, part="total")
    kept = mean if keepdim else s.emit(ops.ReduceMean(axes), x, part="average")
    return s.emit(ops.Div(), total, s.scalar(divisor, s.dtype(x))), kept


def var(
    s: Scope,
    x: Operand,
    dim: Axes = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> Value:
    """Variance, corrected by 1 or as asked."""
    return variance(s, x, axes_of(s, x, dim), (correction or 0) * unbiased, keepdim)[0]


def var_correction(
    s: Scope,
    x: Operand,
    dim: Axes = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Value:
    """The form with a number to correct by; by default 1."""
    return var(s, x, dim, True, keepdim, correction=1 if correction is None else correction)


def rooted(rule: Rule) -> Rule:
    """Make the rule for a deviation from that for a variance."""

    def deviation(s: Scope, *args: object, **kwargs: object) -> Value:
        return s.emit(ops.Sqrt(), rule(s, *args, **kwargs))

    return deviation


def var_mean(
    s: Scope,
    x: Operand,
    dim: Axes = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Value, Value]:
    """Variance and mean."""
    by = 1 if correction is None else correction
    return variance(s, x, axes_of(s, x, dim), by, keepdim)


def std_mean(
    s: Scope,
    x: Operand,
    dim: Axes = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Value, Value]:
    """Deviation and mean."""
    spread, mean = var_mean(s, x, dim, correction=correction, keepdim=keepdim)
    return s.emit(ops.Sqrt(), spread), mean


def vector_norm(
    s: Scope,
    x: Operand,
    order: float = 2,
    dim: Axes = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Value:
    """(Σ |x|^p)^(1/p), with max and min for p = ±∞ and a count for p = 0."""
    axes, y = axes_of(s, x, dim), s.cast(x, s.result_dtype())
    if order == 2:
        power = s.emit(ops.Mul(), y, y, part="square")
        return s.emit(ops.Sqrt(), s.emit(ops.ReduceSum(axes, keepdim), power, part="sum"))
    size = s.emit(ops.Abs(), y, part="abs")
    if math.isinf(order):
        return s.emit((ops.ReduceMax if order > 0 else ops.ReduceMin)(axes, keepdim), size)
    if order == 0:
        some = s.cast(s.cast(size, torch.bool), s.dtype(size))
        return s.emit(ops.ReduceSum(axes, keepdim), some)
    if order == 1:
        return s.emit(ops.ReduceSum(axes, keepdim), size)
    power = s.emit(ops.Pow(), size, s.scalar(order, s.dtype(size)), part="power")
    total = s.emit(ops.ReduceSum(axes, keepdim), power, part="sum")
    return s.emit(ops.Pow(), total, s.scalar(1 / order, s.dtype(size)))


def norm(
    s: Scope, x: Operand, p: float | None = 2, dim: Axes = None, keepdim: bool = False
) -> Value:
    """The older name of the vector norm."""
    return vector_norm(s, x, 2 if p is None else p, dim, keepdim)


def logsumexp(s: Scope, x: Operand, dim: Axes, keepdim: bool = False) -> Value:
    """Log Σ exp x = m + log Σ exp(x - m), with m = max x."""
    axes, y = axes_of(s, x, dim), s.cast(x, s.result_dtype())
    top = s.emit(ops.ReduceMax(axes, True), y, part="max")
    powers = s.emit(ops.Exp(), s.emit(ops.Sub(), y, top, part="shifted"), part="exp")
    log = s.emit(ops.Log(), s.emit(ops.ReduceSum(axes, True), powers, part="sum"), part="log")
    return s.reshape(s.emit(ops.Add(), top, log), s.result_dims())


def truth_over(make: Callable[..., Op]) -> Rule:
    """Make the rule for `any` (the largest truth value) or `all` (the smallest)."""

    def rule(s: Scope, x: Operand, dim: Axes = None, keepdim: bool = False) -> Operand:
        number = s.cast(s.cast(x, torch.bool), torch.uint8)
        return s.cast(s.emit(make(axes_of(s, x, dim), keepdim), number), s.result_dtype())

    return rule


def arg(make: Callable[..., Op]) -> Rule:
    """Make the rule for the index of an extreme, along an axis or in all elements."""

    def rule(s: Scope, x: Operand, dim: int | None = None, keepdim: bool = False) -> Value:
        if dim is not None:
            return s.emit(make(s.axis(dim, x), keepdim), x)
        row = s.reshape(x, (s.value(x).type.size,), part="row")
        return s.reshape(s.emit(make(-1), row), s.result_dims())

    return rule


def extreme(value: Callable[..., Op], index: Callable[..., Op]) -> Rule:
    """Make the rule for an extreme and its index along an axis."""

    def rule(s: Scope, x: Operand, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
        axis = s.axis(dim, x)
        best = s.emit(value((axis,), keepdim), x)
        return best, s.emit(index(axis, keepdim), x, part="index")

    return rule


def aminmax(
    s: Scope, x: Operand, *, dim: int | None = None, keepdim: bool = False
) -> tuple[Value, Value]:
    """Both extremes."""
    axes = axes_of(s, x, dim)
    low = s.emit(ops.ReduceMin(axes, keepdim), x, part="min")
    return low, s.emit(ops.ReduceMax(axes, keepdim), x, part="max")


def topk(
    s: Scope, x: Operand, k: int, dim: int = -1, largest: bool = True, is_sorted: bool = True
) -> tuple[Value, ...]:
    """The k best, best first."""
    return s.emit_all(ops.TopK(k, s.axis(dim, x), largest), x)


def sort(s: Scope, x: Operand, dim: int = -1, descending: bool = False) -> tuple[Value, ...]:
    """All elements in order: top-k with k the size of the axis."""
    return topk(s, x, s.size(x, dim), dim, descending)


def argsort(s: Scope, x: Operand, dim: int = -1, descending: bool = False) -> Value:
    """The order alone."""
    return sort(s, x, dim, descending)[1]


def cumsum(s: Scope, x: Operand, dim: int, *, dtype: torch.dtype | None = None) -> Value:
    """Running sums."""
    return s.emit(ops.CumSum(s.axis(dim, x)), s.cast(x, s.result_dtype()))


RULES: Rules = {
    **shared(reduction(ops.ReduceSum), aten.sum.default, aten.sum.dim_IntList),
    **shared(reduction(ops.ReduceMean), aten.mean.default, aten.mean.dim),
    **shared(reduction(ops.ReduceProd), aten.prod.default, aten.prod.dim_int),
    **shared(reduction(ops.ReduceMax), aten.amax.default, aten.max.default),
    **shared(reduction(ops.ReduceMin), aten.amin.default, aten.min.default),
    aten.var.dim: var,
    aten.var.correction: var_correction,
    aten.std.dim: rooted(var),
    aten.std.correction: rooted(var_correction),
    aten.var_mean.correction: var_mean,
    aten.std_mean.correction: std_mean,
    aten.linalg_vector_norm.default: vector_norm,
    **shared(norm, aten.norm.Scalar, aten.norm.ScalarOpt_dim),
    aten.logsumexp.default: logsumexp,
    **shared(truth_over(ops.ReduceMax), aten.any.default, aten.any.dim, aten.any.dims),
    **shared(truth_over(ops.ReduceMin), aten.all.default, aten.all.dim, aten.all.dims),
    aten.argmax.default: arg(ops.ArgMax),
    aten.argmin.default: arg(ops.ArgMin),
    aten.max.dim: extreme(ops.ReduceMax, ops.ArgMax),
    aten.min.dim: extreme(ops.ReduceMin, ops.ArgMin),
    aten.aminmax.default: aminmax,
    aten.topk.default: topk,
    aten.sort.default: sort,
    aten.argsort.default: argsort,
    aten.cumsum.default: cumsum,
}
