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

    N = (2^n - 1) T.  With v(0) = λ/2 and a constant input z the mean over T steps is
    (λ/T) clip(floor(T z / λ + 1/2), 0, N) = s clip(round(z / s), 0, N).
    """

    n: int = 4
    """thresholds per neuron: a graded event carries n bits"""

    name: ClassVar[str] = "spike-graded"
    promise: ClassVar[Promise] = Approximately("spikes of earlier layers do not arrive evenly")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.n", self.n, 1, 16)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        levels = (2**self.n - 1) * context.steps
        if site.levels != levels:
            raise UsageError(f"{site.levels} levels", expected=f"{levels} = (2^{self.n} - 1) T")
        smallest = site.step.data.astype(np.float64) * context.steps
        return MultiThreshold(
            threshold=Array(smallest * 2 ** (self.n - 1), "float32"),
            count=self.n,
            v0=Array(smallest / 2, "float32"),
        )
