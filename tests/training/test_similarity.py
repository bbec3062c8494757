"""Similarities of classes and the loss of pairs, against double loops; rounds; resuming."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.nn.hashing import HashLayer
from spikec.training import checkpoint
from spikec.training.finetune import Hooks
from spikec.training.objective import Samples
from spikec.training.options import FitOptions
from spikec.training.similarity import (
    ClassSimilarity,
    HashOptions,
    HashTask,
    fit_hash,
    hard_share,
    pair_loss,
)
from spikec.training.trainer import Trainer

CLASSES, BITS = 4, 10


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("code_values", "as_taken"), [("01", (0, 1)), ("pm1", (-1, 1))])
def test_the_loss_is_the_sum_over_pairs(code_values: str, as_taken: tuple[int, int]) -> None:
    codes, similarity = (drawn(7, BITS) > 0).float(), drawn(7, 7, seed=1).sigmoid()
    values = np.where(codes.numpy() > 0, as_taken[1], as_taken[0])
    total = 0.0
    for i in range(7):
        for j in range(7):
            omega = float(values[i] @ values[j]) / 2
            total += math.log(1 + math.exp(omega)) - float(similarity[i, j]) * omega
    assert float(pair_loss(codes, similarity, code_values)) == pytest.approx(total / 49, rel=1e-5)


def test_the_loss_draws_alike_codes_together() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    same = (labels[:, None] == labels).float()
    codes = drawn(4, BITS).sigmoid()
    for _ in range(200):
        codes.requires_grad_()
        (step,) = torch.autograd.grad(pair_loss(codes, same, "pm1"), codes)
        codes = (codes - step).clamp(0, 1).detach()
    bits = codes > 0.5
    assert torch.equal(bits[0], bits[1])
    assert (bits[0] != bits[2]).sum() > BITS / 2


def brute(batches: list[tuple[Tensor, Tensor, Tensor]], least: float) -> np.ndarray:
    """The table of means of all pairs of right answers, one pair after another."""
    sums, counts = np.zeros((CLASSES, CLASSES)), np.zeros((CLASSES, CLASSES))
    for potentials, labels, right in batches:
        h, y = potentials.numpy().astype(np.float64), labels.numpy()
        rows = [i for i in range(len(y)) if right[i]]
        for i in rows:
            for j in rows:
                cosine = h[i] @ h[j] / np.sqrt((h[i] @ h[i]) * (h[j] @ h[j]))
                sums[y[i], y[j]] += cosine
                counts[y[i], y[j]] += 1
    table = np.eye(CLASSES)
    for a in range(CLASSES):
        for b in range(CLASSES):
            if counts[a, b]:
                mean = sums[a, b] / counts[a, b]
                table[a, b] = mean if mean > least else 0
    return table


def batches(count: int = 3, most: int = CLASSES) -> list[tuple[Tensor, Tensor, Tensor]]:
    found = []
    for seed in range(count):
        labels = (drawn(12, seed=seed).abs() * 10).long() % most
        potentials = drawn(12, BITS, seed=9)[labels] + 0.4 * drawn(12, BITS, seed=seed)
        found.append((potentials, labels, drawn(12, seed=seed + 50) > -0.5))
    return found


@pytest.mark.parametrize("most", [CLASSES, CLASSES - 1])
@pytest.mark.parametrize("share", [1.0, 0.25, 0.0])
def test_similarities_are_means_of_pairs(most: int, share: float) -> None:
    similarity = ClassSimilarity(CLASSES, 0.3)
    for batch in batches(most=most):
        similarity.collect(*batch)
    wanted = brute(batches(most=most), 0.3)
    assert ((wanted > 0) & (wanted < 1)).any()
    np.testing.assert_allclose(similarity.soft().numpy(), wanted, rtol=1e-4, atol=1e-5)
    similarity.close(share)
    blend = share * np.eye(CLASSES) + (1 - share) * wanted
    np.testing.assert_allclose(similarity.table.numpy(), blend, rtol=1e-4, atol=1e-5)
    assert not similarity.sums.any()
    assert not similarity.counts.any()
    labels = [2, 0, 2]
    np.testing.assert_allclose(
        similarity.of(torch.tensor(labels)).numpy(),
        blend[np.ix_(labels, labels)],
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("options", "epochs", "wanted"),
    [
        ({}, 200, (0, 50, 70, 90, 110, 130, 150, 170, *range(180, 200))),
        ({}, 400, (0, *range(50, 380, 20), *range(380, 400))),
        ({"first": 5, "every": 3, "last": 2}, 12, (0, 5, 8, 10, 11)),
        ({"first": 5, "every": 3, "last": 0}, 12, (0, 5, 8, 11)),
        ({"first": 5, "every": 3, "last": 20}, 8, (0, 5, 6, 7)),
        ({"mode": "hard"}, 20, (0,)),
    ],
)
def test_rounds_follow_the_schedule(
    options: dict[str, Any], epochs: int, wanted: tuple[int, ...]
) -> None:
    assert HashOptions(**options).rounds(epochs) == wanted


def test_the_hard_share_falls_along_a_line() -> None:
    assert [hard_share(i, 5) for i in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    assert hard_share(0, 1) == 1


# ---- training ------------------------------------------------------------------------------------


class Small(nn.Module):
    """Codes of points: [B, 6] -> 4 steps of them, as neurons see them."""

    def __init__(self) -> None:
        super().__init__()
        self.hash, self.head = HashLayer(6, BITS), nn.Linear(BITS, CLASSES)

    def hash_and_scores(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes, potentials = self.hash.with_potentials(x.expand(4, *x.shape))
        return codes, self.head(codes), potentials


LABELS = (torch.arange(60) * 7) % CLASSES
DATA = Samples({"x": 3 * drawn(CLASSES, 6)[LABELS] + 0.3 * drawn(60, 6, seed=1)}, LABELS, None)
OPTIONS = FitOptions(epochs=12, batch=16, rate=2e-2, validation=0.0)
HASHING = HashOptions(first=3, every=3, last=3, alpha=0.1, beta=1.0, least=0.2)


def task(hashing: HashOptions = HASHING, options: FitOptions = OPTIONS) -> HashTask:
    torch.manual_seed(0)
    return HashTask(Small(), (CLASSES, len(DATA)), options, hashing)


def trained(hashing: HashOptions = HASHING) -> tuple[HashTask, list[Tensor], Any]:
    """Train; also give S as it stood at the end of each epoch."""
    made, tables = task(hashing), []
    loop = Trainer(made, OPTIONS, on_epoch=lambda h: tables.append(made.similarity.table.clone()))
    done = loop.run(DATA, None, None)
    return made, tables, done


@pytest.mark.parametrize(("code_values", "as_taken"), [("01", (0, 1)), ("pm1", (-1, 1))])
def test_the_loss_of_a_batch_is_written_out(code_values: str, as_taken: tuple[int, int]) -> None:
    """Value and derivatives, with a table that is no identity."""
    made = task(replace(HASHING, alpha=0.7, beta=0.3, code_values=code_values))
    table = drawn(CLASSES, CLASSES, seed=3).sigmoid()
    made.similarity.table.copy_(table)
    batch = DATA.rows(torch.arange(8))
    assert batch.labels is not None
    loss, _ = made.loss(batch, 0)
    codes, scores, _ = made.model.hash_and_scores(batch.inputs["x"])  # type: ignore[operator]
    low, high = as_taken
    values, pairs, classes = low + (high - low) * codes, torch.zeros(()), torch.zeros(())
    for i, own in enumerate(batch.labels):
        for j, other in enumerate(batch.labels):
            omega = sum(a * b for a, b in zip(values[i], values[j], strict=True)) / 2
            pairs = pairs + torch.log(1 + torch.exp(omega)) - table[own, other] * omega
        classes = classes + torch.log(torch.exp(scores[i]).sum()) - scores[i, own]
    wanted = 0.7 * pairs / 64 + 0.3 * classes / 8
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=1e-6)
    learned = list(made.model.parameters())
    ours, theirs = (torch.autograd.grad(x, learned) for x in (loss, wanted))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_codes_are_learned() -> None:
    made, _, done = trained()
    assert done.history[-1]["accuracy"] > 0.9
    with torch.no_grad():
        codes, _, _ = made.model.eval().hash_and_scores(DATA.inputs["x"])  # type: ignore[operator]
    apart = (codes[:, None] != codes).float().mean(-1)
    same = LABELS[:, None] == LABELS
    assert apart[same].mean() < apart[~same].mean() / 2


def test_similarity_changes_where_rounds_begin() -> None:
    _, tables, _ = trained()
    hard = torch.eye(CLASSES)
    assert all(torch.equal(table, hard) for table in tables[:3])  # epochs 1 to 3
    changed = [i for i in range(1, 12) if not torch.equal(tables[i], tables[i - 1])]
    assert changed == list(HASHING.rounds(12)[1:])
    assert not torch.equal(tables[-1], hard)


class Watched(HashTask):
    """Keeps what each batch gives, and S as it was learned from."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []
        self.tables: list[Tensor] = []

    def loss(self, batch: Samples, draw: int | None) -> tuple[Tensor, float]:
        with torch.no_grad():
            _, scores, potentials = self.model.hash_and_scores(batch.inputs["x"])  # type: ignore[operator]
        found = super().loss(batch, draw)
        assert batch.labels is not None
        self.seen.append((potentials, batch.labels, scores.argmax(-1) == batch.labels))
        self.tables.append(self.similarity.table.clone())
        return found


