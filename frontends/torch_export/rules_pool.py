"""Rules for pooling over windows and regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from spikec.frontends.torch_export.rule import Rule, Rules, Unavailable, shared
from spikec.frontends.torch_export.rules_affine import ntuple, pairs
from spikec.frontends.torch_export.scope import Operand, Scope
from spikec.ir import Value, ops

aten = torch.ops.aten
Ints = Sequence[int]
_INDICES = Unavailable("positions of the maxima of a pool")


def max_pool(rank: int, *, with_indices: bool = False) -> Rule:
    """Make the rule for one number of spatial axes."""

    def rule(
        s: Scope,
        x: Operand,
        kernel: Ints,
        stride: Ints = (),
        padding: int | Ints = 0,
        dilation: int | Ints = 1,
        ceil_mode: bool = False,
    ) -> Any:
        window = ntuple(kernel, rank)
        steps = ntuple(stride, rank) if stride else window
        op = ops.MaxPool(window, steps, pairs(padding, rank), ntuple(dilation, rank), ceil_mode)
        y = s.emit(op, x)
        return (y, _INDICES) if with_indices else y

    return rule


def avg_pool(rank: int) -> Rule:
    """Make the rule for one number of spatial axes."""

    def rule(
        s: Scope,
        x: Operand,
        kernel: Ints,
        stride: Ints = (),
        padding: int | Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Value:
        window = ntuple(kernel, rank)
        steps = ntuple(stride, rank) if stride else window
        shape = (window, steps, pairs(padding, rank), (1,) * rank, ceil_mode)
        if divisor_override is None:
            return s.emit(ops.AvgPool(*shape, count_padding=count_include_pad), x)
        total = s.emit(ops.SumPool(*shape), x, part="sum")
        return s.emit(ops.Div(), total, s.scalar(divisor_override, s.dtype(x)))

    return rule


def adaptive_avg_pool(rank: int) -> Rule:
    """Make the rule for one number of spatial axes."""

    def rule(s: Scope, x: Operand, output: Ints) -> Value:
        return s.emit(ops.AdaptiveAvgPool(ntuple(output, rank)), x)

    return rule


def adaptive_max_pool(rank: int) -> Rule:
    """Make the rule for one number of spatial axes; positions are a second result."""

    def rule(s: Scope, x: Operand, output: Ints) -> tuple[Any, ...]:
        return s.emit(ops.AdaptiveMaxPool(ntuple(output, rank)), x), _INDICES

    return rule


RULES: Rules = {
    aten.max_pool1d.default: max_pool(1),
    aten.max_pool2d.default: max_pool(2),
    aten.max_pool3d.default: max_pool(3),
    aten.max_pool1d_with_indices.default: max_pool(1, with_indices=True),
    aten.max_pool2d_with_indices.default: max_pool(2, with_indices=True),
    aten.max_pool3d_with_indices.default: max_pool(3, with_indices=True),
    aten.avg_pool1d.default: avg_pool(1),
    aten.avg_pool2d.default: avg_pool(2),
    aten.avg_pool3d.default: avg_pool(3),
    aten.adaptive_avg_pool1d.default: adaptive_avg_pool(1),
    **shared(adaptive_avg_pool(2), aten.adaptive_avg_pool2d.default),
    **shared(adaptive_avg_pool(2), aten._adaptive_avg_pool2d.default),
    **shared(adaptive_avg_pool(3), aten.adaptive_avg_pool3d.default),
    **shared(adaptive_avg_pool(3), aten._adaptive_avg_pool3d.default),
    aten.adaptive_max_pool1d.default: adaptive_max_pool(1),
    aten.adaptive_max_pool2d.default: adaptive_max_pool(2),
    aten.adaptive_max_pool3d.default: adaptive_max_pool(3),
}
