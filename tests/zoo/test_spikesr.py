"""SpikeSR: its published sizes, every switch, and the way through the compiler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikec
from benchmarks.spikesr_counts import by_part, counted, published, totals
from spikec.errors import DataError, UsageError
from spikec.zoo.fusion import FeatureRefinement, TimeSpaceFusion
from spikec.zoo.spikesr import NETWORKS, PARTS, Shape, SpikeSR, bicubic, spikesr, spikesr_s

SMALL: dict[str, Any] = {
    "size": (16, 12),
    "scale": 2,
    "width": 8,
    "groups": 1,
    "blocks": 1,
    "patch": 6,
    "stride": 4,
    "qk": 4,
    "mlp": 12,
}
TABLE = {
    "head": (1_728, 1_080),
    "spiking 3 x 3": (589_824 + 2_048, 230_400 + 1_280),
    "analog 3 x 3": (294_912 + 1_024, 115_200 + 640),
    "hybrid attention": (128 + 32_768, 128 + 12_800),
    "similarity of patches": (1_024, 640),
    "patches: linear": (513_888, 229_248),
    "deformable: offsets, masks": (249_264 + 124_632, 155_952 + 77_976),
    "deformable: kernel": (886_272, 346_560),
    "patches: last convolution": (295_424, 115_520),
    "spiking 1 x 1": (17_152, 6_880),
    "fusion": (46_796, 18_287),
    "tail": (27_696, 17_328),
}


def images(count: int = 2, channels: int = 3, size: tuple[int, int] = (16, 12)) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((count, channels, *size), generator=generator)


def stirred(model: SpikeSR) -> SpikeSR:
    """A network whose offsets, masks and statistics are not those of its beginning."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.2, generator=generator)
        model.train()(images(4, model.shape.channels, model.shape.size))
    return model.eval()


@pytest.mark.parametrize(
    ("build", "all_of_it", "alive"),
    [(spikesr, 3_084_580, 2_244_468), (spikesr_s, 1_329_919, 942_927)],
)
def test_parameters_are_those_of_the_released_network(
    build: Any, all_of_it: int, alive: int
) -> None:
    for dead, wanted in ((True, all_of_it), (False, alive)):
        model = build(size=(16, 16), dead=dead)
        assert sum(p.numel() for p in model.parameters()) == wanted


def test_every_part_has_its_published_size() -> None:
    for column, build in enumerate((spikesr, spikesr_s)):
        found = by_part(build(size=(16, 16)))
        assert found == {name: sizes[column] for name, sizes in TABLE.items()}


@pytest.mark.parametrize(
    ("name", "seen", "operations", "macs"),
    [
        ("spikesr", 1_042_356, (33.0511, 126.54), (88.33, 347.7)),
        ("spikesr_s", 471_927, (15.2136, 58.14), (42.72, 168.2)),
    ],
)
def test_the_published_cost_is_what_thop_sees(
    name: str, seen: int, operations: tuple[float, float], macs: tuple[float, float]
) -> None:
    one, four = (NETWORKS[name](steps=steps) for steps in (1, 4))
    parts = counted(one, (160, 160)), counted(four, (160, 160))
    found, once, repeated = published(four, parts[1])
    assert found == seen
    assert (round(once / 1e9, 4), round(repeated / 1e9, 2)) == operations
    assert (round(totals(parts[0]) / 1e9, 2), round(totals(parts[1]) / 1e9, 1)) == macs


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_every_switch_works_and_learns(variant: str) -> None:
    for switch in (None, *PARTS, "bicubic"):
        options: dict[str, Any] = {} if switch is None else {switch: switch == "bicubic"}
        model = spikesr(**SMALL, variant=variant, dead=False, **options)
        x = images()
        y = model(x)
        assert y.shape == (2, 3, 32, 24)
        y.square().mean().backward()
        silent = [name for name, p in model.named_parameters() if p.grad is None]
        assert not silent, (switch, silent)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_scales_and_grey_images(scale: int) -> None:
    model = spikesr(**{**SMALL, "scale": scale, "channels": 1, "similarity": False}).eval()
    assert model(images(channels=1)).shape == (2, 1, 16 * scale, 12 * scale)


def test_beside_the_bicubic_enlargement_it_begins_there() -> None:
    model = spikesr(**SMALL, bicubic=True).eval()
    torch.testing.assert_close(model(images()), bicubic(images(), 2))


def test_released_fusion_is_what_its_equation_says() -> None:
    layer = FeatureRefinement(16).double()
    x = torch.randn(2, 16, 5, 4, dtype=torch.float64)
    a, t = layer.by_channel(x.mean((-2, -1), keepdim=True)), layer.by_pixel(x)
    torch.testing.assert_close(layer(x), (1 - t) * a + t * x)


