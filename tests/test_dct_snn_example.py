"""examples/dct_snn: wrong images, checkpoints of earlier runs, interrupts."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from examples._command import OK, begin, run
from examples.dct_snn.images import Images, load_images
from examples.dct_snn.making import ANALOG, SPIKING, Settings, trained_analog
from spikec.errors import DataError, UsageError
from tests.interrupts import interruptible

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ["dct_snn", "spikesr", "spikinghash"]
BOTH = (ANALOG, SPIKING)
TINY = Settings("dct_mlp", width=0.1, ann_epochs=2)


def file_of(path: Path, **changes: Any) -> str:
    """Write images of two classes, bright at the left or at the right; give the path."""
    y = np.arange(60) % 2
    x = np.random.default_rng(0).random((60, 1, 8, 8)) / 2
    x[y == 1, ..., 4:] += 0.5
    parts = {"train_x": x[:40], "train_y": y[:40], "test_x": x[40:], "test_y": y[40:]}
    np.savez(path, **{**parts, **changes})
    return str(path)


def images(folder: Path) -> Images:
    return load_images(file_of(folder / "images.npz"))


# ---- images --------------------------------------------------------------------------------------


NAN = np.full((20, 1, 8, 8), 0.5)
NAN[3, 0, 2, 1] = np.nan


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"test_x": np.zeros((20, 1, 9, 8))}, r"\[1, 9, 8\] to test on"),
        ({"test_x": np.zeros((20, 3, 8, 8))}, r"\[3, 8, 8\] to test on"),
        ({"test_x": NAN}, "float64 from nan to nan"),
        ({"train_x": np.concatenate([NAN, NAN])}, "float64 from nan to nan"),
        ({"test_x": np.full((20, 1, 8, 8), np.inf)}, "float64 from inf to inf"),
    ],
)
def test_images_that_cannot_be_are_told_with_their_file(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    source = file_of(tmp_path / "images.npz", **changes)
    with pytest.raises(DataError, match=told) as caught:
        load_images(source)
    assert caught.value.where == source


def test_images_that_give_the_encoder_no_thresholds_are_told_before_it_learns(
    tmp_path: Path,
) -> None:
    grey = file_of(tmp_path / "grey.npz", train_x=np.full((40, 1, 8, 8), 0.5))
    with pytest.raises(DataError, match="centre the images on 0"):
        TINY.check(load_images(grey))


# ---- checkpoints of earlier runs -----------------------------------------------------------------


def test_a_run_that_begins_anew_removes_checkpoints(tmp_path: Path) -> None:
    for name in (*BOTH, "other.checkpoint"):
        (tmp_path / name).touch()
    begin(tmp_path, BOTH, resume=True)
    assert len(list(tmp_path.iterdir())) == 3
    begin(tmp_path, BOTH, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["other.checkpoint"]


def test_nothing_to_resume_is_told_and_leaves_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "mistyped"
    with pytest.raises(UsageError, match=f"{ANALOG} or {SPIKING}") as caught:
        begin(out, BOTH, resume=True)
    assert caught.value.where == str(out)
    assert not out.exists()


def test_a_fine_tuning_is_forgotten_where_the_analog_network_still_learns(tmp_path: Path) -> None:
    shown = images(tmp_path)
    stale = tmp_path / SPIKING
    stale.touch()
    trained_analog(TINY, shown, tmp_path)
    assert not stale.exists()
    stale.touch()  # no longer stale: that network has learned to the end
    trained_analog(replace(TINY, resume=True), shown, tmp_path)
    assert stale.exists()


# ---- interrupts ----------------------------------------------------------------------------------


def interrupt(*given: object) -> NoReturn:
    raise KeyboardInterrupt


def test_an_interrupt_promises_to_go_on_only_from_a_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(interrupt, interrupt, tmp_path) == 130
    assert capsys.readouterr().err == "interrupted; nothing is kept yet\n"
    (tmp_path / ANALOG).touch()
    assert run(interrupt, interrupt, tmp_path) == 130
    told = "interrupted; with --resume it goes on from the last checkpoint\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("example", COMMANDS)
def test_an_interrupt_outside_of_the_work_is_told_in_one_word(
    example: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("argparse.ArgumentParser.parse_args", interrupt)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "examples" / example / "__main__.py"), run_name="__main__")
    assert caught.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("example", COMMANDS)
def test_an_interrupt_while_torch_is_loaded_is_told_in_one_word(
    example: str, tmp_path: Path
) -> None:
    slow = "print('loading', file=sys.stderr, flush=True); time.sleep(60)"
    # an interrupt in an exec of text, as dataclasses have: Python would end by the signal
    slow = f"import sys, time\nexec({slow!r})\n"
    (tmp_path / "torch.py").write_text(slow, "utf-8")  # it stands before the real one
    command = interruptible([sys.executable, "-m", f"examples.{example}"])
    paths = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=paths, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "interrupted\n"
    assert process.returncode == 130


@pytest.mark.slow
def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--data", file_of(tmp_path / "images.npz"), "--out", str(out), "--width", "0.1"]
    words += ["--ann-epochs", "150", "--epochs", "1", "--steps", "4"]
    command = [sys.executable, "-m", "examples.dct_snn", *words]
    with subprocess.Popen(
        interruptible(command), cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (out / ANALOG).exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130, err
    assert err.endswith("interrupted; with --resume it goes on from the last checkpoint\n")
    ended = subprocess.run([*command, "--resume"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == OK, ended.stderr
    assert (out / "result.json").is_file()
    assert not list(out.glob("*.checkpoint"))
