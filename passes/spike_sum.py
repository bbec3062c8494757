"""The sum code: bipolar neurons with a tracer, whose events add up to the activation exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikec.ir import Array, Editor, Graph, Op, ops
from spikec.ir.ops import BipolarIF, CumulativeSum, Impulse
from spikec.pipeline import Context, Exactly, Promise, check_option
from spikec.pipeline.bounds import check_bounds
from spikec.pipeline.once import deliver_once
from spikec.pipeline.spiking import SpikingRewrite


@dataclass(frozen=True)
class SpikeSum(SpikingRewrite):
    """QuantReLU(step s, N levels) becomes ST-BIF with threshold s and tracer bounds low..N.

    Inputs and biases come once, at the first step.  When no neuron fires any more, each tracer is
    clip(floor(Σ x / s + 1/2), low, N), whatever the order of events: the quantised network's value.
    """

    levels: int = 7
    """most quanta that a neuron sends or takes back in one step"""

    name: ClassVar[str] = "spike-sum"
    promise: ClassVar[Promise] = Exactly(1e-6)
    every_step: ClassVar[bool] = False
    keeps_signs: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_option(f"{self.name}.levels", self.levels, 1, 2**24)

    def apply(self, edit: Editor, context: Context) -> None:
        sites = [node.op for node in edit.graph if isinstance(node.op, ops.QuantReLU)]
        if all(site.amplitude is not None for site in sites):  # whole numbers, also over time
            check_bounds(edit.graph, self.levels)
        super().apply(edit, context)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        step = site.step.data.astype(np.float64)
        whole = bool((step == np.round(step)).all())
        # in integers floor((x + floor(s/2)) / s) = floor(x/s + 1/2), for odd s too
        v0 = np.floor(step / 2) if whole else step / 2
        return BipolarIF(
            threshold=site.step,
            high=site.levels,
            low=site.low,
            levels=self.levels,
            v0=Array(v0, "float32"),
            amplitude=site.amplitude,
        )

    def source(self) -> Op:
        return Impulse()

    def readout(self, context: Context) -> Op:
        return CumulativeSum()

    def settle(self, graph: Graph, edit: Editor) -> None:
        """Deliver every bias once instead of at every step."""
        deliver_once(graph, edit)
