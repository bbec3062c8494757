"""How many quanta a potential sends, with a derivative.

With u = h / quantum, n = clip(floor(u), 0, levels) = Σ_{k=1..levels} [u >= k], so that by the
surrogate g of one spike dn/du := Σ_k g(u - k).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikec.ir.ops.neuron_rules import Comparison, Negative
from spikec.runtime.surrogate import Surrogate


def steepness(u: Tensor, levels: int, surrogate: Surrogate) -> Tensor:
    """Σ_{k=1..levels} g(u - k)."""
    total = surrogate.slope(u - 1)
    for level in range(2, levels + 1):
        total += surrogate.slope(u - level)
    return total


def counted(u: Tensor, levels: int, comparison: Comparison) -> Tensor:
    """Give the number of quanta, without a derivative."""
    n = torch.floor(u) if comparison is Comparison.AT_LEAST else -torch.floor(-u) - 1
    return n.clamp_(0, levels)


class _Stairs(torch.autograd.Function):
    """Gives ``n``, and the derivative of Σ_k [u >= k]."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, n: Tensor, levels: int, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(u)
        ctx.rule = levels, surrogate
        return n

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        return steepness(ctx.saved_tensors[0], *ctx.rule).mul_(gradients[0]), None, None, None


def _stairs(u: Tensor, n: Tensor, levels: int, surrogate: Surrogate) -> Tensor:
    counts: Tensor = _Stairs.apply(u, n, levels, surrogate)  # type: ignore[no-untyped-call]
    return counts


def quanta(
    h: Tensor, quantum: Tensor, levels: int, comparison: Comparison, surrogate: Surrogate
) -> Tensor:
    """Give 0..levels, as :func:`spikec.ir.ops.neuron_rules.quanta` does."""
    u = h / quantum
    return _stairs(u, counted(u.detach(), levels, comparison), levels, surrogate)


def negative_quanta(
    h: Tensor,
    sent: Tensor,
    quantum: Tensor,
    levels: int,
    rule: tuple[Negative, Comparison, Surrogate],
) -> Tensor:
    """Give what is taken back, 0..levels; where that is bounded by Σn, the bound is followed."""
    negative, comparison, surrogate = rule
    if negative is Negative.CORRECTION:  # -floor(u) = Σ_{k=1..levels} [1 - u > k]
        u = h / quantum
        n = torch.floor(u.detach()).neg_().clamp_(0, levels)
        free = _stairs(1 - u, n, levels, surrogate)
    else:
        free = quanta(-h, quantum, levels, comparison, surrogate)
    bound = free if negative is Negative.FREE else sent.clamp(min=0)
    return torch.where(free <= bound, free, bound)
