"""The delta code: frames come in step by step, and only what has changed is sent on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.ir import Editor, Graph, Node, Op, ops
from spikec.ir.ops import CumulativeSum, Impulse, SigmaDelta
from spikec.pipeline import Context, Exactly, Promise, check_option
from spikec.pipeline.bounds import check_bounds
from spikec.pipeline.once import deliver_once
from spikec.pipeline.spiking import SpikingRewrite
from spikec.pipeline.wholeness import rounded_between, sends_counts


@dataclass(frozen=True)
class SpikeDelta(SpikingRewrite):
    """QuantReLU(step s, N levels) becomes a sigma-delta neuron; inputs become frames over time.

    A neuron sums up all changes of its current and sends the change of its activation, where that
    is at least ``deadband`` quanta.  With deadband 1 the output after frame t is that of the
    quantised network on frame t, whatever came before; what does not change costs no event.
    """

    deadband: int = 1
    """smallest change that is sent, in quanta"""

    name: ClassVar[str] = "spike-delta"
    promise: ClassVar[Promise] = Exactly(1e-6)
    every_step: ClassVar[bool] = False
    keeps_signs: ClassVar[bool] = True
    functions: ClassVar[bool] = True
    telescopes: ClassVar[bool] = True
    frames: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_option(f"{self.name}.deadband", self.deadband, 1, 2**24)

    def apply(self, edit: Editor, context: Context) -> None:
        sites = [node.op for node in edit.graph if isinstance(node.op, ops.QuantReLU)]
        if sites and sends_counts(edit.graph):
            check_bounds(edit.graph, max(site.levels - site.low for site in sites))
        super().apply(edit, context)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        return SigmaDelta(site.step, site.levels, site.low, self.deadband, amplitude=site.amplitude)

    def source(self) -> Op:
        return Impulse()

    def readout(self, context: Context) -> Op:
        return CumulativeSum()

    def on_decoded(self, graph: Graph) -> set[Node]:
        """In a network of whole numbers: what is none, whose rounded changes would not add up."""
        return rounded_between(graph)

    def settle(self, graph: Graph, edit: Editor) -> None:
        """Deliver every bias once instead of at every step."""
        deliver_once(graph, edit)
