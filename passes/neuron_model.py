"""Sets how integrate-and-fire neurons leak, reset and decide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spikec.ir import Array, Editor
from spikec.ir.ops import IntegrateFire
from spikec.ir.ops.neuron_rules import Comparison, Decision, Leak, Reset
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option


@dataclass(frozen=True)
class NeuronModel(Pass):
    """v <- leak v + x at each step; soft reset: v <- v - θ, hard reset: v <- 0, where it fired.

    With ``delay`` a neuron decides from the potential that the step before left behind, and fires
    where that is above θ: o[t] = [v[t-1] > θ], v[t] = leak v[t-1] + x[t] - θ o[t] (DCT-SNN).  Each
    layer then adds a step before anything comes out.
    """

    leak: float = 1.0
    """share of the potential that a step keeps; 1 forgets nothing"""
    reset: Reset = Reset.SOFT
    delay: bool = False

    name: ClassVar[str] = "neuron-model"
    promise: ClassVar[Promise] = Approximately("other neurons than those that count without loss")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.leak", self.leak, 0, 1)

    def apply(self, edit: Editor, context: Context) -> None:
        for node in edit.graph.nodes:
            if isinstance(node.op, IntegrateFire):
                changed = self._changed(node.op)
                if changed != node.op:
                    edit.change_op(node, changed)

    def _changed(self, op: IntegrateFire) -> IntegrateFire:
        leaky = self.leak < 1
        return replace(
            op,
            leak=Leak.DECAY if leaky else Leak.NONE,
            leak_constant=Array(self.leak, "float32") if leaky else None,
            reset=self.reset,
            decision=Decision.BEFORE_INPUT if self.delay else Decision.AFTER_INPUT,
            comparison=Comparison.ABOVE if self.delay else Comparison.AT_LEAST,
        )
