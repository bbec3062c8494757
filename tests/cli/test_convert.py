"""`spikec convert`, `eval` and `recipes`, and `show` of what they made."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import spikec as package
from spikec.ir import ops
from spikec.pipeline.exact import inexact
from tests.cli.conftest import Spikec, onnx_model
from tests.passes.helpers import mlp

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 4)).astype(np.uint8)
CONVERT = ["convert", "nets:deep", "--data", "data.npz", "--steps", "4", "--recipe", "graded"]
NETS = """
import torch
from torch import nn

def deep():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()

def smooth():
    return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 3))
"""


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    (models / "nets.py").write_text(NETS, "utf-8")
    y = RNG.integers(0, 3, 40)
    np.savez(models / "data.npz", x=X, y=y)
    np.savez(models / "split.npz", train_x=X, train_y=y, test_x=X[:7], test_y=y[:7])
    np.savez(models / "nan.npz", x=np.full((3, 4), np.nan), y=y[:3])
    np.savez(models / "wrong.npz", x=X[:, :3], y=y)
    np.savez(models / "black.npz", x=np.zeros((5, 4), np.uint8), y=y[:5])
    np.savez(models / "labels.npz", x=X, y=y + 5)
    np.savez(models / "bare.npz", x=X)
    (models / "noise.npz").write_bytes(bytes(range(200)))
    package.convert(mlp(4, 5, 3), X, 4, "graded").save(models / "made.spk")


def test_weight_bits_round_the_weights_and_stand_in_the_program(
    spikec: Spikec, models: Path
) -> None:
    made = spikec(*CONVERT, "--weight-bits", "8", "-o", "out.spk")
    assert made.code == 0, made.err
    program = package.load(models / "out.spk")
    assert "whole-weights" in program.recipe
    weights = [node.op.weight.data for node in program.graph if isinstance(node.op, ops.Linear)]
    assert np.abs(weights[-1]).max() == 127
    assert (weights[-1] == np.round(weights[-1])).all()
    assert spikec(*CONVERT, "--weight-bits", "0", "-o", "out.spk").code == 2


def test_input_bits_and_weight_options_make_a_program_of_whole_numbers(
    spikec: Spikec, models: Path
) -> None:
    rounding = ("--weight-bits", "8", "--input-bits", "8", "--weight-options", "sign=mixed-even")
    made = spikec(*CONVERT, *rounding, "-o", "out.spk")
    assert made.code == 0, made.err
    program = package.load(models / "out.spk")
    assert "quantise-input{bits=8}" in program.recipe
    assert program.record["whole-weights"] == {"exact": True}
    assert inexact(program.graph) == []
    told = spikec(*CONVERT, "--weight-options", "per=layer", "-o", "out.spk")
    assert told.code == 2
    assert "--weight-bits" in told.err


def test_convert_eval_and_show_work_together(spikec: Spikec, models: Path) -> None:
    made = spikec(*CONVERT, "--scale", "1/255", "--mean", ".5", "--std", "0.25", "-o", "out.spk")
    assert (made.code, made.err.count("error")) == (0, 0), made.err
    lines = made.out.splitlines()
    assert lines[0].startswith("fold-constants ")
    assert any(line.startswith("thresholds{levels=60}") and "deviation" in line for line in lines)
    assert "1 layers of 8 neurons, 4 steps, calibrated on 40 samples" in made.out
    assert lines[-1] == "wrote out.spk"
    program = package.load(models / "out.spk")
    assert program.preprocess == package.Preprocess(1 / 255, (0.5,), (0.25,))
    found = program.evaluate(models / "data.npz")
    shown = spikec("eval", "out.spk", "--data", "data.npz")
    assert shown.code == 0
    assert f"accuracy {found.accuracy:.2%} of 40 samples" in shown.out
    assert f"a drop of {found.drop:.2f} points" in shown.out
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["4", f"{found.accuracy:.2%}", f"{found.drop:.2f}"] in rows
    assert [program.neurons[0], f"{found.rates[program.neurons[0]]:.4f}"] in rows
    about = spikec("show", "out.spk")
    assert "a program of 4 steps" in about.out
    assert "recipe: fold-constants," in about.out
    document = spikec("show", "out.spk", "--json").json["program"]
    assert document["steps"] == 4
    assert document["preprocess"] == {"scale": 1 / 255, "mean": [0.5], "std": [0.25]}


def test_json_of_convert_and_eval(spikec: Spikec, models: Path) -> None:
    made = spikec(*CONVERT, "-o", "out.spk", "--json", "--samples", "16", "--seed", "3").json
    assert made["file"] == "out.spk"
    assert (made["layers"], made["neurons"], made["steps"]) == (1, 8, 4)
    assert (made["calibration_samples"], made["seed"]) == (16, 3)
    names = [entry["text"].partition("{")[0] for entry in made["passes"]]
    assert names == re.sub(r"\{[^}]*\}", "", made["pipeline"]).split(",")
    found = spikec("eval", "out.spk", "--data", "split.npz:test", "--steps", "2", "--json").json
    wanted = package.load(models / "out.spk").evaluate(f"{models}/split.npz:test", 2).to_json()
    assert found == {**wanted, "accuracy_by_step": list(wanted["accuracy_by_step"])}
    assert found["samples"] == 7
    assert len(found["accuracy_by_step"]) == 2


@pytest.mark.parametrize("memory", ["1MB", "65536", "0.5 MiB"])
def test_a_memory_bound_changes_nothing(spikec: Spikec, memory: str) -> None:
    plain = spikec("eval", "made.spk", "--data", "data.npz", "--json").json
    bounded = ["eval", "made.spk", "--data", "data.npz", "--memory", memory, "--json"]
    assert spikec(*bounded).json == plain


@pytest.mark.parametrize("model", ["net.onnx", "net.spk", "nets:deep"])
def test_every_kind_of_model_is_converted(spikec: Spikec, models: Path, model: str) -> None:
    answer = spikec("convert", model, *CONVERT[2:], "-o", "out.spk", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    assert package.load(models / "out.spk").neurons


def test_recipes_are_listed_with_their_options(spikec: Spikec) -> None:
    rows = {row["name"]: row for row in spikec("recipes", "--json").json}
    assert set(rows) == set(package.recipes())
    options = rows["percentile"]["options"]
    assert (options["p"], options["per"], options["v0"]) == (99.9, "layer", 0.0)
    assert all(row["about"] and row["needs"] for row in rows.values())
    table = spikec("recipes").out
    assert "p=99.9, per=layer, v0=0.0" in table
    assert all(name in table for name in rows)


def test_many_steps_are_shown_at_powers_of_two(spikec: Spikec) -> None:
    spikec(
        "convert", "nets:deep", "--data", "data.npz", "-T", "40", "--recipe", "rate", "-o", "r.spk"
    )
    lines = spikec("eval", "r.spk", "--data", "data.npz").out.splitlines()
    steps = [line.split()[0] for line in lines if line.split()[1:] and line.split()[0].isdigit()]
    assert steps == ["1", "2", "4", "8", "16", "32", "40"]


OUT = ["-o", "out.spk"]
MISTAKES = [
    (["convert", "nets:deep"], "Missing option"),
    ([*CONVERT], "--out"),
    ([*CONVERT, "-o", "out.txt"], "--out out.spk"),
    ([*CONVERT, "-o", "absent/out.spk"], "mkdir -p absent"),
    ([*CONVERT, *OUT, "--steps", "0"], "steps = 0"),
    ([*CONVERT, *OUT, "--steps", "-2"], "steps = -2"),
    ([*CONVERT, *OUT, "--steps", "2.5"], "should be a valid integer"),
    ([*CONVERT, *OUT, "--recipe", "garded"], "did you mean graded?"),
    ([*CONVERT, *OUT, "--recipe", "rate{sample=3}"], "did you mean samples?"),
    ([*CONVERT, *OUT, "--recipe", "rate{rounds=-1}"], "rounds = -1"),
    ([*CONVERT, *OUT, "--samples", "0"], "--samples"),
    ([*CONVERT, *OUT, "--scale", "1/0"], "--scale: '1/0' is no number"),
    ([*CONVERT, *OUT, "--scale", "0"], "--scale 0"),
    ([*CONVERT, *OUT, "--mean", "a,b"], "--mean: 'a' is no number"),
    ([*CONVERT, *OUT, "--std", "0.1,-1"], "--std 0.1,-1"),
    ([*CONVERT, *OUT, "--mean", "1,2", "--std", "1"], "2 numbers for --mean and 1 for --std"),
    ([*CONVERT, *OUT, "--mean", "1,2,3"], "3 numbers for mean or std"),
    ([*CONVERT, *OUT, "--data", ""], "--data is empty"),
    ([*CONVERT, *OUT, "--data", "dat.npz"], "did you mean data.npz?"),
    ([*CONVERT, *OUT, "--data", "nets.py"], "no .npz file"),
    ([*CONVERT, *OUT, "--data", "noise.npz"], "cannot read data"),
    ([*CONVERT, *OUT, "--data", "split.npz"], "try split.npz:train or split.npz:test"),
    ([*CONVERT, *OUT, "--data", "split.npz:tarin"], "try split.npz:train or split.npz:test"),
    ([*CONVERT, *OUT, "--data", "nan.npz"], "NaN"),
    ([*CONVERT, *OUT, "--data", "wrong.npz"], "3"),
    ([*CONVERT, *OUT, "--data", "black.npz"], "one number only"),
    (["convert", "nets:smooth", *CONVERT[2:], *OUT], "2 nodes of"),
    (["convert", "made.spk", *CONVERT[2:], *OUT], "is for analog networks"),
    (["convert", "nett.onnx", *CONVERT[2:], *OUT], "did you mean net.onnx?"),
    (["eval", "made.spk"], "--data"),
    (["eval", "made.spk", "--data", "labels.npz"], "0..2, as the network has 3 outputs"),
    (["eval", "made.spk", "--data", "bare.npz"], "no labels"),
    (["eval", "made.spk", "--data", "wrong.npz"], "size 3"),
    (["eval", "made.spk", "--data", "data.npz", "--steps", "0"], "steps = 0"),
    (["eval", "made.spk", "--data", "data.npz", "--memory", "lots"], "--memory lots"),
    (["eval", "made.spk", "--data", "data.npz", "--memory", "0GB"], "at least one byte"),
    (["eval", "mad.spk", "--data", "data.npz"], "did you mean made.spk?"),
    (["eval", "net.spk", "--data", "data.npz"], "a graph, but no program"),
    (["eval", "net.onnx", "--data", "data.npz"], "net.onnx is no program"),
    (["eval", "cut.spk", "--data", "data.npz"], "cut.spk"),
    (["evl", "made.spk"], "Did you mean 'eval'?"),
    (["recipe"], "Did you mean 'recipes'?"),
]


@pytest.mark.parametrize(("arguments", "told"), MISTAKES, ids=lambda value: str(value)[-40:])
def test_a_mistake_is_told_and_leaves_no_file(
    spikec: Spikec, models: Path, arguments: list[str], told: str
) -> None:
    before = sorted(models.rglob("*"))
    answer = spikec(*arguments)
    assert answer.code == 2
    assert "error: " in answer.err
    assert told in answer.err
    assert "Traceback" not in answer.err
    after = [path for path in sorted(models.rglob("*")) if "__pycache__" not in str(path)]
    assert after == before


def test_all_that_is_not_supported_is_listed(spikec: Spikec, models: Path) -> None:
    told = spikec("convert", "nets:smooth", *CONVERT[2:], *OUT).err
    assert "GELU" in told
    assert "SiLU" in told
    assert "where:    1\n" in told  # the modules' names in a Sequential
    assert "where:    3\n" in told


def test_an_old_file_survives_a_failure(spikec: Spikec, models: Path) -> None:
    old = (models / "made.spk").read_bytes()
    (models / "gelu.onnx").write_bytes(onnx_model("Sigmoid"))
    assert spikec("convert", "nets:smooth", *CONVERT[2:], "-o", "made.spk").code == 2
    assert (models / "made.spk").read_bytes() == old
