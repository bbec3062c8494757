"""Graded spikes: neurons that fire several power-of-two thresholds in one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikec.errors import UsageError
from spikec.ir import Array, Op, ops
from spikec.ir.ops import MultiThreshold
from spikec.pipeline import Approximately, Context, Promise, check_option
from spikec.pipeline.spiking import MeanCode


@dataclass(frozen=True)
class SpikeGraded(MeanCode):
    """QuantReLU(step s, N levels) becomes H-MT with n thresholds, the smallest λ = T s.

    N = (2^n - 1) T, where a layer may have fewer thresholds.  With v(0) = λ/2 and a constant
    input z the mean over T steps is (λ/T) clip(floor(T z / λ + 1/2), 0, N)
    = s clip(round(z / s), 0, N).
    """

    n: int = 4
    """most thresholds per neuron: a graded event carries n bits"""

    name: ClassVar[str] = "spike-graded"
    promise: ClassVar[Promise] = Approximately("spikes of earlier layers do not arrive evenly")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.n", self.n, 1, 16)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        n = (site.levels // context.steps + 1).bit_length() - 1
        if site.levels != (2**n - 1) * context.steps or not 1 <= n <= self.n:
            most = (2**self.n - 1) * context.steps
            raise UsageError(
                f"{site.levels} levels", expected=f"(2^n - 1) T, up to {most}, n = {self.n}"
            )
        smallest = site.step.data.astype(np.float64) * context.steps
        return MultiThreshold(
            threshold=Array(smallest * 2 ** (n - 1), "float32"),
            count=n,
            v0=Array(smallest / 2, "float32"),
        )
