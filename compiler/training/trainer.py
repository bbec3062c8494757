"""The loop: batches, epochs, the choice of the best epoch, checkpoints.

The order of samples is a function of seed and epoch alone, so that a training that goes on from a
checkpoint ends in the same numbers as one that was never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikec.ir import Graph
from spikec.runtime.bptt import Network
from spikec.runtime.bptt.neurons import Setting
from spikec.training import checkpoint
from spikec.training.checkpoint import Standing
from spikec.training.learned import Learned, Parameter
from spikec.training.objective import Objective, Samples
from spikec.training.options import Options

Progress = Callable[[int, int], None]
"""Called with the number of batches that are done, and of all."""


@dataclass(frozen=True)
class Keeping:
    """Where and how often the standing is written."""

    path: Path | None = None
    every: int = 0
    """batches; 0: at the end of each epoch"""
    identity: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Trainer:
    """One fine-tuning."""

    learned: Learned
    reference: Graph
    steps: int
    options: Options
    keeping: Keeping = field(default_factory=Keeping)
    progress: Progress = lambda done, total: None
    on_epoch: Callable[[list[dict[str, float]]], None] = lambda history: None

    def __post_init__(self) -> None:
        setting = Setting(self.learned.constants, self.options.smooth, self.options.detached)
        self.network = Network(self.learned.graph, setting)
        self.objective = Objective(
            self.learned.graph, self.reference, self.options, self.learned.constants.device
        )
        groups = [
            {"params": [p.free], "lr": self._rate(p), "weight_decay": self._decay(p.kind)}
            for p in self.learned.parameters
        ]
        self.optimiser = torch.optim.AdamW(groups)
        self.rates = [float(group["lr"]) for group in self.optimiser.param_groups]

    def run(self, seen: Samples, held: Samples | None, standing: Standing | None) -> Standing:
        """Train to the end, from the beginning or from where a checkpoint stands."""
        now = standing or self._fresh(held)
        if standing is not None:
            self._restore(standing)
        per_epoch = -(-len(seen) // self.options.batch)
        while now.epoch < self.options.epochs and not self._exhausted(now):
            for index, rows in self._batches(len(seen), now):
                self._learn(seen.rows(rows), now, (index, per_epoch))
                self.progress(now.epoch * per_epoch + index + 1, self.options.epochs * per_epoch)
                if self.keeping.every and (index + 1) % self.keeping.every == 0:
                    self._keep(now)
            self._close(now, len(seen), held)
        return now

    def best(self, standing: Standing) -> None:
        """Let the best epoch be what was learned."""
        self._give(standing.best)

    def _fresh(self, held: Samples | None) -> Standing:
        free = [p.free.detach().cpu().clone() for p in self.learned.parameters]
        now = Standing(free, [x.clone() for x in free])
        if held is not None:
            now.history.append({"epoch": 0, **self.score(held)})
            self.on_epoch(now.history)
        return now

    def _restore(self, standing: Standing) -> None:
        self._give(standing.free)
        checkpoint.give_moments(self.optimiser, standing.moments)

    def _give(self, tensors: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, tensor in zip(self.learned.parameters, tensors, strict=True):
                parameter.free.copy_(tensor)

    def _batches(self, count: int, now: Standing) -> Iterator[tuple[int, Tensor]]:
        """Give the batches of the next epoch that are still to be done, and their places."""
        rng = np.random.default_rng((self.options.seed, now.epoch))
        order = torch.from_numpy(rng.permutation(count))
        for index, rows in enumerate(torch.split(order, self.options.batch)):
            if index >= now.batch:
                yield index, rows

    def _learn(self, batch: Samples, now: Standing, place: tuple[int, int]) -> None:
        index, per_epoch = place
        factor = self.options.factor(now.epoch + index / per_epoch)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.optimiser.zero_grad()
        loss, right = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares none
        if self.options.clip:
            torch.nn.utils.clip_grad_norm_(
                [p.free for p in self.learned.parameters], self.options.clip
            )
        self.optimiser.step()
        now.batch = index + 1
        now.sums = [now.sums[0] + float(loss.detach()) * len(batch), now.sums[1] + right]

    def _loss(self, batch: Samples) -> tuple[Tensor, float]:
        """Give the mean loss, and the number of right answers (agreement where no labels are)."""
        batch = batch.on(self.learned.constants.device)
        self.learned.refresh()
        found = self.network.values(batch.inputs, self.steps)
        answers = found[self.network.graph.outputs[0].inputs[0]]
        answers = answers[-1] if answers.dim() == 3 else answers
        loss = self.objective(found, answers, batch)
        return loss, float((answers.argmax(-1) == batch.targets()).sum())

    def score(self, samples: Samples) -> dict[str, float]:
        """Give loss and accuracy on samples that are not learned from."""
        loss = right = 0.0
        with torch.no_grad():
            for rows in torch.split(torch.arange(len(samples)), self.options.batch):
                one, correct = self._loss(samples.rows(rows))
                loss, right = loss + float(one) * len(rows), right + correct
        return {"validation_loss": loss / len(samples), "validation": right / len(samples)}

    def _close(self, now: Standing, count: int, held: Samples | None) -> None:
        """End an epoch: score it, choose the better one, write the standing."""
        now.epoch, now.batch = now.epoch + 1, 0
        loss, right = now.sums
        now.sums = [0.0, 0.0]
        record = {"epoch": now.epoch, "loss": loss / count, "accuracy": right / count}
        now.free = [p.free.detach().cpu().clone() for p in self.learned.parameters]
        if held is not None:
            record |= self.score(held)
        now.history.append(record)
        if now.kept == now.epoch:
            now.best = [x.clone() for x in now.free]
        self.on_epoch(now.history)
        self._keep(now)

    def _keep(self, now: Standing) -> None:
        if self.keeping.path is None:
            return
        now.free = [p.free.detach().cpu().clone() for p in self.learned.parameters]
        now.moments = checkpoint.moments_of(self.optimiser)
        checkpoint.write(self.keeping.path, now, self.keeping.identity)

    def _exhausted(self, now: Standing) -> bool:
        patience = self.options.patience
        return bool(patience) and now.epoch - now.kept >= patience

    def _rate(self, parameter: Parameter) -> float:
        if parameter.kind != "weights":
            return self.options.threshold_rate
        return self.options.rate * float(parameter.free.detach().abs().mean())

    def _decay(self, kind: str) -> float:
        return self.options.weight_decay if kind == "weights" else 0.0
