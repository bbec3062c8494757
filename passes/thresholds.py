"""Gives every activation its quantiser: the thresholds of the neurons to come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate import RULES, Histogram, Rule, RuleName, alive_scale, observe
from spikec.calibrate.rules import Percentile
from spikec.errors import UsageError
from spikec.ir import Array, Editor, Node, ops
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.spiking import is_activation

MOST_LEVELS = 2**24
"""up to which float32 counts one by one"""


class Share(Enum):
    """Who has a threshold of its own."""

    CHANNEL = "channel"
    LAYER = "layer"


@dataclass(frozen=True)
class Thresholds(Pass):
    """ReLU(z), Clip(z; 0, h)  ->  QuantReLU(z; step s = θ/N, N levels), θ by ``rule``, θ <= h.

    ``levels`` is N for the whole run: levels per step times steps.
    """

    levels: int
    rule: RuleName = RuleName.MSE
    p: float = 99.9
    """percentile, for rule=percentile"""
    per: Share = Share.CHANNEL

    name: ClassVar[str] = "thresholds"
    promise: ClassVar[Promise] = Approximately("activations are clipped and rounded to levels")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.levels", self.levels, 1, MOST_LEVELS)
        check_option(f"{self.name}.p", self.p, 0, 100)

    def apply(self, edit: Editor, context: Context) -> None:
        sites = [node for node in edit.graph if is_activation(node)]
        if not sites:
            return
        if context.calibration is None:
            raise UsageError("thresholds need calibration data", remedy="give calibration=data")
        axes = {node.inputs[0]: channel_axis(node.inputs[0]) for node in sites}
        seen = observe(edit.graph, context.calibration, axes)
        for node in sites:
            scale = self._scale(node, seen[node.inputs[0]])
            context.record.setdefault("thresholds", {})[node.name] = scale.tolist()
            tail = (1,) * (-axes[node.inputs[0]] - 1)
            step = (
                (scale / self.levels).reshape(-1, *tail) if scale.size > 1 else scale / self.levels
            )
            edit.change_op(node, ops.QuantReLU(Array(step, "float32"), self.levels))

    def _scale(self, node: Node, seen: Histogram) -> NDArray[np.float64]:
        pooled = seen.pooled() if self.per is Share.LAYER else seen
        scale = alive_scale(self._rule().scale(pooled, self.levels))
        bound = node.op.high if isinstance(node.op, ops.Clip) else None
        return scale if bound is None else np.minimum(scale, bound)

    def _rule(self) -> Rule:
        kind = RULES[self.rule]
        return Percentile(self.p) if kind is Percentile else kind()
