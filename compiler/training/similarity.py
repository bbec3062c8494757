"""Codes that are learned by pairs: similarities of classes, hard ones and ones that are measured.

Spikinghash (arXiv 2501.06786): with codes b, labels y and a table S of similarities of classes,

    L = α / N² Σ_ij [log(1 + exp Ω_ij) - S[y_i, y_j] Ω_ij] + β CE,   Ω_ij = <b_i, b_j> / 2.

S begins as the identity.  Behind each round, S = λ I + (1 - λ) S_soft, where S_soft[c, d] is the
mean cosine of the potentials of all pairs of right answers of classes c and d in a batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from spikec.data import Data, read_data
from spikec.errors import Problem, UsageError
from spikec.training.finetune import Hooks, checked_device
from spikec.training.module import (
    History,
    ModuleTask,
    asking,
    check_time_axis,
    divided,
    fit_task,
    identity_of,
    tensors_of,
)
from spikec.training.objective import Samples
from spikec.training.options import FitOptions, is_number, is_whole
from spikec.training.trainer import batches_of

MODES = ("hard", "soft")
SHIFTS = {"01": (1.0, 0.0), "pm1": (2.0, -1.0)}
"""what codes of 0 and 1 are taken as: factor and shift"""


@dataclass(frozen=True)
class HashOptions:
    """What decides about similarities, beside the options of any training."""

    mode: str = "soft"
    """hard: S stays the identity"""
    alpha: float = 0.2
    """weight of the loss of pairs"""
    beta: float = 0.8
    """weight of the loss of classes"""
    code_values: str = "01"
    """what a code counts as in <b_i, b_j>: 01 as it is, or pm1, -1 and 1"""
    least: float = 0.4
    """similarities up to here are 0"""
    offset: float = 0.0
    """what is taken from potentials first; with the threshold, their signs tell bits apart"""
    first: int = 50
    """epochs of the first round, which is hard"""
    every: int = 20
    """epochs of a round behind it"""
    last: int = 20
    """epochs at the end that are a round each"""

    def __post_init__(self) -> None:
        wrong = [
            Problem(f"{name} is {getattr(self, name)!r}", expected=expected)
            for name, fine, expected in (
                ("mode", self.mode in MODES, " or ".join(MODES)),
                ("code_values", self.code_values in tuple(SHIFTS), " or ".join(SHIFTS)),
                ("alpha", is_number(self.alpha) and self.alpha >= 0, "0 or more"),
                ("beta", is_number(self.beta) and self.beta >= 0, "0 or more"),
                ("least", is_number(self.least) and -1 <= self.least < 1, "a cosine below 1"),
                ("offset", is_number(self.offset), "a finite number"),
                *((name, is_whole(getattr(self, name), 1), "1 or more") for name in _LENGTHS),
                ("last", is_whole(self.last, 0), "0 or more"),
            )
            if not fine
        ]
        if wrong:
            raise UsageError("options of hashing are wrong", problems=wrong)

    def rounds(self, epochs: int) -> tuple[int, ...]:
        """Give the epochs, counted from 0, at which rounds begin; soft ones need a second round.

        >>> HashOptions(first=5, every=3, last=2).rounds(12)
        (0, 5, 8, 10, 11)
        """
        single = max(self.first, epochs - self.last)
        middle = range(self.first, single, self.every)
        found = (0, *(e for e in middle if e < epochs), *range(single, epochs))
        if self.mode == "soft" and len(found) == 1:
            raise UsageError(
                f"a first round of {self.first} epochs in a training of {epochs}",
                expected="a round behind it, in which similarities are soft",
                remedy="lower first, train for longer, or take hard similarities",
            )
        return found


_LENGTHS = ("first", "every")


def pair_loss(codes: Tensor, similarity: Tensor, code_values: str = "01") -> Tensor:
    """1/N² Σ_ij [log(1 + exp Ω_ij) - m_ij Ω_ij], Ω_ij = <b_i, b_j> / 2: [N, bits], m [N, N]."""
    factor, shift = SHIFTS[code_values]
    values = codes * factor + shift
    likeness = values @ values.T / 2
    return (F.softplus(likeness) - similarity * likeness).mean()


class ClassSimilarity:
    """S, and the sums that the next one is made of; all of it tensors, for checkpoints."""

    def __init__(self, classes: int, least: float, device: str = "cpu") -> None:
        self.least = least
        self.hard = torch.eye(classes, device=device)
        self.table = self.hard.clone()
        """S"""
        self.sums = torch.zeros_like(self.hard)
        """Σ cos(h_i, h_j) by the classes of i and j"""
        self.counts = torch.zeros_like(self.hard)
        """how many pairs"""

    @property
    def state(self) -> list[Tensor]:
        """What training changes."""
        return [self.table, self.sums, self.counts]

    def of(self, labels: Tensor) -> Tensor:
        """Give m_ij = S[y_i, y_j]."""
        return self.table[labels[:, None], labels[None]]

    @torch.no_grad()
    def collect(self, potentials: Tensor, labels: Tensor, right: Tensor) -> None:
        """Add the pairs of a batch whose samples were answered right: [N, bits], [N], [N]."""
        whose = F.one_hot(labels, len(self.hard)).to(self.sums.dtype) * right[:, None]
        sides = whose.T @ F.normalize(potentials.to(self.sums.dtype), dim=1)
        self.sums += sides @ sides.T  # Σ_i Σ_j <h_i, h_j> = <Σ_i h_i, Σ_j h_j>
        each = whose.sum(0)
        self.counts += each[:, None] * each

    def soft(self) -> Tensor:
        """Give the means; 0 up to ``least``; hard where a pair of classes was never seen."""
        means = self.sums / self.counts.clamp(min=1)
        kept = torch.where(means > self.least, means, torch.zeros_like(means))
        return torch.where(self.counts > 0, kept, self.hard)

    @torch.no_grad()
    def close(self, hard_share: float) -> None:
        """End a round: S = λ I + (1 - λ) S_soft; sums begin anew."""
        self.table.copy_(hard_share * self.hard + (1 - hard_share) * self.soft())
        self.sums.zero_()
        self.counts.zero_()


class HashTask(ModuleTask):
    """A module with ``hash_and_scores(x) -> (codes, class scores, potentials)`` that is learned.

    ``sizes`` are the numbers of classes, and of samples that are learned from.
    """

    def __init__(
        self,
        model: nn.Module,
        sizes: tuple[int, int],
        options: FitOptions,
        hashing: HashOptions,
        device: str = "cpu",
        *,
        over_time: bool = False,
    ) -> None:
        super().__init__(model, options, device, over_time=over_time)
        classes, count = sizes
        self.hashing = hashing
        self.similarity = ClassSimilarity(classes, hashing.least, device)
        self.per_epoch = batches_of(count, options.batch)
        self.starts = hashing.rounds(options.epochs)
        self.done = torch.zeros((), dtype=torch.int64)
        """batches that were learned from"""
        self.state = [*self.state, *self.similarity.state, self.done]

    def loss(self, batch: Samples, draw: int | None) -> tuple[Tensor, float]:
        """Give the mean loss, and the number of right answers of the class scores."""
        learns = draw is not None
        self.model.train(learns)
        if draw is not None:
            torch.manual_seed(draw)
            self._next_round()
        assert batch.labels is not None  # a training of codes has them
        with self._precision():
            codes, scores, potentials = _hashed(self.model, batch.inputs.values(), self.over_time)
        codes, scores, labels = codes.float(), scores.float(), batch.labels
        right = scores.argmax(-1) == labels
        pairs = pair_loss(codes, self.similarity.of(labels), self.hashing.code_values)
        loss = self.hashing.alpha * pairs + self.hashing.beta * F.cross_entropy(scores, labels)
        if learns:
            self.similarity.collect(potentials.float() - self.hashing.offset, labels, right)
            self.done += 1
        return loss, float(right.sum())

    def _next_round(self) -> None:
        """Make S anew where an epoch begins that begins a round."""
        epoch, within = divmod(int(self.done), self.per_epoch)
        if self.hashing.mode == "hard" or within or epoch not in self.starts[1:]:
            return
        self.similarity.close(hard_share(self.starts.index(epoch), len(self.starts)))


def fit_hash(
    model: nn.Module,
    data: object,
    options: FitOptions,
    hashing: HashOptions,
    hooks: Hooks | None = None,
    validation: object = None,
    time_axis: int | None = None,
) -> History:
    """Train a module that makes codes, in place, by labels; arguments as those of ``spikec.fit``.

    It ends in the epoch whose class scores are best. Gives a record per epoch.
    """
    check_time_axis(time_axis)
    hooks = hooks or Hooks()
    device = checked_device(hooks.device)
    classes = _classes(model.to(device), read_data(data), device, time_axis == 0)
    learned, chosen = divided(data, validation, classes, options)
    sizes = (classes, len(learned))
    task = HashTask(model, sizes, options, hashing, device, over_time=time_axis == 0)
    identity = {**identity_of(model, learned, options, chosen), **asdict(hashing)}
    history = fit_task(task, learned, chosen, options, hooks, identity)
    model.eval()
    return history


def _hashed(
    model: nn.Module, inputs: Iterable[Tensor], over_time: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Apply a module to samples: codes, class scores, potentials."""
    made: Any = getattr(model, "hash_and_scores", None)
    if not callable(made):
        raise UsageError(
            f"{type(model).__name__} makes no codes",
            expected="a module with hash_and_scores(x), as spikinghash with bits",
        )
    found: tuple[Tensor, Tensor, Tensor] = made(
        *(x.movedim(0, 1) if over_time else x for x in inputs)
    )
    return found


def _classes(model: nn.Module, data: Data, device: str, over_time: bool) -> int:
    """Ask the module how many classes it tells apart."""
    model.eval()
    with asking(data, "hash_and_scores"):
        first = (x[:2].to(device) for x in tensors_of(data).values())
        found = _hashed(model, first, over_time)
    parts = found if isinstance(found, tuple) else ()
    if len(parts) != 3 or not all(isinstance(x, Tensor) and x.dim() == 2 for x in parts):
        raise UsageError(
            f"hash_and_scores of {type(model).__name__} gives something else than codes",
            expected="(codes [samples, bits], class scores [samples, classes], potentials)",
        )
    return int(parts[1].shape[-1])


def hard_share(index: int, count: int) -> float:
    """λ: 1 in the first of ``count`` rounds, 0 in the last, along a line."""
    return 1 - index / (count - 1) if count > 1 else 1.0
