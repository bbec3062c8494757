"""Every command on a network that was trained spiking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikec as package
from tests.cli.conftest import Spikec

NETS = """
import torch
from torch import nn
from spikec.nn import Accumulator, Direct, LIF, Stepwise

def spiking():
    torch.manual_seed(0)
    return nn.Sequential(
        *(Direct(6), Stepwise(nn.Linear(4, 8)), LIF(0.3, leak=0.9)),
        *(Stepwise(nn.Linear(8, 3)), Accumulator()),
    ).eval()
"""
CONVERT = ["convert", "nets:spiking", "--data", "data.npz", "-o", "out.spk"]


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    rng = np.random.default_rng(0)
    (models / "nets.py").write_text(NETS, "utf-8")
    x, y = rng.normal(size=(40, 4)).astype(np.float32), rng.integers(0, 3, 40)
    np.savez(models / "data.npz", x=x, y=y)


def test_it_goes_through_every_command(spikec: Spikec, models: Path) -> None:
    made = spikec(*CONVERT, "-T", "5")
    assert made.code == 0, made.err
    assert package.load(models / "out.spk").steps == 5
    data = ("--data", "data.npz")
    for command in (
        ("show", "out.spk"),
        ("eval", "out.spk", *data),
        ("energy", "out.spk", *data),
        ("verify", "out.spk", "--on", "onnx_graph", *data),
        ("export", "out.spk", "--to", "nir_graph", "-o", "nir"),
        ("report", "out.spk", *data, "-o", "page.html"),
        ("finetune", "out.spk", *data, "--epochs", "1", "-o", "tuned.spk"),
        ("convert", "nets:spiking", *data, "-T", "5", "--recipe", "balanced", "-o", "b.spk"),
    ):
        answer = spikec(*command)
        assert answer.code == 0, f"{command}: {answer.err}"
    told = spikec("eval", "out.spk", *data, "--json").json
    assert told["drop_points"] == 0
    assert told["agreement"] == 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "steps = None"),
        (("-T", "5", "--max-drop", "1"), "max_drop for a network that was trained spiking"),
        (("-T", "5", "--recipe", "graded"), "'graded' is for analog networks"),
        (("-T", "5", "--recipe", "trained{p=9}"), "has no option"),
        (("-T", "5", "--recipe", "trainde"), "did you mean"),
    ],
)
def test_what_it_cannot_have_is_told(
    spikec: Spikec, models: Path, more: tuple[str, ...], told: str
) -> None:
    answer = spikec(*CONVERT, *more)
    assert answer.code == 2
    assert told in answer.err
    assert not (models / "out.spk").exists()


def test_layers_are_not_diagnosed(spikec: Spikec) -> None:
    assert spikec(*CONVERT, "-T", "5").code == 0
    answer = spikec("eval", "out.spk", "--data", "data.npz", "--diagnose")
    assert answer.code == 2
    assert "trained spiking has no analog activations" in answer.err


def test_recipes_tell_of_it(spikec: Spikec) -> None:
    assert "trained spiking: balanced" in spikec("recipes").out + spikec("recipes").err
