"""``spikec lower``: a program on a chip's cores, its picture and its export; and all misuse."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import spikec as package
from spikec.target import placement_of
from tests.cli.conftest import Spikec
from tests.passes.helpers import mlp

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
LOWER = ["lower", "whole.spk", "--target", "sanafe-loihi", "-o", "placed.spk"]
VERIFY = ["verify", "placed.spk", "--on", "sanafe_chip", "--data", "data.npz", "--samples", "3"]
SANAFE = pytest.mark.skipif(
    importlib.util.find_spec("sanafe") is None, reason="sanafe is not installed"
)


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    np.savez(models / "data.npz", x=X)
    net = mlp(4, 5, 6, 3)
    package.convert(net, X, 4, "rate").save(models / "real.spk")
    whole = package.convert(net, X, 4, "rate", weight_bits=8, input_bits=4)
    whole.save(models / "whole.spk")


def test_a_program_is_fitted_and_placed(spikec: Spikec, models: Path) -> None:
    answer = spikec(*LOWER, "--data", "data.npz")
    assert (answer.code, answer.err) == (0, "")
    assert "1 core of 128; wrote placed.spk" in answer.out
    assert "legalise-neurons{target=sanafe-loihi}" in answer.out
    placement = placement_of(package.load(models / "placed.spk").graph)
    assert placement is not None
    assert (placement.target, placement.cores, placement.measured) == ("sanafe-loihi", 1, True)
    told = spikec(*LOWER, "--json").json
    assert told["file"] == "placed.spk"
    assert told["placement"]["target"] == "sanafe-loihi"
    assert told["placement"]["measured"] is False
    answer = spikec("check", "placed.spk", "--target", "sanafe-loihi", "--cores")
    assert answer.code == 0
    assert "0 routers passed" in answer.out


def test_the_mesh_of_cores_is_drawn(spikec: Spikec, models: Path) -> None:
    answer = spikec("check", "whole.spk", "--target", "loihi2", "--picture", "mesh.svg", "-q")
    assert (answer.code, answer.err) == (0, "")
    root = ET.parse(models / "mesh.svg").getroot()
    assert root.tag.endswith("svg")
    text = (models / "mesh.svg").read_text("utf-8")
    assert "core 0:" in text
    assert "neurons: " in text


@pytest.mark.parametrize("name", ["real.spk", "mesh.png", "mesh", "no/mesh.svg", "."])
def test_no_picture_is_written_over_what_is_none(spikec: Spikec, models: Path, name: str) -> None:
    before = (models / "real.spk").read_bytes()
    answer = spikec("check", "whole.spk", "--target", "loihi2", "--picture", name)
    assert answer.code == 2
    assert "--picture" in answer.err
    assert answer.out == ""
    assert (models / "real.spk").read_bytes() == before
    assert not (models / "mesh.png").exists()


def test_what_no_core_holds_is_listed_and_not_drawn(spikec: Spikec, models: Path) -> None:
    net = mlp(4, 300, 5, 3)
    program = package.convert(net, X, 4, "rate", weight_bits=2, input_bits=4)
    program.save(models / "wide.spk")
    answer = spikec("check", "wide.spk", "--target", "truenorth", "--picture", "p.svg", "--cores")
    assert (answer.code, answer.err) == (1, "")
    assert "nothing is placed or drawn" in answer.out
    assert "300 synapses into one neuron" in answer.out
    assert not (models / "p.svg").exists()


def test_all_that_keeps_a_program_from_a_target_is_listed(spikec: Spikec, models: Path) -> None:
    answer = spikec("lower", "real.spk", "--target", "loihi1", "-o", "placed.spk")
    assert answer.code == 2
    assert "cannot be fitted to loihi1" in answer.err
    for what in ("comparison '>='", "weights are no whole numbers", "threshold: "):
        assert what in answer.err
    assert not (models / "placed.spk").exists()
    told = spikec("lower", "real.spk", "--target", "loihi1", "-o", "placed.spk", "--json")
    assert told.code == 2
    assert len(told.json["problems"]) > 4


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"--target": "sanafe-lohi"}, "did you mean sanafe-loihi"),
        ({"--target": "nowhere.toml"}, "no such file"),
        ({"--target": "data.npz"}, "no target"),
        ({"-o": "placed.onnx"}, "--out placed.spk"),
        ({"-o": "no/placed.spk"}, "no such folder"),
        ({"-o": "."}, "not files without suffix"),
        ({"PROGRAM": "nowhere.spk"}, "no such file"),
        ({"PROGRAM": "cut.spk"}, "truncated or damaged"),
        ({"PROGRAM": "data.npz"}, "no program"),
        ({"PROGRAM": "net.spk"}, "no program"),
        ({"--data": "nowhere.npz"}, "no such file"),
        ({"--data": "data.npz:test"}, "no array test_x"),
        ({"--tarket": "loihi1"}, "No such option: --tarket"),
        ({"--refit-reset": ""}, "--data FILE.npz"),
    ],
)
def test_misuse_is_2_and_leaves_nothing(
    spikec: Spikec, models: Path, changed: dict[str, str], told: str
) -> None:
    given = {"PROGRAM": "whole.spk", "--target": "loihi1", "-o": "placed.spk", **changed}
    program = given.pop("PROGRAM")
    words = [word for option in given.items() for word in option if word]
    answer = spikec("lower", program, *words)
    assert answer.code == 2
    assert told in answer.err
    assert not list(models.glob("*placed*"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told(spikec: Spikec, models: Path) -> None:
    (models / "locked").mkdir(mode=0o500)
    answer = spikec("lower", "whole.spk", "--target", "loihi2", "-o", "locked/placed.spk")
    assert answer.code == 2
    assert "no permission" in answer.err


@SANAFE
def test_a_lowered_program_runs_on_the_simulated_chip(spikec: Spikec, models: Path) -> None:
    assert spikec(*LOWER).code == 0
    answer = spikec("export", "placed.spk", "--to", "sanafe_chip", "-o", "out")
    assert (answer.code, answer.err) == (0, "")
    answer = spikec(*VERIFY, "--artifact", "out")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("equal: sanafe_chip (loihi, SANA-FE")
    assert "0 unequal" in answer.out
    assert (models / "out" / "results.json").is_file()


def test_lowered_programs_go_into_onnx_too(spikec: Spikec) -> None:
    assert spikec(*LOWER).code == 0
    answer = spikec("verify", "placed.spk", "--on", "onnx_graph", "--data", "data.npz")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("0 unequal") == 2


def test_a_program_of_another_chip_is_told_how_to_come_to_this_one(spikec: Spikec) -> None:
    assert spikec("lower", "whole.spk", "--target", "loihi2", "-o", "placed.spk").code == 0
    answer = spikec("export", "placed.spk", "--to", "sanafe_chip", "-o", "out")
    assert answer.code == 2
    assert "comparison '>='" in answer.err
    assert "it is placed on loihi2; lower it anew: --target sanafe-loihi" in answer.err


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PYTHON", "/no/such/python", "no program is called /no/such/python"),
        ("PYTHON", "BARE", 'pip install "spikec[sanafe]"'),
        ("LIMIT", "soon", "a number of seconds above 0"),
        ("LIMIT", "-1", "a number of seconds above 0"),
        ("LIMIT", "0.01", "it had not come to an end after 0.01 seconds"),
    ],
)
def test_a_simulator_that_cannot_run_is_told(
    spikec: Spikec,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    told: str,
) -> None:
    bare = models / "bare-python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -I "$@"\n', "utf-8")
    bare.chmod(0o755)
    probe = subprocess.run([bare, "-c", "import numpy"], capture_output=True, check=False)
    assert probe.returncode == 1
    monkeypatch.setenv(f"SPIKEC_SANAFE_{variable}", str(bare) if value == "BARE" else value)
    assert spikec(*LOWER).code == 0
    answer = spikec(*VERIFY)
    assert answer.code == 2
    assert told in answer.err
