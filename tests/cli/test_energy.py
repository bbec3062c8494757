"""`spikec energy` and `spikec profiles`: tables, formats, comparisons, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import spikec as package
from spikec.energy.catalog import profiles
from tests.cli.conftest import Spikec
from tests.passes.helpers import mlp

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
ENERGY = ["energy", "made.spk", "--data", "data.npz"]


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    np.savez(models / "data.npz", x=X)
    np.savez(models / "wrong.npz", x=X[:, :3])
    np.savez(models / "empty.npz", x=X[:0])
    package.convert(mlp(4, 6, 5, 3), X, 4, "graded").save(models / "made.spk")
    package.convert(mlp(4, 6, 5, 3), X, 8, "rate").save(models / "other.spk")
    negative = 'about = "x"\nleaves-out = "y"\n[operations]\nac = { value = -1 }\n'
    (models / "negative.toml").write_text(negative, "utf-8")


def test_a_table_of_layers_and_totals(spikec: Spikec, models: Path) -> None:
    answer = spikec(*ENERGY)
    assert (answer.code, answer.err) == (0, "")
    found = package.load(models / "made.spk").energy(X)
    for layer in found.layers:
        assert layer.name in answer.out
    for told in ("ann-fp32", "ann-int8", "computed once", "at each of 4 steps", "leaves out"):
        assert told in answer.out
    assert "convention of the literature: E = 0.9 pJ ΣSOP + 4.6 pJ FLOPs(first)" in answer.out


def test_json_is_what_python_gives(spikec: Spikec, models: Path) -> None:
    told = spikec(*ENERGY, "--samples", "9", "--steps", "3", "-p", "truenorth", "--json").json
    found = package.load(models / "made.spk").energy(X[:9], "truenorth", steps=3)
    assert told == json.loads(json.dumps({**found.to_json(), "program": "made"}))
    assert told["sources"]["operations.ac"]["value"] == 26


def test_several_programs_and_profiles_in_one_table(spikec: Spikec) -> None:
    both = ("energy", "made.spk", "other.spk", "--data", "data.npz", "-p", "loihi1-davies2018")
    rows = spikec(*both, "-p", "horowitz45-int8", "--json").json
    assert [(row["program"], row["profile"], row["steps"]) for row in rows] == [
        ("made", "loihi1-davies2018", 4),
        ("made", "horowitz45-int8", 4),
        ("other", "loihi1-davies2018", 8),
        ("other", "horowitz45-int8", 8),
    ]
    answer = spikec(*both)
    assert all(word in answer.out for word in ("made", "other", "/ ANN int8", "static"))


@pytest.mark.parametrize("arguments", [["--csv"], ["--format", "csv"]])
def test_csv_has_a_row_a_layer_and_their_sum(
    spikec: Spikec, models: Path, arguments: list[str]
) -> None:
    rows = list(csv.DictReader(io.StringIO(spikec(*ENERGY, *arguments).out)))
    found = package.load(models / "made.spk").energy(X)
    assert [row["layer"] for row in rows] == [*(layer.name for layer in found.layers), ""]
    assert sum(float(row["total_pj"]) for row in rows[:-1]) == pytest.approx(found.total_pj)
    assert float(rows[-1]["total_pj"]) == found.total_pj
    assert float(rows[-1]["ratio_ann-fp32"]) == found.total_pj / found.reference_pj
    assert {row["profile"] for row in rows} == {"horowitz45-fp32"}


def test_markdown_into_a_file(spikec: Spikec, models: Path) -> None:
    answer = spikec(*ENERGY, "--format", "markdown", "-o", "energy.md")
    assert (answer.code, answer.out) == (0, "wrote energy.md\n")
    content = (models / "energy.md").read_text("utf-8")
    assert content == package.load(models / "made.spk").energy(X).to_markdown().replace(
        "**mlp:", "**made:"
    )
    heads = content.splitlines()[2]
    assert heads.startswith("| layer | op | rate in |")


def test_quiet_says_nothing(spikec: Spikec) -> None:
    answer = spikec(*ENERGY, "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["-p", "horowitz45-fp23"], "did you mean horowitz45-fp32?"),
        (["-p", "absent.toml"], "no such file"),
        (["-p", "negative.toml"], "operations.ac, negative.toml:4"),
        (["--data", "wrong.npz"], "size 3"),
        (["--data", "empty.npz"], "empty"),
        (["--data", "absent.npz"], "no such file"),
        (["--steps", "0"], "steps = 0"),
        (["--samples", "0"], "--samples"),
        (["--memory", "much"], "--memory much"),
        (["--format", "html"], "--format"),
        (["--csv", "--format", "markdown"], "csv and markdown at once"),
        (["-o", "absent/energy.csv"], "there is no folder for this file"),
        (["--profil", "odin"], "--profile"),
        (["net.onnx"], "net.onnx is no program"),
    ],
)
def test_what_cannot_be_done_leaves_nothing(
    spikec: Spikec, models: Path, change: list[str], told: str
) -> None:
    before = sorted(models.iterdir())
    answer = spikec(*ENERGY, *change)
    assert answer.code == 2
    assert told in answer.err
    assert answer.err.count("error: ") == 1
    assert sorted(models.iterdir()) == before


def test_all_profiles_are_listed(spikec: Spikec) -> None:
    answer = spikec("profiles")
    assert answer.code == 0
    assert all(name in answer.out for name in profiles())
    assert [row["name"] for row in spikec("profiles", "--json").json] == list(profiles())


def test_a_profile_is_shown_with_the_source_of_each_number(spikec: Spikec) -> None:
    answer = spikec("profiles", "loihi1-davies2018")
    assert answer.code == 0
    for told in ("23.6 pJ", "Davies et al., IEEE Micro 38(1), 2018", "465 ns", "0.104 W"):
        assert told in answer.out
    figures = spikec("profiles", "loihi1-davies2018", "--json").json["figures"]
    assert figures["network.hop-y"]["unit"] == "pJ"
    assert all(figure["source"] and figure["leaves_out"] for figure in figures.values())


def test_an_unknown_profile_is_misuse(spikec: Spikec) -> None:
    answer = spikec("profiles", "odn")
    assert answer.code == 2
    assert "did you mean odin?" in answer.err


def test_a_program_can_carry_its_energy(spikec: Spikec, models: Path) -> None:
    answer = spikec(*ENERGY, "--save", "told.spk", "--quiet")
    assert (answer.code, answer.err) == (0, "")
    shown = spikec("show", "told.spk")
    assert "energy: one of 40 samples by horowitz45-fp32, mean" in shown.out
    found = package.load(models / "told.spk").energy(X)
    told = spikec("show", "told.spk", "--json").json["energy"]["nodes"]
    assert {name: cost["pj"] for name, cost in told.items()} == {
        layer.name: layer.total_pj for layer in found.layers
    }
    assert "  // " in spikec("show", "told.spk", "--text").out
    assert spikec("show", "made.spk", "--json").json["energy"] is None


def test_only_one_estimate_fits_onto_a_program(spikec: Spikec) -> None:
    answer = spikec(*ENERGY, "-p", "odin", "-p", "truenorth", "--save", "told.spk")
    assert answer.code == 2
    assert "--save with several estimates" in answer.err
