"""Neurons as plain loops that torch differentiates by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from spikec.ir import Array, ops
from spikec.ir.ops import Comparison, Decision, Leak, Negative, Reset
from spikec.runtime.surrogate import ATan, Rectangle, Sigmoid, Surrogate, Triangle


def soft_step(surrogate: Surrogate, z: Tensor) -> Tensor:
    """[z >= 0] whose derivative torch finds itself, from an integral of the surrogate."""
    match surrogate:
        case Triangle(gamma):
            inside = z.clamp(-1, 1)
            integral = gamma * (inside - inside * inside.abs() / 2)
        case ATan(alpha):
            integral = torch.atan(torch.pi * alpha / 2 * z) / torch.pi
        case Sigmoid(alpha):
            integral = torch.sigmoid(alpha * z)
        case Rectangle(width):
            integral = z.clamp(-width / 2, width / 2) / width
        case _:
            raise AssertionError(surrogate)
    return (z >= 0).to(z.dtype) + (integral - integral.detach())


def up(u: Tensor, levels: int, surrogate: Surrogate, above: bool = False) -> Tensor:
    """Σ_k [u >= k], or [u > k], term by term."""
    total = torch.zeros_like(u)
    for k in range(1, levels + 1):
        s = soft_step(surrogate, u - k)
        tie = (u.detach() == k).to(u.dtype) if above else 0
        total = total + s - tie
    return total


def plain_loop(
    op: ops.IntegrateFire, x: Tensor, known: Callable[[Array], Tensor], g: Any
) -> Tensor:
    """The equations of IntegrateFire, one term at a time."""
    surrogate, detached = g
    zero = torch.zeros((), dtype=x.dtype)
    theta = known(op.threshold)

    def maybe(array: Array | None, otherwise: Tensor = zero) -> Tensor:
        return otherwise if array is None else known(array)

    phi, amplitude = maybe(op.negative_threshold, theta), maybe(op.amplitude, theta)
    k, rest, back = map(maybe, (op.leak_constant, op.rest_potential, op.reset_potential))
    v = maybe(op.v0).expand_as(x[0])
    sent, result = torch.zeros_like(x[0]), []
    above = op.comparison is Comparison.ABOVE

    def charge(v: Tensor, x: Tensor) -> Tensor:
        if op.leak is Leak.DECAY:
            return rest + k * (v - rest) + x
        if op.leak is Leak.DECAY_INPUT:
            return v + (x - (v - rest)) / k
        return v + x

    def fire(h: Tensor) -> tuple[Tensor, Tensor]:
        plus = up(h / theta, op.levels, surrogate, above)
        if op.negative is Negative.NONE:
            return plus, torch.zeros_like(plus)
        if op.negative is Negative.CORRECTION:  # Σ_{k=0..levels-1} [-h / φ > k]
            minus = up(1 - h / phi, op.levels, surrogate, above=True)
        else:
            minus = up(-h / phi, op.levels, surrogate, above)
        if op.negative is not Negative.FREE:
            bound = sent.clamp(min=0)
            minus = torch.where(minus <= bound, minus, bound)
        return plus, minus

    def settle(h: Tensor, plus: Tensor, minus: Tensor) -> Tensor:
        if detached:
            plus, minus = plus.detach(), minus.detach()
        fired = plus + minus
        hard = op.reset is Reset.HARD
        v = (1 - fired) * h + fired * back if hard else h - theta * plus + phi * minus
        return torch.where(fired > 0, v, rest + k * (v - rest)) if op.leak is Leak.SILENT else v

    for now in x:
        if op.decision is Decision.AFTER_INPUT:
            h = charge(v, now)
            plus, minus = fire(h)
            v = settle(h, plus, minus)
        else:
            plus, minus = fire(v)
            if op.reset is Reset.HARD or op.leak is Leak.SILENT:
                v = charge(settle(v, plus, minus), now)
            else:
                a, b = (plus.detach(), minus.detach()) if detached else (plus, minus)
                v = charge(v, now) - theta * a + phi * b
        sent = sent + plus - minus
        result.append(amplitude * (plus - minus))
    return torch.stack(result)
