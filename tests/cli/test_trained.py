"""Every command on a network that was trained spiking."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikec as package
from spikec.ir import Array, Editor, ops
from spikec.nn import IF, LIF, haar
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


# ---- networks that mix steps ---------------------------------------------------------------------


class Mixing(nn.Module):
    """Neurons at all steps and at half of them; it reads recordings, [steps, samples, 4]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = LIF(0.3, leak=0.9), IF(0.5)
        self.linear, self.head = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        low, _ = haar(self.first(self.linear(x)), 0)
        scores: Tensor = self.head(self.second(low).mean(0))
        return scores


@pytest.fixture
def mixing(models: Path) -> Path:
    """A saved program, and recordings: 6 samples of 4 steps."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 4, 4)).astype(np.float32), rng.integers(0, 3, 6)
    np.savez(models / "clips.npz", x=x, y=y)
    example = torch.from_numpy(x).movedim(1, 0).contiguous()
    graph = package.import_model(Mixing().eval(), example, time_axis=0)
    package.convert(graph, x, 4).save(models / "mixing.spk")
    return models / "mixing.spk"


@pytest.mark.parametrize("count", [4, 5, 6])
def test_recordings_are_verified_as_they_are_evaluated(
    spikec: Spikec, mixing: Path, count: int
) -> None:
    told = ("--data", "clips.npz", "--samples", str(count), "--json")
    on = ("verify", mixing.name, "--on", "onnx_graph")
    answer = spikec(*on, *told, "--options", "step=false")
    assert answer.code == 0, answer.err
    found = answer.json["checks"][0]["compared"]
    assert (found["samples"], found["steps"], found["unequal"]) == (count, 4, 0)
    answer = spikec(*on, *told)
    assert answer.code == 2
    assert "--options step=false" in answer.out
    assert (
        spikec(
            "export", mixing.name, "--to", "onnx_graph", "-o", "out", "--options", "step=false"
        ).code
        == 0
    )
    assert spikec(*on, *told, "--artifact", "out").code == 0
    answer = spikec(*on, *told, "--artifact", "out", "--options", "step=false")
    assert answer.code == 2
    assert "--options of an export that is there" in answer.out


def test_a_wrong_export_of_it_is_different(spikec: Spikec, mixing: Path) -> None:
    export = ("export", mixing.name, "--to", "onnx_graph", "-o", "out", "--options", "step=false")
    assert spikec(*export).code == 0
    program = package.load(mixing)
    edit = Editor(program.graph, by="test")
    layer = next(node for node in program.graph if isinstance(node.op, ops.Linear))
    op: Any = layer.op
    edit.change_op(layer, replace(op, weight=Array(1.3 * op.weight.data)))
    program.save(mixing)
    told = ("--data", "clips.npz", "--artifact", "out")
    answer = spikec("verify", mixing.name, "--on", "onnx_graph", *told)
    assert answer.code == 1, answer.err
    assert "DIFFERENT" in answer.out


@pytest.mark.parametrize("command", [("energy",), ("eval",), ("report", "-o", "page.html")])
def test_steps_that_do_not_fit_are_told(
    spikec: Spikec, mixing: Path, command: tuple[str, ...]
) -> None:
    answer = spikec(*command, mixing.name, "--data", "clips.npz", "-T", "3")
    assert answer.code == 2
    assert "recordings of 4 steps" in answer.err
    assert "expected: 3 steps" in answer.err


@pytest.mark.parametrize("backend", ["nir_graph", "lava_net"])
def test_bands_are_refused_for_their_rate(spikec: Spikec, mixing: Path, backend: str) -> None:
    answer = spikec("export", mixing.name, "--to", backend, "-o", "out")
    assert answer.code == 2
    assert "rate" in answer.err or "of the steps" in answer.err
    assert "Permute" not in answer.err
    assert not (mixing.parent / "out").exists()
