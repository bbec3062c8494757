"""`spikec export` and `spikec verify`: folders, exit codes, and errors in one block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikec as package
from tests.cli.conftest import Spikec
from tests.passes.helpers import mlp

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
EXPORT = ["export", "made.spk", "--to", "onnx_graph", "-o"]
VERIFY = ["verify", "made.spk", "--on", "onnx_graph", "--data", "data.npz"]


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    np.savez(models / "data.npz", x=X)
    package.convert(mlp(4, 5, 6, 3), X, 4, "rate").save(models / "made.spk")


def test_an_export_is_a_folder_that_verifies(spikec: Spikec, models: Path) -> None:
    answer = spikec(*EXPORT, "out")
    assert (answer.code, answer.err) == (0, "")
    names = {path.name for path in (models / "out").iterdir()}
    assert names == {"README.md", "manifest.json", "sequence.onnx", "start.onnx", "step.onnx"}
    assert "spikec verify made.spk --on onnx_graph --artifact out" in answer.out
    answer = spikec(*VERIFY, "--artifact", "out", "--samples", "5")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("equal: ") == 2
    assert "5 samples; 0 unequal" in answer.out


def test_json_says_the_same(spikec: Spikec) -> None:
    made = spikec(*EXPORT, "out", "--options", "step=false", "--json").json
    assert (made["backend"], made["steps"], made["ways"]) == ("onnx_graph", 4, ["sequence"])
    found = spikec(*VERIFY, "--json").json
    assert found["ok"] is True
    assert [check["way"] for check in found["checks"]] == ["sequence", "step"]
    assert found["checks"][0]["compared"]["samples"] == 8


def test_options_reach_the_backend(spikec: Spikec) -> None:
    made = spikec(
        *("export", "made.spk", "--to", "nir_graph", "-o", "out", "--json"),
        *("--options", "dt=0.5,neurons=LIF,unit-thresholds=true"),
    ).json
    assert made["dt"] == 0.5


def test_a_difference_is_1_and_named(spikec: Spikec, models: Path) -> None:
    """The export of a network with other weights is no export of this one."""
    other = package.convert(mlp(4, 5, 6, 3, seed=1), X, 4, "rate")
    other.export("onnx_graph", models / "other")
    answer = spikec(*VERIFY, "--artifact", "other")
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.count("DIFFERENT: ") == 2
    assert "first difference: step 1, layer " in answer.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["export", "made.spk", "--to", "onx_graph", "-o", "out"], "did you mean onnx_graph"),
        (["export", "made.spk", "--to", "onnx_graph", "-o", "data.npz"], "a file stands"),
        ([*EXPORT, "out", "--options", "stp=false"], "did you mean step?"),
        ([*EXPORT, "out", "--options", "step=maybe"], "true or false"),
        ([*EXPORT, "out", "--options", "step"], "option=value"),
        (["export", "made.spk", "--to", "onnx_graph", "-o", "."], "not empty"),
        (["export", "made.spk", "--to", "onnx_graph", "-o", "no/such"], "no such folder"),
        (["export", "data.npz", "--to", "onnx_graph", "-o", "out"], "no program"),
        (["export", "made.spk", "-o", "out"], "--to"),
        ([*VERIFY, "--artifact", "nowhere"], "no export"),
        (["verify", "made.spk", "--on", "loihi9", "--data", "data.npz"], "no backend is called"),
    ],
)
def test_misuse_is_2_and_leaves_nothing(
    spikec: Spikec, models: Path, arguments: list[str], told: str
) -> None:
    answer = spikec(*arguments)
    assert answer.code == 2
    assert told in answer.err
    assert not (models / "out").exists()
