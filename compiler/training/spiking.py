"""A program as what is trained: its free tensors, and the loss of a batch through time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikec.ir import Graph
from spikec.runtime.bptt import Network
from spikec.runtime.bptt.neurons import Setting
from spikec.training.learned import Learned, Parameter
from spikec.training.objective import Objective, Samples
from spikec.training.options import Options


@dataclass
class SpikingTask:
    """A graph that is learned, beside its network."""

    learned: Learned
    reference: Graph
    steps: int
    options: Options

    def __post_init__(self) -> None:
        options, constants = self.options, self.learned.constants
        self.device = constants.device
        setting = Setting(constants, options.smooth, options.detached)
        self.network = Network(self.learned.graph, setting)
        self.objective = Objective(self.learned.graph, self.reference, options, self.device)
        groups = [
            {"params": [p.free], "lr": self._rate(p), "weight_decay": self._decay(p.kind)}
            for p in self.learned.parameters
        ]
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW(groups)
        self.state = [p.free for p in self.learned.parameters]

    def loss(self, batch: Samples, draw: int | None) -> tuple[Tensor, float]:
        """Give the mean loss, and the number of right answers (agreement where no labels are)."""
        self.learned.refresh()
        dropout = self.options.dropout if draw is not None else 0.0
        feed = {name: self._shown(name, x) for name, x in batch.inputs.items()}
        found = self.network.values(feed, self.steps, dropout, draw or 0)
        answers = found[self.network.graph.outputs[0].inputs[0]]
        answers = answers[-1] if answers.dim() == 3 else answers
        loss = self.objective(found, answers, batch)
        return loss, float((answers.argmax(-1) == batch.targets()).sum())

    def _shown(self, name: str, x: Tensor) -> Tensor:
        """Put the steps of recordings where the graph has them; still samples stand still."""
        declared = self.network.graph[name].outputs[0].type
        if declared.time_axis is None:
            return x
        if x.dim() == declared.rank:
            return x.movedim(0, declared.batch_axis or 0)
        return x.expand(self.steps, *x.shape).movedim(0, declared.time_axis)

    def _rate(self, parameter: Parameter) -> float:
        if parameter.kind != "weights":
            return self.options.threshold_rate
        return self.options.rate * float(parameter.free.detach().abs().mean())

    def _decay(self, kind: str) -> float:
        return self.options.weight_decay if kind == "weights" else 0.0
