"""examples/spikesr: images from packages and folders, and one command from them to a program."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import spikec
from examples.spikesr.__main__ import main
from examples.spikesr.images import Sizes, load_images, natural, read_image, shipped, smaller
from examples.spikesr.making import quality
from examples.spikesr.textures import textures
from spikec.errors import DataError, UsageError
from spikec.metrics import psnr, ssim

SMALL = Sizes(scale=2, learned=8, tested=10)


def files(folder: Path, names: list[str], side: int = 40) -> Path:
    """Write images, each of one grey of its own and some noise."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 20, (side, side, 3)) + 10 * number
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


def test_photographs_are_learned_from_on_the_left_and_tested_on_the_right() -> None:
    found = natural(Sizes(2, 48, 48))
    assert len(found.test.large) == len(shipped()) == 12
    assert found.test.large.shape == (12, 3, 96, 96)
    assert found.train.small.shape[1:] == (3, 48, 48)
    china = read_image(shipped()[0])
    assert china.shape == (3, 427, 640)
    np.testing.assert_array_equal(found.test.large[0], china[:, 165:261, 512:608])
    np.testing.assert_array_equal(found.train.large[0], china[:, :96, :96])
    wanted = smaller(torch.from_numpy(china[None, :, :426, :480]), 2)[0, :, :48, :48]
    np.testing.assert_array_equal(found.train.small[0], wanted)


def test_textures_repeat_with_small_warps() -> None:
    images = textures(5, 96, seed=3)
    assert torch.equal(images, textures(5, 96, seed=3))
    assert not torch.equal(images, textures(5, 96, seed=4))
    assert 0 <= images.min() < 0.1 < 0.9 < images.max() <= 1
    cells = images.reshape(5, 3, 4, 24, 4, 24).permute(0, 2, 4, 1, 3, 5).flatten(1, 2).flatten(2)
    cells = cells - cells.mean(-1, keepdim=True)
    cells = cells / cells.norm(dim=-1, keepdim=True)
    within = torch.einsum("aid,ajd->aij", cells, cells)
    others = torch.einsum("aid,bjd->aibj", cells, cells)[0, :, 1:]
    assert 0.3 < within.mean() < 0.999
    assert within.mean() > 3 * others.abs().mean()


@pytest.mark.parametrize(
    "names",
    [
        [
            f"{kind}/{kind}_{k}.{end}"
            for kind in ("Airport", "Beach")
            for k, end in enumerate(["jpg"] * 5)
        ],
        [f"P{k:04d}.png" for k in range(10)],
        [f"{k:05d}.{end}" for k in range(5) for end in ("tif", "jpg")],
    ],
    ids=["AID", "DOTA", "DIOR"],
)
def test_folders_are_divided_class_by_class(names: list[str], tmp_path: Path) -> None:
    found = load_images(str(files(tmp_path, names)), SMALL, seed=1)
    assert found.test.large.shape == (2, 3, 20, 20)
    assert found.train.large.shape == (8 * 9, 3, 16, 16)
    again = load_images(str(tmp_path), SMALL, seed=1)
    np.testing.assert_array_equal(found.test.large, again.test.large)
    if "/" in names[0]:  # one of each class
        greys = sorted(found.test.large.mean((1, 2, 3)) * 255)
        assert greys[0] < 60 < greys[1]


def test_the_middle_of_each_image_may_be_taken(tmp_path: Path) -> None:
    files(tmp_path, [f"{k}.png" for k in range(5)], side=60)
    found = load_images(str(tmp_path), Sizes(2, 8, 10, centre=32))
    assert found.train.large.shape == (4 * 4, 3, 16, 16)


def test_grey_and_transparent_files_become_three_channels(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    clear = np.stack([grey, grey + 1, grey + 2, 0 * grey], -1)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png")[2] * 255, grey)
    np.testing.assert_allclose(read_image(tmp_path / "clear.png")[1] * 255, grey + 1, rtol=1e-6)


def test_folders_that_hold_no_images_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        load_images(str(tmp_path), SMALL)
    with pytest.raises(DataError, match="no folder"):
        load_images(str(tmp_path / "none"), SMALL)
    (tmp_path / "broken.png").write_bytes(b"none")
    files(tmp_path, ["a.png", "b.png", "c.png"])
    with pytest.raises(DataError, match=r"broken\.png"):
        load_images(str(tmp_path), SMALL)
    with pytest.raises(UsageError, match="held=0"):
        load_images(str(tmp_path), Sizes(2, 8, 10, held=0))
    with pytest.raises(DataError, match="a part of 40 x 40"):
        load_images(str(files(tmp_path / "x", ["a.png", "b.png"])), Sizes(2, 8, 30, held=0.5))


def test_quality_is_that_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.random((2, 3, 20, 20)).astype(np.float32) for _ in range(2))
    found = quality(x, y, 2)
    assert found["psnr y"] == psnr(x, y, border=2, on_luma=True).mean()
    assert found["ssim rgb"] == ssim(x, y, border=2).mean()


def test_one_command_from_images_to_an_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = files(tmp_path / "images", [f"{k}.png" for k in range(5)])
    out = tmp_path / "out"
    command = ["spikesr", "--data", str(folder), "--out", str(out), "--iterations", "6"]
    command += ["--crop", "8", "--side", "12", "--without", "similarity"]
    monkeypatch.setattr(sys, "argv", command)
    assert main() == 0
    printed = capsys.readouterr().out
    assert "0 unequal" in printed
    told = json.loads((out / "result.json").read_text("utf-8"))
    assert told["largest_difference"] < 1e-4
    assert told["energy_pj"].keys() >= {"spiking", "ann-fp32"}
    made = {"program.spk", "onnx", "result.json", "report.html", "energy.txt"}
    assert {path.name for path in out.iterdir()} == made
    x = np.zeros((1, 3, 12, 12), np.float32)
    assert spikec.load(out / "program.spk").run(x).output.shape == (1, 3, 24, 24)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--scale", "5"), "a scale of 5"),
        (("--crop", "4"), "smaller than a patch of 8 x 8"),
        (("--data", "nowhere"), "no folder nowhere"),
        (("--without", "attention"), "attention"),
        (("--steps", "0"), "0 steps"),
    ],
)
def test_the_command_names_what_is_wrong(
    options: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["spikesr", "--out", str(tmp_path / "out"), *options])
    try:
        code = main()
    except SystemExit as stop:  # argparse
        code = int(stop.code or 0)
    assert code in (1, 2)
    assert told in capsys.readouterr().err
