"""Integrate-and-fire neurons without negative events, all steps in one differentiable operation.

With current x, potential v and thresholds of :class:`spikec.ir.ops.IntegrateFire`, per step

    h = c v + b x (+ rest),  n = stairs(h / θ),  y = a n,  v' = h - θ n,  or (1 - n) h + n v_reset,

only h is kept for the way back, from the last step to the first:

    ∂n = a ∂y - θ ∂v'  (hard: + (v_reset - h) ∂v';  detached: without ∂v'),
    ∂h = r ∂v' + S(h / θ) / θ ∂n   with r = 1 (hard: 1 - n) and S = Σ_k g(u - k),
    ∂x = b ∂h,  ∂v = c ∂h,
    ∂θ = Σ - n ∂v' (soft) - h / θ² S(h / θ) ∂n,  ∂a = Σ n ∂y,  ∂k of the leak from ∂h.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikec.runtime.bptt.fire import counted, steepness
from spikec.runtime.bptt.fused_rule import Rule, Sums


class ScanAfter(torch.autograd.Function):
    """All steps at once, of neurons that decide behind the input of the step."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, theta: Tensor, amplitude: Tensor, k: Tensor, v0: Tensor, rule: Rule
    ) -> Tensor:
        levels, comparison = rule.op.levels, rule.op.comparison
        held, y, v = torch.empty_like(x), torch.empty_like(x), v0
        for step in range(len(x)):
            h = rule.charged(v, x[step], k)
            n = counted(h / theta, levels, comparison)
            torch.mul(n, amplitude, out=y[step])
            held[step] = h
            v = rule.settled(h, n, theta)
        learns_leak = ctx.needs_input_grad[3]
        ctx.save_for_backward(held, x if learns_leak else None, theta, amplitude, k, v0)
        ctx.rule = rule
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        held, x, theta, amplitude, k, v0 = ctx.saved_tensors
        rule, (given,) = ctx.rule, gradients
        by_x = torch.empty_like(held)
        sums = Sums(ctx.needs_input_grad, theta, amplitude, k)
        later = torch.zeros_like(held[0])
        over_v, over_x = rule.carried(k)
        for step in reversed(range(len(held))):
            h = held[step]
            u = h / theta
            n = counted(u, rule.op.levels, rule.op.comparison)
            by_n = given[step] * amplitude
            if not rule.setting.detached:
                by_n = by_n + later * (rule.back - h if rule.hard else -theta)
            by_u = steepness(u, rule.op.levels, rule.setting.surrogate).mul_(by_n)
            sums.add_amplitude(given[step], n)
            sums.add_theta(None if rule.hard else later, n, u, by_u)
            by_h = (later * (1 - n) if rule.hard else later) + by_u / theta
            if x is not None:
                v = rule.settled(*_before(held, step, theta, rule)) if step else v0
                sums.add_leak(by_h * rule.by_leak(v, x[step], k))
            torch.mul(by_h, over_x, out=by_x[step])
            later = by_h * over_v
        return by_x, sums.theta, sums.amplitude, sums.leak, None, None


def _before(held: Tensor, step: int, theta: Tensor, rule: Rule) -> tuple[Tensor, Tensor, Tensor]:
    h = held[step - 1]
    return h, counted(h / theta, rule.op.levels, rule.op.comparison), theta
