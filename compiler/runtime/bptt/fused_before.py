"""As :mod:`spikec.runtime.bptt.fused_after`, for neurons that decide before the input of the step.

With the potential v that the step before has left, per step

    n = stairs(v / θ),  y = a n,  v' = c v + b x - θ n (+ rest),
    hard: v' = c ((1 - n) v + n v_reset) + b x (+ rest),

and backwards, with S = Σ_k g(u - k),

    ∂n = a ∂y - θ ∂v'  (hard: + (v_reset - v) c ∂v';  detached: without ∂v'),
    ∂v = c r ∂v' + S(v / θ) / θ ∂n   with r = 1 (hard: 1 - n),   ∂x = b ∂v',
    ∂θ = Σ - n ∂v' (soft) - v / θ² S(v / θ) ∂n,  ∂a = Σ n ∂y,  ∂k of the leak from ∂v'.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikec.runtime.bptt.fire import counted, steepness
from spikec.runtime.bptt.fused_rule import Rule, Sums


class ScanBefore(torch.autograd.Function):
    """All steps at once."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, theta: Tensor, amplitude: Tensor, k: Tensor, v0: Tensor, rule: Rule
    ) -> Tensor:
        levels, comparison = rule.op.levels, rule.op.comparison
        held, y, v = torch.empty_like(x), torch.empty_like(x), v0
        for step in range(len(x)):
            held[step] = v
            n = counted(v / theta, levels, comparison)
            torch.mul(n, amplitude, out=y[step])
            if rule.hard:
                v = rule.charged(rule.settled(v, n, theta), x[step], k)
            else:
                v = rule.charged(v, x[step], k) - theta * n
        learns_leak = ctx.needs_input_grad[3]
        ctx.save_for_backward(held, x if learns_leak else None, theta, amplitude, k)
        ctx.rule = rule
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        held, x, theta, amplitude, k = ctx.saved_tensors
        rule, (given,) = ctx.rule, gradients
        by_x = torch.empty_like(held)
        sums = Sums(ctx.needs_input_grad, theta, amplitude, k)
        later = torch.zeros_like(held[0])
        over_v, over_x = rule.carried(k)
        for step in reversed(range(len(held))):
            v = held[step]
            u = v / theta
            n = counted(u, rule.op.levels, rule.op.comparison)
            torch.mul(later, over_x, out=by_x[step])
            if x is not None:
                charged = rule.settled(v, n, theta) if rule.hard else v
                sums.add_leak(later * rule.by_leak(charged, x[step], k))
            carried = later * over_v
            by_n = given[step] * amplitude
            if not rule.setting.detached:
                by_n = by_n + (carried * (rule.back - v) if rule.hard else -theta * later)
            by_u = steepness(u, rule.op.levels, rule.setting.surrogate).mul_(by_n)
            sums.add_amplitude(given[step], n)
            sums.add_theta(None if rule.hard else later, n, u, by_u)
            later = (carried * (1 - n) if rule.hard else carried) + by_u / theta
        return by_x, sums.theta, sums.amplitude, sums.leak, None, None