def test_fusion_of_the_paper_is_what_its_equation_says() -> None:
    layer = TimeSpaceFusion(4).double()
    x = torch.randn(4, 2, 3, 5, 6, dtype=torch.float64)
    inner, outer = (layer.over_time[k].weight for k in (0, 2))
    both = torch.stack([x.flatten(2).mean(-1), x.flatten(2).max(-1).values])
    hidden = torch.einsum("ts,ksb->ktb", inner, both).clamp(min=0)
    by_step = torch.einsum("ts,ksb->tb", outer, hidden)
    first = torch.sigmoid(by_step)[..., None, None, None] * x
    flat = x.transpose(0, 1).flatten(1, 2)
    pair = torch.stack([flat.mean(1), flat.max(1).values], 1)
    second = torch.sigmoid(nn.functional.conv2d(pair, layer.over_space.weight, padding=1))
    torch.testing.assert_close(layer(x), first + second * (1 - first))


def test_a_resized_network_has_the_same_weights() -> None:
    model = spikesr(**{**SMALL, "similarity": False, "hybrid": False, "fusion": False}).eval()
    model(images())
    x = images(size=(20, 18))
    large = model.resized((20, 18)).eval()(x)
    torch.testing.assert_close(model(x[..., :16, :12])[..., :16, :8], large[..., :16, :8])


@pytest.mark.parametrize(
    "options",
    [
        {"variant": "released"},
        {"variant": "paper", "channels": 1, "scale": 3, "bicubic": True, "shortcut": False},
    ],
)
def test_a_network_comes_through_the_compiler(options: dict[str, Any]) -> None:
    model = stirred(spikesr(**{**SMALL, **options}))
    x = images(channels=model.shape.channels)
    program = spikec.convert(model, x.numpy(), 4)
    assert len(program.neurons) == 3
    with torch.no_grad():
        wanted = model(x).numpy()
    for engine in ("layerwise", "reference"):
        got = program.run(x.numpy(), engine=engine).output
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scale": 5}, "a scale of 5"),
        ({"size": (8, 40), "patch": 16}, "smaller than a patch of 16 x 16"),
        ({"size": (20, 20), "patch": 16, "variant": "paper"}, "10 x 10 is smaller than a patch"),
        ({"channels": 4}, r"drop|x\[:, :3\]"),
        ({"channels": 2}, r"x\[:, :1\]"),
        ({"variant": "released_s"}, "released or paper"),
        ({"cnn_branch": False, "snn_branch": False}, "without any branch"),
        ({"width": 0}, "width=0"),
        ({"scale": 2.0}, "a scale of 2.0"),
        ({"size": 160}, "images of size 160"),
        ({"size": (160,)}, r"images of size \[160\]"),
        ({"steps": 0}, "0 steps"),
    ],
)
def test_impossible_networks_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        spikesr(**{**SMALL, **options})


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (images(channels=1), r"x.repeat\(1, 3, 1, 1\)"),
        (images(channels=4), r"x\[:, :3\]"),
        (images(size=(16, 13)), r"expected: \[images, 3, 16, 12\](.|\n)*tiles"),
        (images()[0], r"x\[None\]"),
        (images(size=(16, 13)), r"model.resized\(size\)"),
    ],
)
def test_other_images_are_refused_with_what_to_do(x: Tensor, told: str) -> None:
    with pytest.raises(DataError, match=told):
        SpikeSR(Shape(**{**SMALL, "similarity": False}))(x)


def test_a_grey_network_says_what_to_do_with_colours() -> None:
    with pytest.raises(DataError, match=r"x.mean\(1, keepdim=True\)"):
        SpikeSR(Shape(**{**SMALL, "channels": 1, "similarity": False}))(images())


def test_a_resized_network_is_the_same_elsewhere() -> None:
    model = stirred(spikesr(**SMALL)).double()
    before = torch.random.get_rng_state()
    other = model.resized((20, 18))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not other.training
    assert model.train().resized((20, 18)).training
    x = images(size=(20, 18)).double()
    with torch.no_grad():
        torch.testing.assert_close(other(x), other(x))
        y = model.eval()(images().double())
        torch.testing.assert_close(other.resized(SMALL["size"])(images().double()), y)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_bytes_are_shares_of_255(kind: torch.dtype) -> None:
    model = stirred(spikesr(**SMALL)).to(kind)
    x = (255 * images()).to(torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(model(x), model(x.to(kind) / 255))


def test_no_image_gives_no_image() -> None:
    with torch.no_grad():
        assert stirred(spikesr(**SMALL))(images()[:0]).shape == (0, 3, 32, 24)
