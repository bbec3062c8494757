"""`spikec report` writes a page and pictures, and refuses what it cannot read or write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikec as package
from tests.cli.conftest import Spikec
from tests.passes.helpers import mlp

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
REPORT = ["report", "made.spk", "--data", "data.npz", "-o", "report.html"]


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    y = np.arange(40) % 3
    np.savez(models / "data.npz", x=X, y=y)
    np.savez(models / "bare.npz", x=X)
    np.savez(models / "wrong.npz", x=X[:, :3], y=y)
    np.savez(models / "labels.npz", x=X, y=y + 5)
    package.convert(mlp(4, 6, 5, 3), X, 4, "graded").save(models / "made.spk")


def test_a_page_and_its_pictures(spikec: Spikec, models: Path) -> None:
    answer = spikec(*REPORT, "--plots", "plots", "--samples", "20", "--target", "loihi1")
    assert answer.code == 0, answer.err
    page = (models / "report.html").read_text("utf-8")
    seen = package.load(models / "made.spk").evaluate((X[:20], np.arange(20) % 3))
    assert f"accuracy {seen.accuracy:.2%} of 20 samples" in answer.out
    assert f"{100 * seen.accuracy:.2f}" in page
    assert "loihi1" in page
    assert "loihi2" not in page
    names = sorted(path.name for path in (models / "plots").iterdir())
    assert {"accuracy.svg", "events.svg", "network.svg", "cores-loihi1.svg"} <= set(names)
    assert answer.out.splitlines()[-1].startswith("wrote report.html (")


def test_json_tells_files_and_numbers(spikec: Spikec, models: Path) -> None:
    told = spikec(*REPORT, "--steps", "2", "--json").json
    seen = package.load(models / "made.spk").evaluate((X, np.arange(40) % 3), steps=2)
    assert told["file"] == "report.html"
    assert told["bytes"] == (models / "report.html").stat().st_size
    assert told["accuracy_by_step"] == list(seen.accuracy_by_step)
    assert told["plots"] == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--data", "bare.npz"], "the data have no labels"),
        (["--data", "wrong.npz"], "size 3"),
        (["--data", "labels.npz"], "labels from 5 to 7"),
        (["--data", "absent.npz"], "no such file"),
        (["-o", "absent/report.html"], "there is no folder for this file"),
        (["-o", "folder.onnx"], "a report is an HTML page, not .onnx"),
        (["--layer", "fc9"], "no layer of neurons is called 'fc9'"),
        (["--sample", "40"], "sample 40 of 40"),
        (["--target", "lohi1"], "did you mean loihi1?"),
        (["--steps", "0"], "steps = 0"),
        (["--memory", "much"], "--memory much"),
        (["--format", "gif"], "--format"),
        (["--plots", "."], "the folder is not empty"),
    ],
)
def test_what_cannot_be_done_leaves_no_page(
    spikec: Spikec, models: Path, change: list[str], told: str
) -> None:
    before = sorted(models.iterdir())
    answer = spikec(*REPORT, *change)
    assert answer.code == 2
    assert told in answer.err
    assert answer.err.count("error: ") == 1
    assert sorted(models.iterdir()) == before
