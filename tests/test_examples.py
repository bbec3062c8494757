"""Every example runs to its end, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spikec
from examples.dct_snn.__main__ import main as dct_snn_command

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("[!_]*.py"))


def test_there_are_examples() -> None:
    assert [path.stem for path in EXAMPLES] == ["import_and_run"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_finds_its_numbers_right(example: Path, tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:spikec", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stderr == ""
    assert "largest difference" in answer.stdout
    assert not list(tmp_path.iterdir())


DCT = [sys.executable, "-m", "examples.dct_snn", "--ann-epochs", "8", "--epochs", "2"]


def dct_snn(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[1]
    command = [*DCT, "--out", str(folder), *options]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def test_dct_snn_comes_from_images_to_an_export(tmp_path: Path) -> None:
    answer = dct_snn(tmp_path)
    assert answer.returncode == 0, answer.stderr
    told = json.loads((tmp_path / "result.json").read_text("utf-8"))
    assert told["converted"]["analog"] > 0.95
    assert told["fine-tuned"]["accuracy"] > 0.95
    assert "0 unequal" in answer.stdout
    left = {path.name for path in tmp_path.iterdir()}
    epochs = {"epochs.jsonl", "epochs.svg"}
    assert left == {"program.spk", "report.html", "onnx", "result.json"} | epochs
    lines = (tmp_path / "epochs.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]


def test_dct_snn_learns_from_a_file_and_its_program_reads_that(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    x = rng.integers(0, 60, (200, 1, 9, 8)) + 150 * (np.arange(8) > 3) * y[:, None, None, None]
    path = tmp_path / "images.npz"
    x, y = x.astype(np.uint8), y.astype(np.uint8)
    np.savez(path, train_x=x[:160], train_y=y[:160], test_x=x[160:], test_y=y[160:])
    answer = dct_snn(tmp_path / "out", "--data", str(path), "--width", "0.2")
    assert answer.returncode == 0, answer.stderr
    told = json.loads((tmp_path / "out" / "result.json").read_text("utf-8"))
    assert told["fine-tuned"]["accuracy"] > 0.9
    found = spikec.load(tmp_path / "out" / "program.spk").evaluate(f"{path}:test")
    assert found.accuracy == told["fine-tuned"]["accuracy"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--contrast", "0"), "contrast of 0"),
        (("--steps", "20"), "20 steps of a cycle of 16"),
        (("--data", "nothing.npz"), "nothing.npz"),
        (("--block", "32"), "blocks of 32 x 32"),
        (("--order", "cylic"), "cylic"),
        (("--network", "dct_vgg99"), "invalid choice"),
        (("--frequencies", "17"), "17 frequencies"),
        (("--ann-epochs", "0"), "ann_epochs=0"),
        (("--epochs", "0"), "epochs is 0"),
        (("--rate", "-1"), "rate is -1.0"),
        (("--dropout", "2"), "dropout is 2.0"),
        (("--device", "abacus"), "no device 'abacus' here"),
        (("--resume",), "no checkpoint to go on from"),
    ],
)
def test_dct_snn_names_what_is_wrong_before_it_learns(
    options: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def none(*given: object, **options: object) -> None:
        pytest.fail("it learns")

    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["dct_snn", "--out", str(out), *options])
    monkeypatch.setattr(spikec, "fit", none)
    try:
        code = dct_snn_command()
    except SystemExit as stop:  # argparse
        code = int(stop.code or 0)
    assert code == 2
    assert told in capsys.readouterr().err
    assert not out.exists()
