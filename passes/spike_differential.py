"""The differential code: events correct a decoded mean, and weigh less and less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikec.ir import Array, Editor, Graph, Op, ops
from spikec.ir.ops import Difference, Differential, DifferentialReadout, Impulse, TimeScale
from spikec.pipeline import Approximately, Context, Promise, check_option
from spikec.pipeline.once import deliver_once
from spikec.pipeline.spiking import Around, SpikingRewrite


@dataclass(frozen=True)
class SpikeDifferential(SpikingRewrite):
    """QuantReLU(step s, N levels) becomes a differential neuron with levels ±θ/2^k, θ = N s.

    A train y stands for m[t] = Σ_{τ <= t} y[τ] / τ; k < n.  Inputs and biases come once, at the
    first step.  Where m is right already nothing is sent; once its input is at rest, the error of m
    falls at least like 1/t: |m[t] - z| <= 3/4 · θ / 2^(n-1) / t, up to what was clipped.  Sites of
    signed values (low < 0) may go below 0, others may not.
    """

    n: int = 4
    """levels of each sign"""
    signed: int = 8
    """levels of each sign of neurons that carry signed values"""

    name: ClassVar[str] = "spike-differential"
    promise: ClassVar[Promise] = Approximately("decoded means come near their values step by step")
    every_step: ClassVar[bool] = False
    keeps_signs: ClassVar[bool] = True
    functions: ClassVar[bool] = True
    telescopes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_option(f"{self.name}.n", self.n, 1, 16)
        check_option(f"{self.name}.signed", self.signed, 1, 16)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        full = site.step.data.astype(np.float64) * site.levels
        rectify = site.low >= 0
        count = self.n if rectify else self.signed
        return Differential(Array(full, "float32"), count, rectify=rectify)

    def source(self) -> Op:
        return Impulse()

    def readout(self, context: Context) -> Op:
        return DifferentialReadout()

    def around(self, homogeneous: bool) -> Around:
        """y[t] = t (f(m[t]) - f(m[t-1])), so that Σ y[τ] / τ = f(m[t]) after every step."""
        return (DifferentialReadout(),), (Difference(), TimeScale(1))

    def settle(self, graph: Graph, edit: Editor) -> None:
        """Deliver every bias once instead of at every step."""
        deliver_once(graph, edit)
