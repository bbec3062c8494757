"""Early exit: the same answers as a run that is cut off by hand, and no more work than that."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import spikec
from spikec.errors import UsageError
from spikec.exits import Criterion, EarlyExit, run_early, settledness, stages

DIGITS = load_digits()
X = (DIGITS.data[:600] / 16).astype(np.float32)
Y = DIGITS.target[:600].astype(np.int64)


@pytest.fixture(scope="module")
def program() -> spikec.Program:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(150):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(torch.from_numpy(X)), torch.from_numpy(Y))
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares none
        optimiser.step()
    return spikec.convert(net.eval(), X, 12, "rate")


def test_what_settles_an_answer() -> None:
    answers = np.array([[[1.0, 4.0, 2.0]], [[0.0, 0.0, 0.0]]])
    np.testing.assert_allclose(settledness(Criterion.MARGIN, answers), [[2.0], [0.0]])
    p = np.exp(answers) / np.exp(answers).sum(axis=-1, keepdims=True)
    entropy = -(p * np.log(p)).sum(axis=-1)
    np.testing.assert_allclose(settledness(Criterion.ENTROPY, answers), -entropy)
    huge = settledness(Criterion.ENTROPY, np.array([[[1e4, 0.0]]]))
    np.testing.assert_allclose(huge, 0, atol=1e-12)


@pytest.mark.parametrize("criterion", list(Criterion))
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8, 1.0])
def test_answers_are_those_of_a_run_that_is_cut_off(
    program: spikec.Program, criterion: Criterion, share: float
) -> None:
    run = program.run(X[:80])
    settled = settledness(criterion, run.output_by_step)
    level = float(np.quantile(settled, share))
    rule = EarlyExit(criterion, level if criterion is Criterion.MARGIN else -level)
    early = program.run_early(X[:80], rule)
    for sample in range(80):
        reached = np.flatnonzero(settled[:, sample] >= level)
        at = int(reached[0]) if len(reached) else program.steps - 1
        assert early.steps[sample] == at + 1
        np.testing.assert_array_equal(early.answers[sample], run.output_by_step[at, sample])
        sent = sum(np.count_nonzero(s[: at + 1, sample]) for s in run.spikes.values())
        assert early.events[sample] == sent
    whole = sum(list(stages(program.steps)))
    assert early.simulated <= whole * 80
    if share == 0.0:
        assert early.simulated == 80


def test_nothing_stops_where_nothing_is_settled(program: spikec.Program) -> None:
    found = program.evaluate_early((X, Y), EarlyExit(Criterion.MARGIN, 1e9))
    plain = program.evaluate((X, Y))
    assert found.accuracy == plain.accuracy
    assert found.mean_steps == program.steps
    assert found.stopped_by[-1] == 1.0
    assert found.stopped_by[-2] == 0.0


@pytest.mark.parametrize("criterion", ["margin", "entropy"])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_fit_keeps_to_its_bound(program: spikec.Program, criterion: str, labelled: bool) -> None:
    rule = program.fit_exit((X, Y) if labelled else X, criterion, 1.0)
    found = program.evaluate_early((X, Y), rule)
    plain = program.evaluate((X, Y))
    assert found.mean_steps < program.steps
    assert found.events < plain.events_per_neuron * 40
    if labelled:
        assert 100 * (plain.accuracy - found.accuracy) <= 1.0 + 1e-9
    looser = program.fit_exit((X, Y) if labelled else X, criterion, 10.0)
    assert program.evaluate_early((X, Y), looser).mean_steps <= found.mean_steps


def test_what_cannot_stop(program: spikec.Program) -> None:
    with pytest.raises(UsageError, match="margin or entropy"):
        program.fit_exit((X, Y), "variance")
    with pytest.raises(UsageError, match="max_drop is -1"):
        program.fit_exit((X, Y), "margin", -1)
    with pytest.raises(UsageError, match="a finite number"):
        EarlyExit(Criterion.MARGIN, float("nan"))
    with pytest.raises(UsageError, match="class scores at every step"):
        run_early(program.reference, {"x": X[:2]}, 4, EarlyExit(Criterion.MARGIN, 0.0))
