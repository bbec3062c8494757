"""What the fused scans share: the neuron's rule, and sums of derivatives by its parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikec.ir import ops
from spikec.ir.ops.neuron_rules import Leak, Reset
from spikec.runtime.bptt.neurons import Setting


@dataclass(frozen=True)
class Rule:
    """What does not change from step to step."""

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


class Sums:
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
