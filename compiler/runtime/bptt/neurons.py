"""Scans in torch, one step at a time: the same numbers as the ops give, with derivatives.

A step takes and gives what :class:`spikec.ir.op.ScanOp` does.  Whatever a spike takes from the
potential is part of the derivative, unless resets are ``detached``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikec.ir import Array, Op, ops
from spikec.ir.ops.neuron_multilevel import Firing
from spikec.ir.ops.neuron_rules import Comparison, Decision, Leak, Negative, Reset
from spikec.runtime.bptt.fire import negative_quanta, quanta
from spikec.runtime.layerwise.kernels import Constants
from spikec.runtime.surrogate import Surrogate

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Setting:
    """What all neurons of a run share."""

    constants: Constants
    surrogate: Surrogate
    detached: bool = False

    def number(self, array: Array | None, like: Tensor) -> Tensor:
        """Give a parameter; absent means 0."""
        return like.new_zeros(()) if array is None else self.constants(array)

    def filled(self, array: Array | None, x: Tensor) -> Tensor:
        """Give a state that holds a parameter everywhere; absent means 0."""
        return self.number(array, x).expand_as(x)

    def reset(self, n: Tensor) -> Tensor:
        """Give the events as a reset sees them."""
        return n.detach() if self.detached else n


class IntegrateFire:
    """See :class:`spikec.ir.ops.IntegrateFire`."""

    def __init__(self, op: ops.IntegrateFire, setting: Setting, x: Tensor) -> None:
        self.op, self.setting = op, setting
        self.theta = setting.constants(op.threshold)
        phi = op.negative_threshold
        self.phi = self.theta if phi is None else setting.constants(phi)
        amplitude = op.threshold if op.amplitude is None else op.amplitude
        self.amplitude = setting.constants(amplitude)
        self.v = setting.filled(op.v0, x)
        self.sent = torch.zeros_like(x)

    def step(self, x: Tensor, time: int) -> Tensor:
        op = self.op
        if op.decision is Decision.AFTER_INPUT:
            h = self._charged(self.v, x)
            up, down = self._fired(h)
            self.v = self._settled(h, up, down)
        else:
            up, down = self._fired(self.v)
            if op.reset is Reset.HARD or op.leak is Leak.SILENT:
                self.v = self._charged(self._settled(self.v, up, down), x)
            else:
                self.v = self._charged(self.v, x) - self._taken(up, down)
        n = up if down is None else up - down
        self.sent = self.sent + n
        return n * self.amplitude

    def _charged(self, v: Tensor, x: Tensor) -> Tensor:
        return charged(self.op, self.setting, v, x)

    def _fired(self, h: Tensor) -> tuple[Tensor, Tensor | None]:
        op, surrogate = self.op, self.setting.surrogate
        up = quanta(h, self.theta, op.levels, op.comparison, surrogate)
        if op.negative is Negative.NONE:
            return up, None
        rule = (op.negative, op.comparison, surrogate)
        return up, negative_quanta(h, self.sent, self.phi, op.levels, rule)

    def _taken(self, up: Tensor, down: Tensor | None) -> Tensor:
        taken = self.theta * self.setting.reset(up)
        return taken if down is None else taken - self.phi * self.setting.reset(down)

    def _settled(self, h: Tensor, up: Tensor, down: Tensor | None) -> Tensor:
        op, setting = self.op, self.setting
        fired = setting.reset(up if down is None else up + down)
        if op.reset is Reset.HARD:
            v = (1 - fired) * h + fired * setting.number(op.reset_potential, h)
        else:
            v = h - self._taken(up, down)
        if op.leak is not Leak.SILENT:
            return v
        rest, k = setting.number(op.rest_potential, h), setting.number(op.leak_constant, h)
        return torch.where(fired.detach() != 0, v, rest + k * (v - rest))


class Accumulator:
    """See :class:`spikec.ir.ops.Accumulator`."""

    def __init__(self, op: ops.Accumulator, setting: Setting, x: Tensor) -> None:
        self.op, self.setting = op, setting
        self.v = setting.filled(op.v0, x)

    def step(self, x: Tensor, time: int) -> Tensor:
        self.v = charged(self.op, self.setting, self.v, x)
        return self.v


class MultiThreshold:
    """See :class:`spikec.ir.ops.MultiThreshold`."""

    def __init__(self, op: ops.MultiThreshold, setting: Setting, x: Tensor) -> None:
        self.op, self.setting = op, setting
        self.quantum = setting.constants(op.threshold) * 0.5 ** (op.count - 1)
        amplitude = op.amplitude
        self.amplitude = self.quantum if amplitude is None else setting.constants(amplitude)
        self.v = setting.filled(op.v0, x)
        self.sent = torch.zeros_like(x)

    def step(self, x: Tensor, time: int) -> Tensor:
        op, most = self.op, (1 << self.op.count) - 1
        surrogate = self.setting.surrogate
        h = self.v + x
        n = self._used(quanta(h, self.quantum, most, Comparison.AT_LEAST, surrogate))
        if op.negative is not Negative.NONE:
            rule = (op.negative, Comparison.AT_LEAST, surrogate)
            n = n - self._used(negative_quanta(h, self.sent, self.quantum, most, rule))
        self.v = h - self.quantum * self.setting.reset(n)
        self.sent = self.sent + n
        return n * self.amplitude

    def _used(self, n: Tensor) -> Tensor:
        """Keep the highest binary digit where no more may be sent; the derivative is that of n."""
        if self.op.firing is Firing.ALL:
            return n
        whole = n.detach()
        exponent = torch.frexp(whole)[1]
        powers = torch.ldexp(torch.full_like(whole, 0.5), exponent)
        highest = torch.where(whole > 0, powers, torch.zeros_like(whole))
        return n + (highest - whole)


def charged(
    op: ops.IntegrateFire | ops.Accumulator, setting: Setting, v: Tensor, x: Tensor
) -> Tensor:
    """Let the potential decay and add the current."""
    if op.leak in (Leak.NONE, Leak.SILENT):
        return v + x
    k, r = setting.number(op.leak_constant, x), setting.number(op.rest_potential, x)
    return r + k * (v - r) + x if op.leak is Leak.DECAY else v + (x - (v - r)) / k


STEPS: Mapping[type[Op], Callable[[Any, Setting, Tensor], Any]] = {
    ops.IntegrateFire: IntegrateFire,
    ops.Accumulator: Accumulator,
    ops.MultiThreshold: MultiThreshold,
}


def stepped(op: Op, x: Tensor, setting: Setting) -> Tensor:
    """Go through [steps, ...] one step after the other; torch records each."""
    scan = STEPS[type(op)](op, setting, x[0])
    return torch.stack([scan.step(now, time) for time, now in enumerate(x.unbind(0), start=1)])
