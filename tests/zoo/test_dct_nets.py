"""DCT-SNN's networks: their sizes, their twins, and the way from one to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spikec
from spikec.calibrate.histogram import BINS
from spikec.errors import UsageError
from spikec.runtime import trace
from spikec.zoo import CODES, build, copy_weights
from spikec.zoo.plans import PLANS

SMALL: dict[str, Any] = {"size": (12, 10), "channels": 1, "classes": 5, "width": 1 / 16}
CODE_NAMES = ("dct", *CODES)


def images(count: int = 6, channels: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((count, channels, 12, 10), generator=generator) * 2 - 1


def spiking(name: str = "dct_vgg5", **options: Any) -> nn.Module:
    net = build(name, **{**SMALL, "steps": 4, **options})
    net.calibrate(images(channels=options.get("channels", 1)))  # type: ignore[operator]
    return net.eval()


@pytest.mark.parametrize(
    ("name", "size", "classes", "stride", "millions"),
    [
        ("dct_vgg5", 32, 10, 4, 50.596),
        ("dct_vgg9", 32, 10, 2, 40.339),
        ("dct_vgg11", 32, 100, 2, 47.048),
        ("dct_vgg13", 64, 200, 4, 35.387),
    ],
)
def test_parameters_are_those_of_the_paper(
    name: str, size: int, classes: int, stride: int, millions: float
) -> None:
    with torch.device("meta"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("spikec.zoo.dct_vgg.draw_weights", lambda model, seed: None)
        net = build(name, size=(size, size), channels=3, classes=classes, stride=stride)
    count = sum(p.numel() for p in net.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=5e-4)


def test_the_mlp_is_784_100_10() -> None:
    net = build("dct_mlp", size=(28, 28), steps=16)
    assert [list(p.shape) for p in net.parameters()] == [[100, 784], [10, 100]]


@pytest.mark.parametrize("name", PLANS)
def test_weights_are_copied_into_the_spiking_twin(name: str) -> None:
    size = {"size": (32, 32), "width": 1 / 64}
    analog = build(name, **{**SMALL, **size}, seed=3)
    net = build(name, **{**SMALL, **size}, steps=4)
    copy_weights(analog, net)
    for ours, theirs in zip(net.parameters(), analog.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(UsageError, match=r"expected: .*those of a network of the same plan"):
        copy_weights(build("dct_mlp", **SMALL), spiking())


@pytest.mark.parametrize("code", CODE_NAMES)
@pytest.mark.parametrize("delay", [0, 1])
def test_a_network_comes_through_the_compiler(code: str, delay: int) -> None:
    net, x = spiking(code=code, delay=delay), images()
    program = spikec.convert(net, x, 4)
    with torch.no_grad():
        wanted = net(x).numpy()
    for engine in ("layerwise", "reference"):
        got = program.run(x, engine=engine).output_by_step
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_colours_become_luminance_and_chrominance() -> None:
    net = spiking(channels=3)
    program = spikec.convert(net, images(channels=3), 4)
    with torch.no_grad():
        wanted = net(images(channels=3)).numpy()
    got = program.run(images(channels=3)).output_by_step
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_the_mean_is_the_sum_by_the_steps() -> None:
    total, mean = spiking(), spiking(readout="mean")
    copy_weights(total, mean)
    counts = torch.arange(1.0, 5).reshape(-1, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(mean(images()), total(images()) / counts)


def balanced(x: torch.Tensor, **options: Any) -> spikec.Program:
    torch.manual_seed(1)
    return spikec.convert(spiking(steps=16), x, 16, f"balanced{{{options.get('text', '')}}}")


def test_thresholds_are_percentiles_of_spiking_currents() -> None:
    x = images(40)
    program = balanced(x)
    found = program.record["balance-thresholds"]["thresholds"]
    assert "encoder.neuron.integrate_fire" not in found
    assert len(found) == 5
    for name, (theta,) in found.items():
        current = program.graph[name].inputs[0]
        (z,) = trace(program.graph, x.numpy(), record=(current.name,), steps=16).values.values()
        wanted = np.quantile(z.astype(np.float64), 0.999, method="inverted_cdf")
        assert theta == pytest.approx(wanted, abs=float(np.ptp(z)) / BINS)
        assert theta == pytest.approx(float(program.graph[name].op.threshold.data.item()))  # type: ignore[attr-defined]


def test_the_order_of_samples_changes_no_threshold() -> None:
    x = images(40)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    one, other = (balanced(part).record["balance-thresholds"] for part in (x, x[order]))
    assert one == other


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": float("nan")}, "width=nan\n.*a finite number above 0"),
        ({"width": float("inf")}, "width=inf"),
        ({"width": -1}, "width=-1"),
        ({"width": 0}, "width=0"),
        ({"width": "half"}, "width='half'"),
        ({"seed": 99999999999999999999}, "seed 99999999999999999999\n.*from -2"),
        ({"seed": 1.5}, "seed 1.5"),
        ({"classes": 0}, "0 classes"),
        ({"channels": 0}, "0 channels"),
        ({"dropout": 2.0}, "dropout of 2.0\n.*0 or more, below 1"),
        ({"dropout": float("nan")}, "dropout of nan"),
        ({"size": (8, 8, 8)}, r"images of size \[8, 8, 8\]"),
        ({"size": 8}, "images of size 8"),
        ({"steps": "4", "code": "phase"}, "'4' steps"),
        ({"steps": 0, "code": "phase"}, "0 steps"),
        ({"block": 0}, "blocks of 0 x 0"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=f"^{told}"):
        build("dct_mlp", **{**SMALL, **options})


def test_every_seed_of_torch_is_taken() -> None:
    seeds = (-(2**63), -1, 0, 2**64 - 1)
    for seed in seeds:
        weight = next(build("dct_mlp", **SMALL, seed=seed).parameters())
        wanted = torch.empty_like(weight)
        wanted.normal_(0, 144**-0.5, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(weight.detach(), wanted.detach())


def test_unknown_names_are_told() -> None:
    with pytest.raises(UsageError, match="did you mean dct_vgg5"):
        build("dct_vg5")
    with pytest.raises(UsageError, match="colour"):
        build("dct_vgg5", size=(12, 12), colour=3)
    with pytest.raises(UsageError, match="code 'poison'"):
        build("dct_vgg5", **SMALL, steps=4, code="poison")
    with pytest.raises(UsageError, match="options are those of dct alone"):
        build("dct_vgg5", **SMALL, steps=4, code="poisson", order="cyclic")
    with pytest.raises(UsageError, match="readout 'last'"):
        build("dct_vgg5", **SMALL, steps=4, readout="last")
    with pytest.raises(UsageError, match="32 pixels or more"):
        build("dct_vgg13", **SMALL)
