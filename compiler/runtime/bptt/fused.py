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

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikec.ir import ops
from spikec.ir.ops.neuron_rules import Decision, Leak, Negative, Reset
from spikec.runtime.bptt.fire import counted, steepness
from spikec.runtime.bptt.neurons import Setting


def is_plain(op: object) -> bool:
    """Tell whether this module knows the neuron."""
    return (
        isinstance(op, ops.IntegrateFire)
        and op.negative is Negative.NONE
        and op.decision is Decision.AFTER_INPUT
        and op.leak is not Leak.SILENT
    )


def fused(op: ops.IntegrateFire, x: Tensor, setting: Setting) -> Tensor:
    """Go through [steps, ...]."""
    amplitude = op.threshold if op.amplitude is None else op.amplitude
    rest, back = setting.number(op.rest_potential, x), setting.number(op.reset_potential, x)
    y: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]
        x,
        setting.constants(op.threshold),
        setting.constants(amplitude),
        setting.number(op.leak_constant, x),
        setting.filled(op.v0, x[0]),
        _Rule(op, setting, rest, back),
    )
    return y


@dataclass(frozen=True)
class _Rule:
    op: ops.IntegrateFire
    setting: Setting
    rest: Tensor
    back: Tensor

    @property
    def hard(self) -> bool:
        return self.op.reset is Reset.HARD

    def charged(self, v: Tensor, x: Tensor, k: Tensor) -> Tensor:
        """Add the current, in the order in which the op rounds."""
        match self.op.leak:
            case Leak.DECAY:
                return self.rest + k * (v - self.rest) + x
            case Leak.DECAY_INPUT:
                return v + (x - (v - self.rest)) / k
            case _:
                return v + x

    def settled(self, h: Tensor, n: Tensor, theta: Tensor) -> Tensor:
        """Give the potential behind the reset."""
        return (1 - n) * h + n * self.back if self.hard else h - theta * n

    def carried(self, k: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """Give c = ∂h/∂v and b = ∂h/∂x."""
        match self.op.leak:
            case Leak.DECAY:
                return k, 1.0
            case Leak.DECAY_INPUT:
                return 1 - 1 / k, 1 / k
            case _:
                return 1.0, 1.0

    def by_leak(self, v: Tensor, x: Tensor, k: Tensor) -> Tensor:
        """Give ∂h/∂k."""
        decays = self.op.leak is Leak.DECAY
        return v - self.rest if decays else -(x - (v - self.rest)) / k.square()


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, theta: Tensor, amplitude: Tensor, k: Tensor, v0: Tensor, rule: _Rule
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
        sums = _Sums(ctx.needs_input_grad, theta, amplitude, k)
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


def _before(held: Tensor, step: int, theta: Tensor, rule: _Rule) -> tuple[Tensor, Tensor, Tensor]:
    h = held[step - 1]
    return h, counted(h / theta, rule.op.levels, rule.op.comparison), theta


class _Sums:
    """Derivatives by parameters, summed over steps to the shape of each; None: nobody asks."""

    def __init__(
        self, asked: tuple[bool, ...], theta: Tensor, amplitude: Tensor, leak: Tensor
    ) -> None:
        self.by = theta
        self.theta = torch.zeros_like(theta) if asked[1] else None
        self.amplitude = torch.zeros_like(amplitude) if asked[2] else None
        self.leak = torch.zeros_like(leak) if asked[3] else None

    def add_amplitude(self, given: Tensor, n: Tensor) -> None:
        if self.amplitude is not None:
            self.amplitude += (given * n).sum_to_size(self.amplitude.shape)

    def add_theta(self, later: Tensor | None, n: Tensor, u: Tensor, by_u: Tensor) -> None:
        if self.theta is not None:
            through = -(u * by_u) / self.by
            total = through if later is None else through - n * later
            self.theta += total.sum_to_size(self.theta.shape)

    def add_leak(self, product: Tensor) -> None:
        if self.leak is not None:
            self.leak += product.sum_to_size(self.leak.shape)
