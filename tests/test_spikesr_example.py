"""examples/spikesr: images from packages and folders, and one command from them to a program."""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from PIL import Image, PngImagePlugin

import spikec
from examples.spikesr import __main__ as command
from examples.spikesr import images as reading
from examples.spikesr.images import (
    Pairs,
    Sizes,
    load_images,
    natural,
    read_image,
    shipped,
    smaller,
)
from examples.spikesr.making import Settings, by_bicubic, enlarged, quality, trained
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


def test_other_textures_are_tested_than_learned() -> None:
    found = load_images("textures", SMALL, seed=3)
    learned, tested = textures(96, 16, seed=6), textures(24, 20, seed=7)
    np.testing.assert_array_equal(found.train.large, learned)
    np.testing.assert_array_equal(found.test.large, tested)
    np.testing.assert_array_equal(found.train.small, smaller(learned, 2))
    np.testing.assert_array_equal(found.test.small, smaller(tested, 2))


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
    others = [load_images(str(tmp_path), SMALL, seed).test.large for seed in range(2, 6)]
    assert not all(np.array_equal(found.test.large, other) for other in others)
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


@pytest.mark.parametrize(
    ("name", "kind", "mode"),
    [
        ("grey.png", "<u2", "I;16"),
        ("grey.png", "<u2", "I"),  # as Pillow reads it before 10.3
        ("grey.tif", "<u2", "I;16"),
        ("grey.tif", ">u2", "I;16B"),
    ],
)
def test_grey_of_16_bits_keeps_its_values(
    name: str, kind: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PngImagePlugin._MODES, (16, 0), (mode, "I;16B"))
    grey = np.arange(0, 64000, 1000).reshape(8, 8)
    Image.fromarray(grey.astype(kind)).save(tmp_path / name)
    with Image.open(tmp_path / name) as file:
        assert file.mode == mode
    found = read_image(tmp_path / name)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.stack([grey / 65535] * 3), rtol=1e-6)
    np.testing.assert_array_equal(read_image(tmp_path / name, 4), found[:, 2:6, 2:6])


