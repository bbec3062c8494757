"""Reductions over time: the last step, the sum, the mean; over other axes, the rules for these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from spikec.frontends.torch_export import rules_reduce, rules_shape
from spikec.frontends.torch_export.rule import Rule, Rules
from spikec.frontends.torch_export.scope import Operand, Scope
from spikec.ir import Op, T, ops

aten = torch.ops.aten
LAST = -1


def _axis_of_time(s: Scope, x: Operand, dim: object) -> int | None:
    """Give the axis, counted from the end, where it is the one axis that holds the steps."""
    axes = [dim] if isinstance(dim, int) else dim
    if not isinstance(axes, list | tuple) or len(axes) != 1:
        return None
    return s.axis(axes[0], x) if s.rank(x) and s.dims(x)[axes[0]] == T else None


def reduced(make: Callable[[int], Op], otherwise: Rule) -> Rule:
    """Make the rule for a reduction; one that keeps the axis, or casts, is none over time."""

    def rule(s: Scope, x: Operand, dim: Any = None, keepdim: bool = False, **options: Any) -> Any:
        axis = None if keepdim or options else _axis_of_time(s, x, dim)
        if axis is None:
            return otherwise(s, x, dim, keepdim, **options)
        return s.emit(make(axis), x)

    return rule


def select(s: Scope, x: Operand, dim: int, index: int) -> Operand:
    """x[-1] of the time axis is the last step; the batch has no place that can be named."""
    axis = _axis_of_time(s, x, dim) if index == LAST else None
    if axis is None:
        return rules_shape.RULES[aten.select.int](s, x, dim, index)  # type: ignore[no-any-return]
    return s.emit(ops.LastStep(axis), x)


RULES: Rules = {
    aten.select.int: select,
    aten.sum.dim_IntList: reduced(ops.SumOverTime, rules_reduce.RULES[aten.sum.dim_IntList]),
    aten.mean.dim: reduced(ops.MeanOverTime, rules_reduce.RULES[aten.mean.dim]),
}
