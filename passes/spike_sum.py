"""The sum code: bipolar neurons with a tracer, whose events add up to the activation exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikec.ir import Array, Editor, Graph, Node, Op, ops
from spikec.ir.ops import BipolarIF, CumulativeSum, Impulse
from spikec.pipeline import Context, Exactly, Promise, check_option
from spikec.pipeline.bounds import check_bounds
from spikec.pipeline.once import deliver_once
from spikec.pipeline.spiking import SpikingRewrite
from spikec.pipeline.wholeness import rounded_between, sends_counts


@dataclass(frozen=True)
class SpikeSum(SpikingRewrite):
    """QuantReLU(step s, N levels) becomes ST-BIF with threshold s and tracer bounds low..N.

    Inputs and biases come once, at the first step.  When no neuron fires any more, each tracer is
    clip(floor(Σ x / s + 1/2), low, N), whatever the order of events: the quantised network's value.
    """

    levels: int = 7
    """most quanta that a neuron sends or takes back in one step"""
    within: int = 0
    """steps in which every neuron can reach its highest level: those that could not in so few send
    more quanta than ``levels``; 0: none does"""

    name: ClassVar[str] = "spike-sum"
    promise: ClassVar[Promise] = Exactly(1e-6)
    every_step: ClassVar[bool] = False
    keeps_signs: ClassVar[bool] = True
    functions: ClassVar[bool] = True
    telescopes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_option(f"{self.name}.levels", self.levels, 1, 2**24)
        check_option(f"{self.name}.within", self.within, 0, 10**6)

    def apply(self, edit: Editor, context: Context) -> None:
        if sends_counts(edit.graph):  # also over time
            sites = [node.op for node in edit.graph if isinstance(node.op, ops.QuantReLU)]
            check_bounds(edit.graph, max(map(self._burst, sites), default=self.levels))
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
            levels=self._burst(site),
            v0=Array(v0, "float32"),
            amplitude=site.amplitude,
        )

    def _burst(self, site: ops.QuantReLU) -> int:
        """Give m, the most quanta per step."""
        most = max(site.levels, -site.low)
        return max(self.levels, -(-most // self.within) if self.within else 0)

    def on_decoded(self, graph: Graph) -> set[Node]:
        """In a network of whole numbers: what is none, whose rounded changes would not add up."""
        return rounded_between(graph)

    def source(self) -> Op:
        return Impulse()

    def readout(self, context: Context) -> Op:
        return CumulativeSum()

    def settle(self, graph: Graph, edit: Editor) -> None:
        """Deliver every bias once instead of at every step."""
        deliver_once(graph, edit)
