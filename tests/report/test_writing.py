"""Pages and pictures are there whole or not at all, and small."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spikec
from spikec.errors import BadFile, DataError, MissingDependency, SpikecError, UsageError
from spikec.evaluation import Evaluation, Observation
from spikec.report.findings import Findings
from spikec.report.formats import Format
from spikec.report.page import pictures
from spikec.report.writing import write_pictures
from tests.report.conftest import Reported


def test_a_program_writes_its_page(reported: Reported, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    seen: list[tuple[int, int]] = []
    found = reported.program.report(
        path,
        reported.data,
        targets=reported.targets,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert isinstance(found, Findings)
    assert path.read_text("utf-8") == reported.html
    assert seen[-1] == (200, 200)
    assert path.stat().st_size < 200_000


def test_fewer_steps_are_told(reported: Reported, tmp_path: Path) -> None:
    found = reported.program.report(tmp_path / "a.html", reported.data, steps=3, targets={})
    assert found.steps == 3
    assert isinstance(found.activity, Evaluation)
    assert len(found.activity.accuracy_by_step) == 3
    assert found.firing[0].raster.shape[0] == 3


def test_outputs_that_are_no_class_scores_are_compared_with_the_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, x = (
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)),
        torch.rand(9, 1, 8, 8),
    )
    program = spikec.convert(net.eval(), x, 4, "rate")
    found = program.report(tmp_path / "images.html", x, targets={})
    with torch.no_grad():
        wanted = net(x).numpy()
    apart = [np.linalg.norm(y - wanted) for y in program.run(x).output_by_step]
    shares = np.array(apart) / np.linalg.norm(wanted)
    assert isinstance(found.activity, Observation)
    np.testing.assert_allclose(found.activity.difference_by_step, shares, rtol=1e-4)
    page = (tmp_path / "images.html").read_text("utf-8")
    assert "Outputs are no class scores" in page
    assert found.activity.events_per_neuron > 0
    assert "accuracy" not in {picture.name for picture in pictures(found)}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("absent/report.html", "there is no folder for this file"),
        ("folder.html", "a folder stands in the file's place"),
        ("report.pdf", "call it "),
        ("report", "a file without suffix"),
    ],
)
def test_a_path_that_cannot_be_written_is_told_before_anything_runs(
    reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    monkeypatch.setattr("spikec.evaluation.simulate", None)
    with pytest.raises((BadFile, UsageError), match=told):
        reported.program.report(tmp_path / name, reported.data)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told(reported: Reported, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(BadFile, match="no permission"):
        reported.program.report(locked / "report.html", reported.data)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: x,
        lambda x, y: (x[:, :60], y),
        lambda x, y: (x, y + 7),
        lambda x, y: (np.where(x > 0.9, np.nan, x), y),
        lambda x, y: (x[:0], y[:0]),
    ],
    ids=["no labels", "another shape", "other labels", "not a number", "nothing"],
)
def test_wrong_data_leave_the_old_page(reported: Reported, tmp_path: Path, change: Any) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", "utf-8")
    with pytest.raises(DataError):
        reported.program.report(path, change(*reported.data), targets={})
    assert path.read_text("utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_crash_while_writing_leaves_the_old_page(
    reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", "utf-8")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spikec.ir.atomic.os.fsync", full)
    with pytest.raises(BadFile, match="No space left"):
        reported.program.report(path, reported.data, targets={})
    assert path.read_text("utf-8") == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_every_picture_becomes_a_file_that_stands_for_itself(
    reported: Reported, tmp_path: Path
) -> None:
    drawn = pictures(reported.found)
    assert len({picture.name for picture in drawn}) == len(drawn)
    written = write_pictures(reported.found, tmp_path / "plots")
    assert sorted(path.stem for path in written) == sorted(picture.name for picture in drawn)
    for path in written:
        root = ET.fromstring(path.read_text("utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "prefers-color-scheme:dark" in path.read_text("utf-8")
        assert "http" not in path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")


def test_png_is_drawn_by_matplotlib_and_is_the_same_twice(
    reported: Reported, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    few = [write_pictures(reported.found, tmp_path / name, Format.PNG) for name in ("a", "b")]
    for first, second in zip(*few, strict=True):
        content = first.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert content == second.read_bytes()


def test_without_matplotlib_png_is_refused_before_anything_is_made(
    reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"spikec\[report\]"):
        write_pictures(reported.found, tmp_path / "plots", Format.PNG)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(reported: Reported, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(SpikecError, match="not empty"):
        write_pictures(reported.found, tmp_path)
