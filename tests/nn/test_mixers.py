"""Wavelets against PyWavelets, and the wavelet mixer against its equations in einsum."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.nn.hard_lif import HardLIF
from spikec.nn.mixers import WaveMixer
from spikec.nn.wavelets import wavelet, wavelet_inverse

SHAPE = (8, 4, 3, 6, 10)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def pywt() -> Any:
    return pytest.importorskip("pywt", reason="PyWavelets is not installed")


def band(number: int, axes: int) -> str:
    """Name a band as PyWavelets does: a is low, d is high, one letter per axis."""
    return "".join("d" if number >> axis & 1 else "a" for axis in range(axes))


@pytest.mark.parametrize("axes", [(0,), (3,), (3, 4), (0, 3, 4)])
def test_one_level_is_that_of_pywavelets(axes: tuple[int, ...], pywt: Any) -> None:
    x = drawn(*SHAPE)
    found = wavelet(x, axes)
    wanted = pywt.dwtn(x.numpy(), "haar", axes=axes)
    bands = [found.low, *found.high[0]]
    assert len(bands) == 2 ** len(axes)
    for number, ours in enumerate(bands):
        theirs = wanted[band(number, len(axes))]
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-5)


def test_levels_are_those_of_pywavelets(pywt: Any) -> None:
    x = drawn(8, 2, 3, 8, 16)
    found = wavelet(x, (0, 3, 4), 3)
    wanted = pywt.wavedecn(x.numpy(), "haar", axes=(0, 3, 4), level=3)
    np.testing.assert_allclose(found.low.numpy(), wanted[0], rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(found.high, reversed(wanted[1:]), strict=True):
        for number, one in enumerate(ours, start=1):
            np.testing.assert_allclose(one.numpy(), theirs[band(number, 3)], rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    levels=st.integers(1, 4),
    data=st.data(),
)
def test_the_inverse_gives_all_back(shape: list[int], levels: int, data: st.DataObject) -> None:
    rank = len(shape)
    axes = data.draw(
        st.lists(st.integers(-rank, rank - 1), min_size=1, unique_by=lambda a: a % rank)
    )
    x = drawn(*shape, seed=levels)
    parts = wavelet(x, axes, levels)
    torch.testing.assert_close(wavelet_inverse(parts), x, rtol=1e-6, atol=2e-6)
    assert len(parts.high) == levels


def test_energy_stays() -> None:
    x = drawn(*SHAPE)
    parts = wavelet(x, (0, 3), 1)
    energy = sum(float(b.square().sum()) for b in (parts.low, *parts.high[0]))
    assert energy == pytest.approx(float(x.square().sum()), rel=1e-6)


@pytest.mark.parametrize("axes", [(), (5,), (0, -5), (-6,)])
def test_axes_that_are_none_are_refused(axes: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="different axes from -5 to 4"):
        wavelet(drawn(*SHAPE), axes)
    with pytest.raises(DataError, match="expected: floats"):
        wavelet(torch.zeros(4, dtype=torch.int64), (0,))
    with pytest.raises(UsageError, match="0 levels"):
        wavelet(drawn(4), (0,), 0)


# ---- the mixer against its equations -------------------------------------------------------------


def split_axis(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    length = x.shape[axis]
    even = x.index_select(axis, torch.arange(0, length, 2))
    odd = x.index_select(axis, torch.clamp(torch.arange(1, length + 1, 2), max=length - 1))
    return (even + odd) / 2**0.5, (even - odd) / 2**0.5


def join_axis(low: Tensor, high: Tensor, axis: int, length: int) -> Tensor:
    both = torch.stack([(low + high) / 2**0.5, (low - high) / 2**0.5], axis + 1)
    return both.flatten(axis, axis + 1).narrow(axis, 0, length)


def normalised(x: Tensor, norm: Any, first: int) -> Tensor:
    """Apply the part of a batch normalisation in evaluation that begins at a channel."""
    n, which = norm.norm, slice(first, first + x.shape[2])
    shape = (-1, 1, 1)
    mean, var = n.running_mean[which].reshape(shape), n.running_var[which].reshape(shape)
    weight, bias = n.weight[which].reshape(shape), n.bias[which].reshape(shape)
    y: Tensor = (x - mean) / (var + n.eps).sqrt() * weight + bias
    return y


def by_equations(mixer: Any, x: Tensor) -> Tensor:
    """Take every band as a tensor of its own, with a neuron of its own."""
    fire = HardLIF(1.0, 2.0)
    axes, channels = mixer.axes, mixer.channels
    highs, sizes = [], []
    for split, mixing in zip(mixer.splits, mixer.mixers, strict=True):
        sizes.append(x.shape)
        bands = [x]
        for axis, norm in zip(axes, split.norms, strict=True):
            pairs = [split_axis(fire(b), axis) for b in bands]
            bands = [p[0] for p in pairs] + [p[1] for p in pairs]
            bands = [normalised(b, norm, channels * i) for i, b in enumerate(bands)]
        x, rest = bands[0], bands[1:]
        highs.append([mixed(mixing, fire, b, i) for i, b in enumerate(rest)])
    x = fire(x) * mixer.low_weights.weight[:, None]
    for high, size in zip(reversed(highs), reversed(sizes), strict=True):
        bands = [x, *high]
        for axis in reversed(axes):
            half = len(bands) // 2
            bands = [join_axis(bands[i], bands[half + i], axis, size[axis]) for i in range(half)]
        (x,) = bands
    return normalised(x, mixer.norm, 0)


def mixed(mixing: Any, fire: nn.Module, x: Tensor, number: int) -> Tensor:
    weight = mixing.weights.weight[:, number]  # [t, 1, h, w]
    spikes = fire(fire(x) * weight[:, None])
    groups = mixing.groups
    matrices = mixing.mixing.weight.reshape(groups, -1, x.shape[2] // groups)
    split = spikes.unflatten(2, (groups, -1))
    return torch.einsum("tbndyx,nkd->tbnkyx", split, matrices).flatten(2, 3)


def prepared(mixer: WaveMixer, seed: int = 0) -> WaveMixer:
    """Draw all that is learned, and running statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in mixer.state_dict().items():
            if "norm" in name and tensor.dim():
                tensor.uniform_(0.5, 2, generator=generator)
            elif "weights.weight" in name:
                tensor.uniform_(1, 4, generator=generator)
    return mixer.eval()


