"""`spikec eval --diagnose`: the parts of each layer's error, for people and for machines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikec as package
from spikec.diagnosis import CAUSES
from tests.cli.conftest import Spikec
from tests.passes.helpers import mlp

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
EVAL = ["eval", "made.spk", "--data", "data.npz", "--diagnose"]


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    np.savez(models / "data.npz", x=X, y=RNG.integers(0, 3, 40))
    np.savez(models / "bare.npz", x=X)
    package.convert(mlp(4, 5, 6, 3), X, 4, "rate").save(models / "made.spk")


def test_the_table_shows_every_part_and_marks_the_largest(spikec: Spikec, models: Path) -> None:
    program = package.load(models / "made.spk")
    found = program.diagnose(X)
    answer = spikec(*EVAL)
    assert (answer.code, answer.err) == (0, "")
    assert "accuracy" in answer.out  # what eval says without it stays
    rows = {
        line.split()[0]: line for line in answer.out.splitlines() if "(" in line and "*" in line
    }
    for layer in found.layers:
        row = rows[layer.name]
        for name in (*CAUSES, "total"):
            part = layer.part(name)
            mark = "*" if name == layer.largest else " "
            assert f"{mark}{100 * part.rms:.2f} ({100 * part.mean:+.2f})" in row
    assert all(cause in answer.out for cause in CAUSES)
    assert "the largest cause" in answer.out


def test_json_holds_all_figures(spikec: Spikec, models: Path) -> None:
    program = package.load(models / "made.spk")
    document = spikec(*EVAL, "--json", "--steps", "3", "--samples", "30").json
    assert document["samples"] == 30
    assert document["diagnosis"] == {
        **program.diagnose(X[:30], 3).to_json(),
        "layers": [dict(layer) for layer in program.diagnose(X[:30], 3).to_json()["layers"]],
    }
    assert "diagnosis" not in spikec(*EVAL[:-1], "--json").json


def test_a_layer_without_a_twin_is_named(spikec: Spikec, models: Path) -> None:
    program = package.load(models / "made.spk")
    lost = program.neurons[1]
    renamed = package.convert(mlp(4, 5, 3), X, 4, "rate")
    package.Program(program.graph, renamed.reference, 4).save(models / "odd.spk")
    answer = spikec("eval", "odd.spk", "--data", "data.npz", "--diagnose")
    assert answer.code == 0
    assert f"{lost}: not diagnosed, the network has no activation of this name" in answer.out


def test_quiet_says_nothing_and_mistakes_are_told(spikec: Spikec) -> None:
    quiet = spikec(*EVAL, "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert spikec("eval", "made.spk", "--data", "bare.npz", "--diagnose").code == 2
    assert spikec(*EVAL, "--memory", "10").code == 2
    wrong = spikec("eval", "made.spk", "--data", "data.npz", "--diagnos")
    assert wrong.code == 2
    assert "--diagnose" in wrong.err