def test_rounds_take_up_what_the_one_before_measured() -> None:
    """λ I + (1 - λ) S_soft at each start, pair by pair; and before the end of a round nothing."""
    torch.manual_seed(0)
    made = Watched(Small(), (CLASSES, len(DATA)), OPTIONS, HASHING)
    Trainer(made, OPTIONS).run(DATA, None, None)
    starts = [4 * epoch for epoch in (0, 3, 6, 9, 10, 11)]  # of 4 batches each
    shares = (1, 0.8, 0.6, 0.4, 0.2, 0)
    cut = False
    for index in range(1, 6):
        of_round = made.seen[starts[index - 1] : starts[index]]
        soft = brute(of_round, HASHING.least)
        cut |= not np.allclose(soft, brute(of_round, 0.0))
        wanted = shares[index] * np.eye(CLASSES) + (1 - shares[index]) * soft
        for table in made.tables[starts[index] : [*starts, 48][index + 1]]:
            np.testing.assert_allclose(table.numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert cut  # some similarities lie between 0 and the least one


def test_potentials_count_from_the_offset() -> None:
    """Sums of a batch, against those of its potentials as they are given in training."""
    made, batch = task(replace(HASHING, offset=1.0)), DATA.rows(torch.arange(16))
    _, right = made.loss(batch, 0)
    with torch.no_grad():
        _, scores, potentials = made.model.hash_and_scores(batch.inputs["x"])  # type: ignore[operator]
    assert batch.labels is not None
    hits = scores.argmax(-1) == batch.labels
    alone = ClassSimilarity(CLASSES, 0.0)
    alone.collect(potentials - 1.0, batch.labels, hits)
    assert right == hits.sum() > 0
    torch.testing.assert_close(made.similarity.sums, alone.sums)


def test_hard_similarity_stays() -> None:
    _, tables, _ = trained(replace(HASHING, mode="hard"))
    assert all(torch.equal(table, torch.eye(CLASSES)) for table in tables)


@pytest.mark.parametrize("stop", [5, 10, 25, 41])
def test_a_training_goes_on_where_it_stopped(stop: int) -> None:
    """Batches 5, 10 and 25 of 48 lie within an epoch: sums are half full."""
    whole, _, _ = trained()
    first = task()
    standing: Any = None

    class StopError(Exception):
        pass

    def progress(done: int, total: int) -> None:
        if done == stop:
            raise StopError

    loop = Trainer(first, OPTIONS, progress=progress)
    standing = loop._fresh(None)
    with pytest.raises(StopError):
        loop.run(DATA, None, standing)
    loop._keep(standing)
    standing.free = loop._taken()
    standing.moments = checkpoint.moments_of(loop.optimiser)
    second = task()
    restored = Trainer(second, OPTIONS)
    restored._restore(standing)
    restored.run(DATA, None, standing)
    for ours, theirs in zip(second.state, whole.state, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mode": "sort"}, "hard or soft"),
        ({"code_values": "11"}, "01 or pm1"),
        ({"code_values": ["01"]}, "01 or pm1"),
        ({"alpha": -1}, "alpha is -1"),
        ({"alpha": "a"}, "alpha is 'a'"),
        ({"alpha": True}, "alpha is True"),
        ({"beta": math.inf}, "beta is inf"),
        ({"least": 1}, "a cosine below 1"),
        ({"least": "a"}, "a cosine below 1"),
        ({"offset": math.nan}, "offset is nan"),
        ({"first": 0}, "first is 0"),
        ({"every": 0}, "every is 0"),
        ({"last": -1}, "last is -1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as error:
        HashOptions(**options)
    assert told in str(error.value)


def test_soft_similarities_need_a_second_round() -> None:
    with pytest.raises(UsageError, match="a first round of 12 epochs in a training of 12"):
        task(replace(HASHING, first=12))
    task(replace(HASHING, first=12, mode="hard"))


class Fixed(Small):
    """Gives what it is told to."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.given = given

    def hash_and_scores(self, x: Tensor) -> Any:
        return self.given


class Bare(nn.Module):
    """Codes without anything to learn."""

    def hash_and_scores(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x, x, x


TWO = torch.zeros(2, 4)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (nn.Linear(6, 4), "Linear makes no codes"),
        (Bare(), "no parameters"),
        (Fixed(TWO), "of Fixed gives something else than codes"),
        (Fixed((TWO, TWO)), "gives something else than codes"),
        (Fixed((TWO, TWO, None)), "gives something else than codes"),
        (Fixed((TWO, TWO[None], TWO)), "gives something else than codes"),
    ],
)
def test_modules_without_codes_are_refused(model: nn.Module, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        fit_hash(model, (DATA.inputs["x"].numpy(), LABELS.numpy()), OPTIONS, HASHING)


def test_samples_that_do_not_fit_are_refused() -> None:
    x, y = DATA.inputs["x"].numpy(), LABELS.numpy()
    with pytest.raises(UsageError, match=r"does not take samples of shape \[60, 5\]"):
        fit_hash(Small(), (x[:, :5], y), OPTIONS, HASHING)
    with pytest.raises(UsageError, match="time_axis=1"):
        fit_hash(Small(), (x, y), OPTIONS, HASHING, time_axis=1)
    with pytest.raises(DataError, match=r"0\.\.3"):
        fit_hash(Small(), (x, y + 1), OPTIONS, HASHING)


@pytest.mark.parametrize("kept", [None, "training.checkpoint"])
def test_a_training_by_samples_is_the_same(kept: str | None, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, hooks = Small(), Hooks(checkpoint=None if kept is None else tmp_path / kept)
    data = (DATA.inputs["x"].numpy(), LABELS.numpy())
    history = fit_hash(model, data, OPTIONS, HASHING, hooks)
    whole, _, done = trained()
    for ours, theirs in zip(model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert history == done.history
    assert not model.training
    if kept is not None:
        with pytest.raises(UsageError, match=r"least: 0\.2 there, 0\.3 here"):
            fit_hash(
                Small(),
                data,
                OPTIONS,
                replace(HASHING, least=0.3),
                replace(hooks, resume=True),
            )