CASES = list(itertools.product((1, 2), (2, 3), ((6, 8), (5, 7))))


@pytest.mark.parametrize(("levels", "dims", "size"), CASES)
def test_a_mixer_is_its_equations(levels: int, dims: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    mixer = prepared(WaveMixer(8, size, 4, levels=levels, dims=dims, groups=4))
    x = 3 * drawn(4, 2, 8, *size)
    with torch.no_grad():
        found, wanted = mixer(x), by_equations(mixer, x)
    assert found.shape == x.shape
    assert found.std() > 0.1
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_parameters_are_counted() -> None:
    channels, (t, h, w), groups = 16, (8, 12, 10), 4
    mixer = WaveMixer(channels, (h, w), t, groups=groups)
    low, high = (t // 4) * 3 * 3, (t // 2) * (h // 2) * (w // 2)
    wanted = channels * low + 7 * (high + low) + 2 * channels**2 // groups + 58 * channels
    assert sum(p.numel() for p in mixer.parameters()) == wanted


def test_all_that_is_learned_has_a_gradient() -> None:
    torch.manual_seed(0)
    mixer: Any = WaveMixer(8, (8, 8), 4)
    mixer(3 * drawn(4, 3, 8, 8, 8)).square().sum().backward()
    silent = [name for name, p in mixer.named_parameters() if p.grad is None]
    assert not silent
    assert mixer.mixers[0].weights.weight.grad.abs().sum() > 0


def test_weights_pass_on_every_spike_at_first() -> None:
    first: Any = WaveMixer(8, (8, 8), 8, threshold=0.7, tau=1.5).mixers[0]
    x = 3 * drawn(4, 2, 7 * 8, 4, 4)
    spikes = first.first(x).unflatten(2, (7, 8))
    again = first.second(first.weights(spikes))
    assert torch.equal(again.detach(), spikes)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"steps": 6}, "a multiple of 4: 4 steps at least, for 2 levels"),
        ({"steps": 3}, "take 4 steps"),
        ({"steps": 12, "levels": 3}, "take 16 steps"),
        ({"dims": 1}, "3, or 2: without time"),
        ({"groups": 3}, "a multiple of the groups"),
        ({"size": (2, 9)}, "more than 2 a side"),
        ({"levels": 0}, "1 or more"),
        ({"steps": 0}, "1 or more"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], told: str) -> None:
    known: dict[str, Any] = {"channels": 8, "size": (8, 8), "steps": 8}
    with pytest.raises(UsageError) as error:
        WaveMixer(**{**known, **options})
    assert told in str(error.value)


def test_without_time_any_steps_do() -> None:
    x = drawn(3, 2, 8, 8, 8)
    assert WaveMixer(8, (8, 8), 3, dims=2)(x).shape == x.shape
