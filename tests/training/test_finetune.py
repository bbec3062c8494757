"""Fine-tuning: it helps, it is repeatable, it goes on after a kill, and it refuses what it must."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import spikec
from spikec.errors import BadFile, DataError, SpikecError, UnsupportedModel, UsageError
from spikec.ir.printer import print_graph
from spikec.training.learned import PLAIN, POSITIVE, SHARE, SLOW, Form, Learned
from spikec.training.options import LEARNED, Options, read_settings

DIGITS = load_digits()
X = (DIGITS.data / 16).astype(np.float32)
Y = DIGITS.target.astype(np.int64)
TRAIN, TEST = slice(0, 1300), slice(1300, None)
QUICK: dict[str, Any] = {"epochs": 2, "batch": 32, "rate": 5e-3, "threshold_rate": 1e-2}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A network of two hidden layers, trained on digits in a second."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10))
    )
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    x, y = torch.from_numpy(X[TRAIN]), torch.from_numpy(Y[TRAIN])
    for _ in range(20):
        for rows in torch.randperm(len(x)).split(64):  # type: ignore[no-untyped-call]
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return net.eval()


@pytest.fixture(scope="module")
def program(network: nn.Module) -> spikec.Program:
    return spikec.convert(network, X[TRAIN], 3, "percentile")


def same(one: spikec.Program, other: spikec.Program, folder: Path) -> bool:
    """Compare every byte of what is saved."""
    paths = folder / "one.spk", folder / "other.spk"
    for path, made in zip(paths, (one, other), strict=True):
        made.save(path)
    return paths[0].read_bytes() == paths[1].read_bytes()


def test_few_steps_answer_better_afterwards(program: spikec.Program) -> None:
    before = program.evaluate((X[TEST], Y[TEST])).accuracy
    untouched = print_graph(program.graph)
    tuned = spikec.finetune(program, (X[TRAIN], Y[TRAIN]), **{**QUICK, "epochs": 4})
    after = tuned.evaluate((X[TEST], Y[TEST])).accuracy
    assert before < 0.75
    assert after > 0.88
    assert print_graph(program.graph) == untouched
    history = tuned.record["finetune"]["history"]
    assert [record["epoch"] for record in history] == [0, 1, 2, 3, 4]
    assert history[-1]["loss"] < history[1]["loss"]


@pytest.mark.parametrize("recipe", ["rate", "signed", "graded", "balanced{leak=0.9}"])
def test_other_recipes_learn_too(network: nn.Module, recipe: str) -> None:
    made = spikec.convert(network, X[TRAIN], 3, recipe)
    kinds = LEARNED if "leak" in recipe else LEARNED[:2]
    gentle = {**QUICK, "epochs": 3, "rate": 1e-3}
    tuned = spikec.finetune(made, (X[TRAIN], Y[TRAIN]), **gentle, learn=kinds)
    history = tuned.record["finetune"]["history"]
    kept = history[tuned.record["finetune"]["kept"]]
    assert kept["validation"] >= history[0]["validation"]
    assert tuned.evaluate((X[TEST], Y[TEST])).accuracy > 0.75


def test_the_same_seed_gives_the_same_bytes(program: spikec.Program, tmp_path: Path) -> None:
    data = (X[:200], Y[:200])
    one, other = (spikec.finetune(program, data, **QUICK, seed=7) for _ in range(2))
    assert same(one, other, tmp_path)
    third = spikec.finetune(program, data, **QUICK, seed=8)
    assert not same(one, third, tmp_path)


def test_answers_of_the_network_take_the_place_of_labels(program: spikec.Program) -> None:
    tuned = spikec.finetune(program, X[TRAIN], **QUICK, distill=1.0)
    history = tuned.record["finetune"]["history"]
    assert history[-1]["validation"] > history[0]["validation"]


def test_without_held_out_samples_the_last_epoch_is_kept(program: spikec.Program) -> None:
    tuned = spikec.finetune(program, (X[:200], Y[:200]), **QUICK, validation=0.0)
    assert tuned.record["finetune"]["kept"] == 2
    assert all("validation" not in record for record in tuned.record["finetune"]["history"])


def test_patience_ends_it(program: spikec.Program) -> None:
    stiff = {**QUICK, "epochs": 9, "rate": 1e-12, "threshold_rate": 1e-12, "patience": 2}
    tuned = spikec.finetune(program, (X[:200], Y[:200]), **stiff)
    assert tuned.record["finetune"]["history"][-1]["epoch"] == 2


def test_a_quantised_network_is_tuned_and_becomes_the_program_that_equals_it(
    network: nn.Module,
) -> None:
    """QCFS: what was learned with L levels is what `phased` does in windows of L steps."""
    test = X[TEST], Y[TEST]
    quantised = spikec.convert(network, X[TRAIN], 1, "quantised{levels=2}")
    assert not quantised.neurons
    tuned = spikec.finetune(quantised, (X[TRAIN], Y[TRAIN]), **{**QUICK, "epochs": 4})
    assert tuned.evaluate(test).accuracy > quantised.evaluate(test).accuracy
    windows = spikec.convert(tuned, X[TRAIN], 2, "phased{tune=0}")
    np.testing.assert_allclose(windows.run(X[TEST]).output, tuned.run(X[TEST]).output, atol=1e-4)
    rate = spikec.convert(tuned, X[TRAIN], 2, "rate").evaluate(test)
    assert rate.reference_accuracy == tuned.evaluate(test).accuracy
    assert rate.drop < 2


def test_preprocessing_is_taken_over(network: nn.Module) -> None:
    settings = spikec.Preprocess(1 / 16)
    whole = (16 * X[TRAIN]).astype(np.uint8)
    quantised = spikec.convert(network, whole, 1, "quantised", preprocess=settings)
    assert spikec.convert(quantised, whole, 8, "rate").preprocess == settings


class StoppedError(Exception):
    """Ends a training where a test wants it to."""


@pytest.mark.parametrize("stop", [3, 6, 9])
def test_it_goes_on_in_the_middle_of_an_epoch(
    program: spikec.Program, tmp_path: Path, stop: int
) -> None:
    data, path = (X[:200], Y[:200]), tmp_path / "standing"
    whole = spikec.finetune(program, data, **QUICK)

    def progress(done: int, total: int) -> None:
        if done > stop:
            raise StoppedError

    with pytest.raises(StoppedError):
        spikec.finetune(program, data, **QUICK, checkpoint=path, every=2, progress=progress)
    seen: list[int] = []
    resumed = spikec.finetune(
        program,
        data,
        **QUICK,
        checkpoint=path,
        resume=True,
        progress=lambda done, total: seen.append(done),
    )
    assert seen[0] > 1
    assert same(whole, resumed, tmp_path)


def test_a_killed_command_goes_on_to_the_same_file(program: spikec.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "net.spk")
    np.savez(tmp_path / "data.npz", x=X[TRAIN], y=Y[TRAIN])
    start = [sys.executable, "-m", "spikec", "finetune", "net.spk", "--data", "data.npz"]
    start += ["--epochs", "6", "--every", "3", "--rate", "0.005"]
    options: dict[str, Any] = {"cwd": tmp_path, "stdout": subprocess.DEVNULL}
    subprocess.run([*start, "-o", "whole.spk"], check=True, **options)
    child = subprocess.Popen([*start, "-o", "out.spk"], **options)
    standing = tmp_path / "out.checkpoint"
    while not standing.exists() and child.poll() is None:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (tmp_path / "out.spk").exists()
    again = subprocess.run([*start, "-o", "out.spk"], capture_output=True, text=True, cwd=tmp_path)
    assert again.returncode == 2
    assert "--resume to go on" in again.stderr
    log = ["--resume", "--log", "log.jsonl", "--plot", "plot.svg"]
    subprocess.run([*start, *log, "-o", "out.spk"], check=True, **options)
    assert (tmp_path / "out.spk").read_bytes() == (tmp_path / "whole.spk").read_bytes()
    assert not standing.exists()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(7))
    assert (tmp_path / "plot.svg").read_text().startswith("<svg")


def test_a_checkpoint_of_something_else_is_refused(
    program: spikec.Program, network: nn.Module, tmp_path: Path
) -> None:
    data, path = (X[:100], Y[:100]), tmp_path / "standing"
    spikec.finetune(program, data, **QUICK, checkpoint=path)
    other = spikec.convert(network, X[TRAIN], 4, "percentile")
    resume: dict[str, Any] = {"checkpoint": path, "resume": True}
    with pytest.raises(UsageError, match="steps: 3 there, 4 here"):
        spikec.finetune(other, data, **QUICK, **resume)
    tuned = spikec.finetune(program, data, **QUICK, validation=0.0)
    with pytest.raises(UsageError, match=r"program: '\w+' there, '\w+' here"):
        spikec.finetune(tuned, data, **QUICK, **resume)
    torch.manual_seed(1)
    untrained = nn.Sequential(
        *(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10))
    )
    teacher = spikec.convert(untrained.eval(), X[TRAIN], 3, "percentile").reference
    with pytest.raises(UsageError, match=r"- reference: '\w+' there, '\w+' here") as caught:
        spikec.finetune(replace(program, reference=teacher), data, **QUICK, **resume)
    assert len(caught.value.problems) == 1
    with pytest.raises(UsageError, match=r"rate: 0.005 there, 0.1 here"):
        spikec.finetune(program, data, **{**QUICK, "rate": 0.1}, **resume)
    with pytest.raises(UsageError, match="data: "):
        spikec.finetune(program, (X[1:101], Y[1:101]), **QUICK, **resume)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadFile, match="damaged"):
        spikec.finetune(program, data, **QUICK, **resume)
    path.write_bytes(b"no checkpoint at all")
    with pytest.raises(BadFile, match="delete it to begin anew"):
        spikec.finetune(program, data, **QUICK, **resume)
    with pytest.raises(BadFile, match="no such checkpoint"):
        spikec.finetune(program, data, checkpoint=tmp_path / "none", resume=True)
    with pytest.raises(UsageError, match="nothing to resume from"):
        spikec.finetune(program, data, resume=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"batch": -1}, "batch is -1"),
        ({"rate": 0}, "rate is 0"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"distill": 1.1}, "0 to 1.0"),
        ({"validation": 0.95}, "0 to 0.9"),
        ({"schedule": "steps"}, "one of constant, cosine, linear"),
        ({"learn": ("bias",)}, "some of weights, thresholds, leaks"),
        ({"surrogate": "step"}, "unknown surrogate"),
        ({"epoch": 3}, "did you mean epochs"),
        ({"learn": "leaks"}, "the network has no leaks"),
        ({"device": "abacus"}, "no device 'abacus' here"),
        ({"every": -1}, "a number of batches"),
    ],
    ids=str,
)
def test_wrong_options(program: spikec.Program, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        spikec.finetune(program, (X[:50], Y[:50]), **options)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Options(epochs=0, rate=-1.0, schedule="x")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X[:50], "no labels"),
        ((X[:50], Y[:50] + 5), r"expected: +0\.\.9"),
        ((X[:50], Y[:50] - 5), r"expected: +0\.\.9"),
        ((X[:1], Y[:1]), "leave none to learn from"),
        ((X[:50, :9], Y[:50]), "64"),
    ],
)
def test_wrong_data(program: spikec.Program, data: object, message: str) -> None:
    with pytest.raises(SpikecError, match=message):
        spikec.finetune(program, data, validation=0.6)


def test_what_cannot_be_learned(network: nn.Module) -> None:
    whole = spikec.convert(network, X[TRAIN], 3, "rate", weight_bits=8)
    with pytest.raises(UsageError, match="weights are whole numbers"):
        spikec.finetune(whole, (X[:50], Y[:50]))
    windows = spikec.convert(network, X[TRAIN], 3, "phased{tune=0}")
    with pytest.raises(UnsupportedModel, match="PhasedFire has no derivative here"):
        spikec.finetune(windows, (X[:50], Y[:50]))


def test_a_loss_beyond_all_bounds_is_told(program: spikec.Program) -> None:
    with pytest.raises(DataError, match="not finite"):
        spikec.finetune(program, (X[:100], Y[:100]), rate=1e38, epochs=3)


def test_settings_are_read() -> None:
    assert read_settings(["patience=3", "learn=weights,leaks"]) == {
        "patience": 3,
        "learn": ("weights", "leaks"),
    }
    for text, message in {
        "patiense=3": "did you mean patience",
        "patience": "OPTION=VALUE",
        "patience=x": "a whole number",
        "clip=x": "a number",
        "detached=yes": "true or false",
    }.items():
        with pytest.raises(UsageError, match=message):
            read_settings([text])


@pytest.mark.parametrize("form", [PLAIN, POSITIVE, SHARE, SLOW])
def test_forms_and_their_inverses(form: Form) -> None:
    x = torch.tensor([1.5, 2.0, 40.0]) if form is SLOW else torch.tensor([0.01, 0.5, 0.97])
    torch.testing.assert_close(form.value(form.inverse(x)), x)


def test_shared_arrays_are_learned_once(program: spikec.Program) -> None:
    learned = Learned(program.graph, ("weights", "thresholds"))
    ids = [id(parameter.array) for parameter in learned.parameters]
    assert len(ids) == len(set(ids))
    assert [node.name for node in learned.rounded()] == [node.name for node in program.graph]