def tiff(bits: int, white: int, pixels: bytes, width: int = 2, height: int = 1) -> bytes:
    """Give a grey TIFF; ``white`` is 1 where the largest value is white, 0 where 0 is."""
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: white, 273: 122, 277: 1, 278: height}
    tags[279] = len(pixels)
    entries = (struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    return head + b"".join(entries) + bytes(4) + pixels


def test_tiffs_of_12_bits_and_those_whose_white_is_0(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(12, 1, b"\xff\xf3\x33"))
    np.testing.assert_allclose(read_image(path)[1], [[1, 0x333 / 0xFFF]], rtol=1e-6)
    path.write_bytes(tiff(16, 0, struct.pack("<2H", 0, 13107)))
    np.testing.assert_allclose(read_image(path)[1], [[1, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "told"), [(np.int32, "32 or signed 16 bits"), (np.float32, "floats")]
)
def test_pixels_whose_white_is_unknown_are_refused(kind: Any, told: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    Image.fromarray(np.ones((8, 8), kind)).save(path)
    with pytest.raises(DataError, match=told) as caught:
        read_image(path)
    assert caught.value.where == str(path)
    assert "0..65535" in caught.value.remedy


def test_of_a_large_file_the_middle_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow's own limit
    monkeypatch.setattr(reading, "MOST_WHOLE", 3000)
    monkeypatch.setattr(reading, "MOST_CENTRED", 4000)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 61, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    middle = read_image(tmp_path / "large.png", 20)
    wanted = np.moveaxis(pixels[20:40, 20:40], -1, 0) / 255
    np.testing.assert_allclose(middle, wanted, rtol=1e-6)
    with pytest.raises(DataError, match=r"(?s)large\.png.*3,000 at most.*--centre"):
        read_image(tmp_path / "large.png")
    (tmp_path / "huge.tif").write_bytes(tiff(8, 1, b"", 80, 90))
    with pytest.raises(DataError, match=r"(?s)huge\.tif.*4,000 at most.*cut it"):
        read_image(tmp_path / "huge.tif", 20)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_whatever_a_decoder_raises_names_the_file(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("story", "x" * 2**21, zip=True)
    Image.new("L", (8, 8)).save(tmp_path / "long.png", pnginfo=text)
    with pytest.raises(DataError, match=r"(?s)no image: .*too large.*long\.png") as caught:
        read_image(tmp_path / "long.png")
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("sizes", "told", "remedy"),
    [
        (Sizes(2, 21, 8), "too few to learn from", "--crop and --side"),
        (Sizes(2, 8, 21), "too few to test on", "a smaller --side"),
        (Sizes(2, 8, 8, centre=42), "too few to take the middle of", "a smaller --centre"),
    ],
)
def test_an_image_that_is_too_small_is_named(
    sizes: Sizes, told: str, remedy: str, tmp_path: Path
) -> None:
    files(tmp_path, ["a.png", "b.png"], side=40)
    with pytest.raises(DataError, match=f"40 x 40 pixels are {told}") as caught:
        load_images(str(tmp_path), replace(sizes, held=0.5))
    assert Path(caught.value.where).parent == tmp_path
    assert caught.value.expected == "42 or more a side"
    assert remedy in caught.value.remedy


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
    with pytest.raises(UsageError, match="seed=-1"):
        load_images(str(tmp_path), SMALL, seed=-1)


def test_quality_is_that_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.random((2, 3, 20, 20)).astype(np.float32) for _ in range(2))
    found = quality(x, y, 2)
    assert found["psnr y"] == psnr(x, y, border=2, on_luma=True).mean()
    assert found["ssim rgb"] == ssim(x, y, border=2).mean()


def drawn() -> Pairs:
    """Four textures, of 16 x 16 pixels and twice that."""
    large = textures(4, 32, seed=1)
    return Pairs(smaller(large, 2).numpy(), large.numpy())


def test_the_bicubic_enlargement_is_what_is_begun_from_and_training_improves_it() -> None:
    pairs = drawn()
    plain = by_bicubic(pairs.small, 2)
    wanted = F.interpolate(torch.from_numpy(pairs.small), scale_factor=2, mode="bicubic")
    np.testing.assert_allclose(plain, wanted.clamp(0, 1), atol=1e-6)
    settings = Settings(steps=2, crop=8, iterations=20)
    begun = enlarged(settings.build(8), pairs.small)
    np.testing.assert_allclose(begun, plain, atol=1e-6)
    found = enlarged(trained(settings, pairs), pairs.small)
    first, last = (quality(x, pairs.large, 2)["psnr rgb"] for x in (plain, found))
    assert last > first + 0.2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"options": {"bicubic": False}}, "bicubic: True there, False here"),
        ({"options": {"shortcut": False}}, "shortcut: True there, False here"),
        ({"crop": 9}, "crop: 8 there, 9 here"),
    ],
)
def test_a_training_is_resumed_by_the_network_that_began_it(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    settings = Settings(steps=1, crop=8, iterations=1)
    first = trained(settings, drawn(), tmp_path)
    settings = replace(settings, resume=True)
    again = trained(settings, drawn(), tmp_path)
    for ours, theirs in zip(again.parameters(), first.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(UsageError, match=told):
        trained(replace(settings, **changes), drawn(), tmp_path)


def test_one_command_from_images_to_an_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = files(tmp_path / "images", [f"{k}.png" for k in range(5)])
    out = tmp_path / "out"
    words = ["spikesr", "--data", str(folder), "--out", str(out), "--iterations", "6"]
    words += ["--crop", "8", "--side", "12", "--without", "similarity", "--seed", "1"]
    monkeypatch.setattr(sys, "argv", words)
    assert command.main() == 0
    printed = capsys.readouterr().out
    assert "0 unequal" in printed
    told = json.loads((out / "result.json").read_text("utf-8"))
    assert told["largest_difference"] < 1e-4
    assert told["energy_pj"].keys() >= {"spiking", "ann-fp32"}
    made = {"program.spk", "onnx", "result.json", "report.html", "energy.txt"}
    assert {path.name for path in out.iterdir()} == made
    test, other = (load_images(str(folder), Sizes(2, 12, 12), seed).test for seed in (1, 0))
    assert not np.array_equal(test.large, other.large)
    ran = spikec.load(out / "program.spk").run(test.small).output
    assert told["spikesr"] == pytest.approx(quality(ran.clip(0, 1), test.large, 2), abs=1e-3)
    assert told["bicubic"] == quality(by_bicubic(test.small, 2), test.large, 2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--scale", "5"), "a scale of 5"),
        (("--scale", "0"), "a scale of 0"),
        (("--crop", "4"), "smaller than a patch of 8 x 8"),
        (("--crop", "0"), "crop=0"),
        (("--data", "nowhere"), "no folder nowhere"),
        (("--without", "attention"), "attention"),
        (("--steps", "0"), "0 steps"),
        (("--seed", "-1"), "seed=-1"),
        (("--seed", str(2**63)), "below 2**63"),
        (("--device", "abacus"), "no device 'abacus' here"),
        (("--device", "cuda:99"), "no device 'cuda:99' here"),
        (("--batch", "0"), "batch=0"),
        (("--iterations", "-5"), "iterations=-5"),
        (("--side", "0"), "0 pixels a side to test on"),
        (("--side", "7"), "8 or more: SSIM"),
        (("--side", "7", "--scale", "3"), "smaller than a patch of 8 x 8"),
        (("--centre", "0"), "a middle part of 0 pixels"),
        (("--centre", "95"), "96 or more, 2 times"),
        (("--out", __file__), __file__),
    ],
)
def test_the_command_names_what_is_wrong_before_it_trains(
    options: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def none(*given: object) -> None:
        pytest.fail("it trains")

    monkeypatch.setattr(command, "trained", none)
    words = ["spikesr", "--data", "textures", "--out", str(tmp_path / "out"), *options]
    monkeypatch.setattr(sys, "argv", words)
    try:
        code = command.main()
    except SystemExit as stop:  # argparse
        code = int(stop.code or 0)
    assert code == 2
    assert told in capsys.readouterr().err
