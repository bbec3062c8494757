"""Recipe `auto`: it takes the cheapest candidate that is good enough, and says what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import spikec
from spikec.errors import DataError, SpikecError, UsageError
from spikec.ir import ops
from spikec.search.candidates import FAMILIES, families
from spikec.search.levels import fewer_levels
from spikec.search.outcome import Outcome, Trial, Verdict

DIGITS = load_digits()
X = (DIGITS.data[:800] / 16).astype(np.float32)
Y = DIGITS.target[:800].astype(np.int64)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 30), nn.ReLU())
    net.append(nn.Linear(30, 10))
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    for _ in range(12):
        for rows in torch.randperm(len(x)).split(64):  # type: ignore[no-untyped-call]
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return net.eval()


def auto(network: nn.Module, data: object = (X, Y), **options: Any) -> spikec.Program:
    return spikec.convert(network, data, **options)


def test_the_cheapest_that_is_good_enough_is_taken(network: nn.Module) -> None:
    told: list[Trial] = []
    program = auto(network, max_drop=1.0, on_trial=told.append)
    search = program.record["search"]
    chosen = [trial for trial in search["trials"] if trial["verdict"] == "chosen"]
    measured = [trial for trial in search["trials"] if trial["drop"] is not None]
    good = [trial for trial in measured if trial["drop"] <= 1.0]
    assert len(chosen) == 1
    assert chosen[0]["cost"] == min(trial["cost"] for trial in good)
    assert chosen[0]["pareto"]
    assert (search["measure"], search["judged"]) == ("accuracy", len(X) // 4)
    assert [t.recipe for t in told] == [t["recipe"] for t in search["trials"]]
    judged = np.arange(len(X)) % 4 == 3
    found = program.evaluate((X[judged], Y[judged]))
    assert found.drop == pytest.approx(chosen[0]["drop"])


def test_it_is_deterministic_and_survives_saving(network: nn.Module, tmp_path: Path) -> None:
    data = X[:400], Y[:400]
    for name in ("one.spk", "other.spk"):
        auto(network, data, max_drop=2.0).save(tmp_path / name)
    assert (tmp_path / "one.spk").read_bytes() == (tmp_path / "other.spk").read_bytes()
    assert spikec.load(tmp_path / "one.spk").record["search"]["max_drop"] == 2.0


def test_without_labels_agreement_is_what_counts(network: nn.Module) -> None:
    program = auto(network, X, max_drop=2.0)
    assert program.record["search"]["measure"] == "agreement"
    judged = np.arange(len(X)) % 4 == 3
    found = program.evaluate((X[judged], Y[judged]))
    assert 100 * (1 - found.agreement) <= 2.0


def test_energy_can_be_the_cost(network: nn.Module) -> None:
    program = auto(network, max_drop=3.0, profile="horowitz45-int8")
    search = program.record["search"]
    (chosen,) = [trial for trial in search["trials"] if trial["verdict"] == "chosen"]
    judged = np.arange(len(X)) % 4 == 3
    energy = program.energy(X[judged][:64], profile="horowitz45-int8").total_pj
    assert search["unit"] == "pJ"
    assert chosen["cost"] == pytest.approx(energy)


def test_a_target_leaves_out_what_it_cannot_run(network: nn.Module) -> None:
    program = auto(network, max_drop=3.0, target="generic-binary")
    neurons = [node.op for node in program.graph if isinstance(node.op, ops.Neuron)]
    assert all(type(op) in (ops.IntegrateFire, ops.FewSpikes, ops.PhasedFire) for op in neurons)
    refused = [t for t in program.record["search"]["trials"] if t["verdict"] == "refused"]
    assert any(trial["recipe"].startswith("graded") and trial["reason"] for trial in refused)


def test_steps_bound_the_search(network: nn.Module) -> None:
    program = auto(network, steps=4, max_drop=50.0, target="generic-binary")
    assert max(trial["steps"] for trial in program.record["search"]["trials"]) <= 4
    assert {family.recipe for family in families(None)} == {family.recipe for family in FAMILIES}


def test_when_nothing_is_good_enough_the_nearest_is_told(network: nn.Module) -> None:
    data = X + np.float32(0.3) * np.random.default_rng(0).random(X.shape, np.float32), Y
    wish: dict[str, Any] = {"max_drop": 0.0, "steps": 4, "target": "generic-binary"}
    with pytest.raises(UsageError, match="nothing loses at most 0 points") as caught:
        auto(network, data, **wish)
    assert "rate{fission=1.5} at T=4" in str(caught.value)
    program = auto(network, data, **wish, nearest=True)
    trials = program.record["search"]["trials"]
    least = min(trial["drop"] for trial in trials if trial["drop"] is not None)
    assert [t["drop"] for t in trials if t["verdict"] == "chosen"] == [least]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_drop": -0.5}, "max_drop is -0.5"),
        ({"max_drop": float("nan")}, "max_drop is nan"),
        ({"max_drop": True}, "max_drop is True"),
        ({"maxdrop": 1.0}, "did you mean max_drop"),
        ({"target": "loihi3"}, "loihi3"),
        ({"profile": "horowitz"}, "horowitz"),
        ({"steps": 0}, "steps = 0"),
        ({"recipe": "graded", "steps": 4, "max_drop": 1.0}, "expected: +recipe auto"),
        ({"recipe": "graded"}, "steps = None"),
    ],
    ids=str,
)
def test_wrong_options(network: nn.Module, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikecError, match=message):
        auto(network, (X[:64], Y[:64]), **options)


def test_data_that_cannot_judge(network: nn.Module) -> None:
    with pytest.raises(DataError, match="8 or more for a search"):
        auto(network, (X[:5], Y[:5]))
    with pytest.raises(DataError, match=r"0\.\.9"):
        auto(network, (X[:64], Y[:64] + 7))


def test_the_front_holds_what_nothing_beats() -> None:
    outcome = Outcome(1.0, "accuracy", "events", 100)
    rows = [(3.0, 10.0), (1.0, 20.0), (2.0, 30.0), (0.5, 40.0), (0.5, 50.0)]
    trials = [Trial(f"r{i}", 1, Verdict.GOOD, *row) for i, row in enumerate(rows)]
    outcome.trials.extend([*trials, Trial("refused", 1, Verdict.REFUSED, reason="no")])
    assert [trial.recipe for trial in outcome.front()] == ["r0", "r1", "r3"]
    nearest = outcome.nearest()
    assert nearest is not None
    assert nearest.recipe == "r3"


@pytest.mark.parametrize("recipe", ["graded{n=4}", "lossless{levels=15,burst=7}"])
def test_fewer_levels_are_allotted_to_layers(network: nn.Module, recipe: str) -> None:
    program = spikec.convert(network, (X, Y), 2, recipe)
    texts = list(fewer_levels(recipe, 2, program, spikec.data.read_data((X, Y))))
    assert texts
    sparse = spikec.convert(network, (X, Y), 2, texts[-1])
    assert sparse.evaluate((X, Y)).events_per_neuron < program.evaluate((X, Y)).events_per_neuron
    assert list(fewer_levels("rate", 2, program, spikec.data.read_data((X, Y)))) == []


def test_levels_of_layers_that_there_are_not(network: nn.Module) -> None:
    with pytest.raises(UsageError, match="no activation is called relu_9"):
        spikec.convert(network, (X, Y), 2, "graded{at=relu_9:3}")
    with pytest.raises(UsageError, match="NAME:LEVELS"):
        spikec.convert(network, (X, Y), 2, "graded{at=relu}")
    with pytest.raises(UsageError, match="6 levels"):
        spikec.convert(network, (X, Y), 1, "graded{at=_1:6}")
