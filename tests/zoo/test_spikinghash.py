"""Spikinghash: sizes of the paper, what it gives, what it refuses, its way through the compiler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikec
from spikec.errors import DataError, UsageError
from spikec.nn.attention import SpikingAttention
from spikec.nn.hard_lif import HardLIF
from spikec.nn.mixers import WaveMixer
from spikec.program import Run
from spikec.zoo import build
from spikec.zoo.spikinghash import PLANS, Spikinghash, spikinghash

SMALL: dict[str, Any] = {"size": (12, 10), "channels": 1, "classes": 5, "dims": (8, 8, 16, 16)}
MIXERS = ("3d", "2d", "attention")
DVS: dict[str, Any] = {"recordings": True, "steps": 8}


def images(count: int = 3, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((count, channels, 12, 10), generator=generator) * 4 - 2


def clips(count: int = 3, steps: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.rand((steps, count, 2, 12, 10), generator=generator) < 0.3).float()


def net(name: str = "s", **options: Any) -> Spikinghash:
    """A network whose running statistics are those of some samples."""
    options = {**SMALL, **options}
    if options.get("recordings"):
        options["channels"] = 2
    made = spikinghash(name, **options)
    x = clips(8) if options.get("recordings") else images(8, options["channels"])
    for module in made.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.7
    with torch.no_grad():
        for _ in range(4):
            made(x)
    return made.eval()


def count(name: str, **options: Any) -> int:
    return sum(p.numel() for p in spikinghash(name, **options).parameters())


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("s", {"size": (32, 32)}, 3_874_522),
        ("s", {"size": (32, 32), "bits": 64}, 3_895_962),
        ("m", {"size": (32, 32)}, 6_201_946),
        ("m", {"size": (32, 32), "classes": 100}, 6_236_596),
        ("m", {"size": (64, 64), "classes": 200, "extra_pool": True}, 6_275_096),
        ("m", {"size": (64, 64), "classes": 101, "bits": 256, **DVS}, 6_507_653),
        ("m", {"size": (64, 64), "classes": 101, **DVS}, 6_422_021),
        ("l", {"size": (192, 192), "classes": 101, **DVS}, 9_051_461),
        ("xl", {"size": (192, 192), "classes": 101, **DVS}, 11_315_781),
    ],
)
def test_parameters_are_those_of_the_paper(name: str, options: dict[str, Any], wanted: int) -> None:
    assert count(name, **options) == wanted


@pytest.mark.parametrize(
    ("name", "options", "millions", "within"),
    [
        ("s", {"size": (32, 32)}, 3.87, 0.005),
        ("m", {"size": (32, 32), "classes": 100}, 6.24, 0.005),
        ("m", {"size": (64, 64), "classes": 101, "bits": 256, **DVS}, 6.50, 0.01),
        ("l", {"size": (128, 128), "classes": 101, "bits": 256, **DVS}, 9.03, 0.05),
        ("xl", {"size": (128, 128), "classes": 101, "bits": 256, **DVS}, 11.30, 0.06),
        ("ti", {"size": (128, 128), "recordings": True, "steps": 16}, 1.97, 0.005),
    ],
)
def test_parameters_are_near_the_published_ones(
    name: str, options: dict[str, Any], millions: float, within: float
) -> None:
    assert count(name, **options) / 1e6 == pytest.approx(millions, abs=within)


def sides(model: Spikinghash, x: Tensor) -> list[int]:
    """Give the height behind each stage."""
    found: list[int] = []

    def note(module: nn.Module, args: tuple[Tensor, ...], result: Tensor) -> None:
        found.append(result.shape[-2])

    for stage in model.stages:
        if not isinstance(stage, HardLIF) and hasattr(stage, "mixer"):
            stage.register_forward_hook(note)
    with torch.no_grad():
        model(x)
    return found


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("ti", [8, 2]), ("s", [32, 32, 16, 8]), ("m", [32, 32, 16, 8]), ("l", [16, 8, 4, 2])],
)
def test_stages_have_the_positions_of_the_table(name: str, wanted: list[int]) -> None:
    model = spikinghash(name, size=(32, 32), dims=(8, 8, 8, 8))
    assert sides(model, torch.zeros(1, 3, 32, 32)) == wanted


@pytest.mark.parametrize("mixer", MIXERS)
@pytest.mark.parametrize("name", PLANS)
def test_the_first_stages_mix_by_wavelets(name: str, mixer: str) -> None:
    model = spikinghash(name, size=(32, 32), dims=(8, 8, 8, 8), mixer=mixer)
    kinds = [type(s.mixer) for s in model.stages if hasattr(s, "mixer")]
    blocks = sum(PLANS[name].blocks)
    waves = 0 if mixer == "attention" else blocks // 2
    assert kinds == [WaveMixer] * waves + [SpikingAttention] * (blocks - waves)


def test_scores_codes_and_potentials_agree() -> None:
    model = net(bits=24)
    with torch.no_grad():
        told = model(images())
        scores, codes = told["scores"], told["codes"]
        again, same, potentials = model.hash_and_scores(images())
        assert torch.equal(model.codes(images()), codes)
    assert torch.equal(codes, again)
    assert torch.equal(scores, same)
    assert codes.shape == potentials.shape == (3, 24)
    assert scores.shape == (3, 5)
    assert 0 < codes.mean() < 1
    assert set(codes.unique().tolist()) == {0.0, 1.0}


def test_an_image_is_shown_at_every_step() -> None:
    still, moving = net(channels=2), net(channels=2, recordings=True)
    moving.load_state_dict(still.state_dict())
    x = images(channels=2)
    with torch.no_grad():
        torch.testing.assert_close(moving(x.expand(4, *x.shape)), still(x))


def test_heads_divide_channels() -> None:
    made = spikinghash("s", **{**SMALL, "dims": (8, 8, 100, 100)})
    assert [m.heads for m in made.modules() if isinstance(m, SpikingAttention)] == [2, 2]


def test_seeds_draw_weights() -> None:
    one, same, other = (spikinghash("s", **SMALL, seed=s) for s in (0, 0, 1))
    for a, b, c in zip(one.parameters(), same.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        drawn = a.dim() >= 4 and not bool((a == a[0]).all())
        assert not drawn or not torch.equal(a, c)


def ran(module: nn.Module, x: Tensor, recordings: bool) -> Run:
    """Run a program of the module."""
    options: dict[str, Any] = {"time_axis": 0} if recordings else {}
    graph = spikec.import_model(module, x, **options)
    program = spikec.convert(graph, x.movedim(0, 1) if recordings else x, 4)
    return program.run(x.numpy())


@pytest.mark.parametrize("recordings", [False, True])
def test_a_network_comes_through_the_compiler(recordings: bool) -> None:
    """Images give class scores, recordings codes; the size has a block of either kind."""
    model = net("ti", recordings=recordings, bits=16 if recordings else None, dims=(8, 8, 8, 8))
    x = clips() if recordings else images()
    with torch.no_grad():
        told = model(x)
    wanted = told if recordings else {"output": told}
    found = ran(model, x, recordings).outputs
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=1e-4, atol=1e-4)
        assert tensor.std() > 0.01


@pytest.mark.parametrize(("dims", "levels"), [(2, 1), (3, 1)])
def test_mixers_come_through_the_compiler(dims: int, levels: int) -> None:
    torch.manual_seed(0)
    mixer = WaveMixer(8, (5, 6), 4, dims=dims, levels=levels).eval()
    x = 3 * torch.randn(4, 2, 8, 5, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = mixer(x).numpy()
    found = ran(mixer, x, True).output_by_step
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"steps": 6}, "a multiple of 4: 4 steps at least"),
        ({"steps": 2}, "take 4 steps"),
        ({"size": (2, 12)}, "more than 2 a side"),
        ({"size": (12,)}, "(height, width)"),
        ({"bits": 0}, "codes of 0 bits"),
        ({"mixer": "3D"}, "did you mean 3d"),
        ({"mixer": "atention"}, "did you mean attention"),
        ({"dims": (8, 8, 16)}, "channels of 4 stages"),
        ({"dims": (6, 8, 16, 16)}, "6 channels in 4 groups"),
        ({"heads": 3}, "3 heads of 16 channels"),
        ({"channels": 0}, "0 channels"),
        ({"classes": 0}, "0 classes"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as error:
        spikinghash("s", **{**SMALL, **options})
    assert told in str(error.value)


def test_networks_are_built_by_name() -> None:
    named = build("spikinghash_s", **SMALL, bits=12)
    assert isinstance(named, Spikinghash)
    assert named.options == spikinghash("s", **SMALL, bits=12).options
    with pytest.raises(UsageError, match="did you mean spikinghash_"):
        build("spikinghash_x", **SMALL)
    with pytest.raises(UsageError, match=r"options of spikinghash_s.*bit"):
        build("spikinghash_s", **SMALL, bit=12)


def test_unknown_sizes_and_small_images_are_told() -> None:
    with pytest.raises(UsageError, match="did you mean xl"):
        spikinghash("xll", **SMALL)
    with pytest.raises(UsageError, match="images of 6 x 6"):
        spikinghash("l", **{**SMALL, "size": (6, 6)}, mixer="attention")


def test_other_inputs_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected: \[samples, 1, 12, 10\]"):
        net()(images(channels=3))
    with pytest.raises(DataError, match=r"\[steps, samples, 2, 12, 10\]"):
        net(recordings=True)(images(channels=2))
    with pytest.raises(DataError, match="a multiple of 4"):
        net(recordings=True)(clips(steps=6))
    with pytest.raises(UsageError, match="build it with bits"):
        net().codes(images())
