"""The loop: batches, epochs, the choice of the best epoch, checkpoints.

The order of samples is a function of seed and epoch alone, so that a training that goes on from a
checkpoint ends in the same numbers as one that was never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from spikec.errors import DataError
from spikec.training import checkpoint
from spikec.training.checkpoint import Standing
from spikec.training.objective import Samples
from spikec.training.options import Loop

Progress = Callable[[int, int], None]
"""Called with the number of batches that are done, and of all."""


@dataclass(frozen=True)
class Keeping:
    """Where and how often the standing is written."""

    path: Path | None = None
    every: int = 0
    """batches; 0: at the end of each epoch"""
    identity: Mapping[str, Any] = field(default_factory=dict)


class Task(Protocol):
    """What is trained."""

    device: str
    optimiser: torch.optim.Optimizer
    state: list[Tensor]
    """all that training changes; always as many, though not always the same tensors"""

    def loss(self, batch: Samples, draw: int | None) -> tuple[Tensor, float]:
        """Give the mean loss, and the number of right answers.

        Whatever is drawn is a function of ``draw``; None: nothing is learned, and nothing drawn.
        """


def batches_of(count: int, batch: int) -> int:
    """Give the number of batches in an epoch; one sample that is left over joins the last of them.

    >>> batches_of(12, 4), batches_of(13, 4), batches_of(14, 4)
    (3, 3, 4)
    """
    alone = 1 < batch < count and count % batch == 1
    return -(-count // batch) - alone


@dataclass
class Trainer:
    """One training."""

    task: Task
    options: Loop
    keeping: Keeping = field(default_factory=Keeping)
    progress: Progress = lambda done, total: None
    on_epoch: Callable[[list[dict[str, float]]], None] = lambda history: None

    def __post_init__(self) -> None:
        self.optimiser = self.task.optimiser
        self.rates = [float(group["lr"]) for group in self.optimiser.param_groups]

    def run(self, seen: Samples, held: Samples | None, standing: Standing | None) -> Standing:
        """Train to the end, from the beginning or from where a checkpoint stands."""
        now = standing or self._fresh(held)
        if standing is not None:
            self._restore(standing)
        per_epoch = batches_of(len(seen), self.options.batch)
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
        free = self._taken()
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
            for own, tensor in zip(self.task.state, tensors, strict=True):
                if (own.shape, own.dtype) == (tensor.shape, tensor.dtype):
                    own.copy_(tensor)
                else:  # a buffer that the module has put another in the place of
                    own.data = tensor.to(own.device, copy=True)

    def _taken(self) -> list[Tensor]:
        return [x.detach().cpu().clone() for x in self.task.state]

    def _batches(self, count: int, now: Standing) -> Iterator[tuple[int, Tensor]]:
        """Give the batches of the next epoch that are still to be done, and their places."""
        rng = np.random.default_rng((self.options.seed, now.epoch))
        order = torch.from_numpy(rng.permutation(count))
        size = self.options.batch
        cuts = [size * index for index in range(1, batches_of(count, size))]
        for index, rows in enumerate(torch.tensor_split(order, cuts)):
            if index >= now.batch:
                yield index, rows

    def _learn(self, batch: Samples, now: Standing, place: tuple[int, int]) -> None:
        index, per_epoch = place
        factor = self.options.factor(now.epoch + index / per_epoch)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.optimiser.zero_grad()
        draw = (self.options.seed * 1_000_003 + now.epoch) * 1_000_003 + index
        loss, right = self._loss(batch, draw % 2**63)
        _check_finite(loss, "the loss")
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares none
        learned = [x for group in self.optimiser.param_groups for x in group["params"]]
        given = [x.grad for x in learned if x.grad is not None]
        dense = [x.coalesce().values() if x.is_sparse else x for x in given]
        # the largest one: squares of finite numbers may be infinite
        largest = get_total_norm([x for x in dense if x.numel()], inf)
        _check_finite(largest, "the derivative of the loss")
        if self.options.clip:
            torch.nn.utils.clip_grad_norm_(learned, self.options.clip)
        self.optimiser.step()
        now.batch = index + 1
        now.sums = [now.sums[0] + float(loss.detach()) * len(batch), now.sums[1] + right]

    def _loss(self, batch: Samples, draw: int) -> tuple[Tensor, float]:
        try:
            return self.task.loss(batch.on(self.task.device), draw)
        except ValueError as error:
            if len(batch) > 1:
                raise
            raise DataError(  # statistics of a batch, as of BatchNorm1d, need two
                f"the module does not learn from one sample alone: {error}",
                expected="2 samples or more in a batch",
                remedy="give more samples, or raise batch",
            ) from error

    def score(self, samples: Samples) -> dict[str, float]:
        """Give loss and accuracy on samples that are not learned from."""
        loss = right = 0.0
        with torch.no_grad():
            for rows in torch.split(torch.arange(len(samples)), self.options.batch):
                one, correct = self.task.loss(samples.rows(rows).on(self.task.device), None)
                loss, right = loss + float(one) * len(rows), right + correct
        return {"validation_loss": loss / len(samples), "validation": right / len(samples)}

    def _close(self, now: Standing, count: int, held: Samples | None) -> None:
        """End an epoch: score it, choose the better one, write the standing."""
        now.epoch, now.batch = now.epoch + 1, 0
        loss, right = now.sums
        now.sums = [0.0, 0.0]
        record = {"epoch": now.epoch, "loss": loss / count, "accuracy": right / count}
        now.free = self._taken()
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
        now.free = self._taken()
        now.moments = checkpoint.moments_of(self.optimiser)
        checkpoint.write(self.keeping.path, now, self.keeping.identity)

    def _exhausted(self, now: Standing) -> bool:
        patience = self.options.patience
        return bool(patience) and now.epoch - now.kept >= patience


def _check_finite(number: Tensor, what: str) -> None:
    if not torch.isfinite(number):
        raise DataError(
            f"{what} is not finite any more",
            remedy="lower the rate, or limit derivatives by clip",
        )
