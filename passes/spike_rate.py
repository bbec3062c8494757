"""The rate code: integrate-and-fire neurons whose mean output is the activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikec.errors import UsageError
from spikec.ir import Array, Op, ops
from spikec.ir.ops import IntegrateFire, Negative
from spikec.pipeline import Approximately, Context, Promise, check_option
from spikec.pipeline.spiking import MeanCode


@dataclass(frozen=True)
class SpikeRate(MeanCode):
    """QuantReLU(step s, N levels) becomes IF with θ = T s, v(0) = v0 θ and N / T levels per step.

    With v0 = 1/2 and a constant input z the mean over T steps is exactly
    (θ/T) clip(floor(T z / θ + 1/2), 0, N) = s clip(round(z / s), 0, N).
    Inputs and biases come at every step; logits are the mean over steps.

    ::

        %a = QuantReLU(%x; step=s, levels=8)   ->   %r = Repeat(%x)
                                                    %a = IntegrateFire(%r; threshold=8 s, v0=4 s)
    """

    signed: bool = False
    """take wrong events back as soon as the potential is below 0"""
    v0: float = 0.5
    """initial potential, in thresholds"""

    name: ClassVar[str] = "spike-rate"
    promise: ClassVar[Promise] = Approximately("spikes of earlier layers do not arrive evenly")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.v0", self.v0, 0, 1)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        threshold = site.step.data.astype(np.float64) * context.steps
        return IntegrateFire(
            threshold=Array(threshold, "float32"),
            levels=levels_per_step(site.levels, context.steps),
            v0=Array(self.v0 * threshold, "float32"),
            negative=Negative.CORRECTION if self.signed else Negative.NONE,
        )


def levels_per_step(levels: int, steps: int) -> int:
    """Give N / T, which must be whole: a neuron sends at most so many quanta at once."""
    if levels % steps:
        raise UsageError(
            f"{levels} levels in {steps} steps",
            expected="as many levels as steps, or a multiple",
            remedy=f"steps={levels}, or levels={steps * max(1, round(levels / steps))}",
        )
    return levels // steps
