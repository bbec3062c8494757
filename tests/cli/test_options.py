"""Every command has the options that every command has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer

import spikec as package
from spikec.cli.start import app
from tests.cli.conftest import Spikec
from tests.passes.helpers import mlp

COMMANDS = sorted(getattr(typer.main.get_command(app), "commands", ()))
X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
RUNS = [
    ["show", "made.spk"],
    ["recipes"],
    ["targets"],
    ["targets", "loihi1"],
    ["check", "made.spk", "--target", "onnx"],
    [
        "convert",
        "net.onnx",
        "--data",
        "data.npz",
        "-T",
        "4",
        "--recipe",
        "graded",
        "-o",
        "a.spk",
    ],
    ["convert", "net.onnx", "--data", "data.npz", "--nearest", "-o", "auto.spk"],
    ["eval", "made.spk", "--data", "data.npz"],
    ["energy", "made.spk", "--data", "data.npz"],
    ["energy", "made.spk", "made.spk", "--data", "data.npz", "--profile", "odin"],
    ["profiles"],
    ["profiles", "lemaire2022"],
    ["export", "made.spk", "--to", "onnx_graph", "-o", "out"],
    ["verify", "made.spk", "--on", "onnx_graph", "--data", "data.npz"],
    ["lower", "made.spk", "--target", "generic-graded", "-o", "b.spk"],
    ["report", "made.spk", "--data", "data.npz", "-o", "report.html"],
    ["finetune", "made.spk", "--data", "data.npz", "-o", "tuned.spk", "--epochs", "1"],
    ["doctor"],
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_quiet_and_debug(name: str) -> None:
    command = getattr(typer.main.get_command(app), "commands", {})[name]
    options = {text for parameter in command.params for text in parameter.opts}
    assert {"--json", "--quiet", "-q", "--debug"} <= options


@pytest.fixture
def files(models: Path) -> Path:
    np.savez(models / "data.npz", x=X, y=np.arange(12) % 3)
    package.convert(mlp(4, 5, 3), X, 4, "graded").save(models / "made.spk")
    return models


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_quiet_says_nothing_and_json_is_one_document(
    spikec: Spikec, files: Path, arguments: list[str]
) -> None:
    quiet = spikec(*arguments, "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    if "out" in arguments:
        arguments = [*arguments[:-1], "out2"]
    told = spikec(*arguments, "--json")
    assert (told.code, told.err) == (0, "")
    assert isinstance(told.json, dict | list)


def test_all_quick_commands_are_tried() -> None:
    assert {run[0] for run in RUNS} | {"demo", "lava-setup"} >= set(COMMANDS)
