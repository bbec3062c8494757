"""Fits all weights and quantisers together, by gradient descent towards the analog network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from spikec.calibrate import chosen
from spikec.errors import UsageError
from spikec.ir import Editor, Graph, Sizes, Stage
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.roles import is_site

BACKWARD = 3
"""passes that a pass with its derivatives costs"""


@dataclass(frozen=True)
class TuneQuantised(Pass):
    """W, b and s of a quantised network  ->  those with the least error of outputs and sites.

    ``epochs`` sweeps over ``samples`` calibration samples, without labels: see ``calibrate.tune``.
    ``budget`` bounds the multiplications, in 10¹² (derivatives included): where it does not last
    for all epochs there are fewer of them, none for large networks.  What was done stands in the
    program's record.
    """

    epochs: int = 24
    samples: int = 1024
    budget: float = 10.0

    name: ClassVar[str] = "tune-quantised"
    promise: ClassVar[Promise] = Approximately(
        "weights and steps move to less error of the outputs"
    )

    def __post_init__(self) -> None:
        check_option(f"{self.name}.epochs", self.epochs, 0, 10**6)
        check_option(f"{self.name}.samples", self.samples, 1, 10**9)
        check_option(f"{self.name}.budget", self.budget, 0, 10**9)

    def apply(self, edit: Editor, context: Context) -> None:
        graph = edit.graph
        if self.name in context.record or graph.stage is not Stage.ANALOG:
            return
        if not self.epochs or not any(map(is_site, graph)):
            return
        if context.calibration is None or context.reference is None:
            raise UsageError(
                f"{self.name} needs calibration data and the analog network",
                remedy="give calibration=data, and put keep-reference in front of the thresholds",
            )
        from spikec.calibrate.tune import tune
        from spikec.runtime.gradient import without_gradient

        samples = chosen(context.calibration, self.samples)
        count = len(next(iter(samples.values())))
        epochs = min(self.epochs, int(self.budget * 1e12 / max(1, _macs(graph) * count * BACKWARD)))
        record: dict[str, Any] = {"epochs": epochs, "samples": count}
        context.record[self.name] = record
        if unknown := without_gradient(graph):
            record |= {"epochs": 0, "without_gradient": [node.name for node in unknown]}
        elif epochs:
            tuned = tune(graph, context.reference, samples, epochs, context.seed, context.on_part)
            record |= {"loss_before": tuned.before, "loss_after": tuned.after}
            for name, op in tuned.ops.items():
                edit.change_op(graph[name], op)


def _macs(graph: Graph) -> int:
    """Count the multiplications of one sample."""
    one = Sizes(1, 1)
    return sum(one.of(node.op.macs(node.input_types, node.output_types)) for node in graph)
