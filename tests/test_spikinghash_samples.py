"""What the example of Spikinghash learns from, and that it learns: arrays of any kind, digits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import spikec
from examples._arrays import MOST_CLASSES
from examples.spikinghash.__main__ import arguments, main, make, settings_of
from examples.spikinghash.clips import PAIRS, Scene, relevance
from examples.spikinghash.making import SMALL, Settings, accuracy, numbers, trained
from examples.spikinghash.samples import Samples, filmed, load_samples
from spikec.errors import DataError, UsageError

QUIET = Scene(noise=0)
COUNTS = (64, 16, 16)
TINY: dict[str, Any] = {"network": "ti", "dims": (4, 4, 8, 8), "steps": 4, "epochs": 1}
CODED: dict[str, Any] = {**TINY, "bits": 8, "hashing": replace(SMALL, mode="hard")}


def saved(path: Path, kinds: tuple[str, str], samples: Samples) -> str:
    (x, y), (asked, wanted) = samples.train, samples.test
    x, asked = x.astype(kinds[0]), asked.astype(kinds[1])
    np.savez(path, train_x=x, train_y=y, test_x=asked, test_y=wanted)
    return str(path)


@pytest.mark.slow
def test_recordings_of_bytes_go_all_the_way(tmp_path: Path) -> None:
    source = saved(tmp_path / "a.npz", ("uint8", "uint8"), filmed("order", QUIET, 0, COUNTS))
    settings = Settings(**CODED, warm_epochs=0)
    made = make(settings, load_samples(source), 10, tmp_path / "out")
    assert made["equal"]
    assert made["program"]["same_codes"] == 1
    assert made["program"]["accuracy"] == made["accuracy"]


@pytest.mark.parametrize("kind", ["int64", "bool", "float64"])
def test_recordings_become_floats_unless_they_are_bytes(kind: str, tmp_path: Path) -> None:
    made = filmed("order", QUIET, 0, COUNTS)
    samples = load_samples(saved(tmp_path / "a.npz", (kind, "uint8"), made))
    assert samples.train[0].dtype == np.float32
    assert samples.test[0].dtype == np.uint8
    np.testing.assert_array_equal(samples.test[0], made.test[0])


@pytest.mark.slow
def test_images_are_preprocessed_once(tmp_path: Path) -> None:
    samples = load_samples("digits")
    made = make(Settings(**CODED, warm_epochs=0), samples, 10, tmp_path)
    assert made["program"]["same_codes"] == 1
    assert made["program"]["accuracy"] == made["accuracy"]
    program = spikec.load(tmp_path / "program.spk")
    assert program.preprocess == samples.preprocess
    shares = (samples.test[0] + 1) / 2  # as the file has them
    assert program.evaluate((shares, samples.test[1])).accuracy == made["accuracy"]


@pytest.mark.parametrize("kinds", [("float32", "uint8"), ("int64", "int64"), ("uint16", "uint16")])
def test_images_of_unknown_scale_are_refused(kinds: tuple[str, str], tmp_path: Path) -> None:
    x, y = np.zeros((10, 1, 4, 4)), np.arange(10) % 2
    samples = Samples((x, y), (x, y), (x, y), 2)
    with pytest.raises(DataError, match=r"bytes \(uint8\), or floats from 0 to 1"):
        load_samples(saved(tmp_path / "a.npz", kinds, samples))
    with pytest.raises(DataError, match="float64 from 255 to 255"):
        load_samples(
            saved(tmp_path / "b.npz", ("f8", "f8"), Samples((x + 255, y), (x, y), (x, y), 2))
        )


@pytest.mark.parametrize(
    "labels", [["a", "b"], [0.5, 1], [np.nan, 1], [-1, 1], [0, MOST_CLASSES], [[0], [1]]]
)
def test_labels_that_number_no_classes_are_refused(labels: list[Any], tmp_path: Path) -> None:
    x, y = np.zeros((10, 1, 4, 4), np.uint8), np.array(labels * 5)
    np.savez(tmp_path / "a.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    with pytest.raises(DataError, match="label"):
        load_samples(str(tmp_path / "a.npz"))


def test_parts_of_clips_are_not_the_same() -> None:
    samples = filmed("pairs", QUIET, 3, (32, 32, 32))
    (a, _), (b, _), (c, _) = samples.train, samples.held, samples.test
    assert not any(np.array_equal(*pair) for pair in ((a, b), (a, c), (b, c)))
    assert samples.relevance is not None
    np.testing.assert_array_equal(samples.relevance, relevance(PAIRS))
    assert filmed("order", QUIET, 0, (8, 8, 8)).relevance is None


@pytest.mark.slow
def test_clips_are_learned() -> None:
    samples = filmed("motion", replace(QUIET, pause=0), 0, (256, 32, 128))
    settings = Settings(epochs=8, mixer="attention")
    assert accuracy(trained(settings, samples)[0], samples.test) > 0.9


def test_codes_are_learned_from_the_network_before() -> None:
    samples = filmed("order", QUIET, 0, COUNTS)
    first, _ = trained(Settings(**TINY), samples)
    still = Settings(**CODED, rate=1e-12)
    second, _ = trained(still, samples, start=first.state_dict())
    for name, weight in first.named_parameters():
        if not name.startswith("head."):
            torch.testing.assert_close(second.get_parameter(name), weight, rtol=0, atol=1e-6)
    _, history = trained(Settings(**CODED, warm_epochs=2), samples)
    assert [record["epoch"] for record in history] == [0, 1, 2, 3]


def test_bytes_become_floats() -> None:
    assert numbers(np.ones(3, np.uint8)).dtype == np.float32


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["--data", "typo"], "digits, clips, FILE.npz"),
        (["--seed", "-1"], "seed=-1"),
        (["--k", "0"], "k=0"),
        (["--bits", "0"], "codes of 0 bits"),
        (["--device", "abacus"], "no device"),
        (["--bits", "8", "--epochs", "3"], "a first round of 3 epochs in a training of 3"),
    ],
)
def test_mistakes_are_told_before_anything_is_learned(
    told: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["spikinghash", "--out", str(tmp_path / "out"), *told])
    monkeypatch.setattr("examples.spikinghash.__main__.trained", lambda *_: pytest.fail("learned"))
    assert main() == 2
    assert message in capsys.readouterr().err


def test_a_file_in_the_folders_place_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("mine")
    monkeypatch.setattr("sys.argv", ["spikinghash", "--out", str(tmp_path / "out")])
    assert main() == 2
    assert str(tmp_path / "out") in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


def test_settings_are_checked() -> None:
    assert settings_of(arguments([])) == Settings()
    for wrong in ({"seed": True}, {"warm_epochs": -1}, {"device": "abacus"}):
        with pytest.raises(UsageError):
            Settings(**wrong)


def test_a_training_goes_on_with_the_same_network_only(tmp_path: Path) -> None:
    samples = filmed("order", QUIET, 0, COUNTS)
    trained(Settings(**TINY), samples, tmp_path)
    trained(Settings(**TINY, resume=True), samples, tmp_path)
    for other in ({"tau": 1.75}, {"heads": 2}):
        with pytest.raises(UsageError, match="layers: "):
            trained(Settings(**TINY, resume=True, **other), samples, tmp_path)
