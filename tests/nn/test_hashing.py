"""Codes of spikes: the AND over time, potentials, and what of them is learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spikec.errors import UsageError
from spikec.nn.hashing import HashLayer

T, B, F, BITS = 4, 50, 6, 9


def features(seed: int = 0) -> Tensor:
    return 2 * torch.randn((T, B, F), generator=torch.Generator().manual_seed(seed))


def by_steps(layer: HashLayer, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and potentials, neuron by neuron as the equations have them."""
    linear: Any = layer.project[0]
    currents = (x @ linear.weight.T + linear.bias).detach().numpy()
    spikes, reached = np.zeros_like(currents), np.zeros_like(currents)
    v = np.zeros_like(currents[0])
    for t, current in enumerate(currents):
        reached[t] = v + (current - v) / layer.tau
        spikes[t] = reached[t] >= 1
        v = np.where(spikes[t] == 1, 0, reached[t])
    return spikes, reached


@pytest.fixture
def layer() -> HashLayer:
    torch.manual_seed(0)
    return HashLayer(F, BITS)


def test_a_bit_is_one_where_every_step_fires(layer: HashLayer) -> None:
    spikes, _ = by_steps(layer, features())
    codes = layer(features()).detach().numpy()
    np.testing.assert_array_equal(codes, spikes.min(axis=0))
    np.testing.assert_array_equal(codes, spikes.prod(axis=0))
    assert 0 < codes.mean() < 1


def test_potentials_are_means_of_what_was_compared(layer: HashLayer) -> None:
    spikes, reached = by_steps(layer, features())
    codes, potentials = layer.with_potentials(features())
    np.testing.assert_array_equal(codes.detach().numpy(), spikes.min(axis=0))
    np.testing.assert_allclose(potentials.numpy(), reached.mean(axis=0), rtol=1e-5, atol=1e-6)
    assert not potentials.requires_grad


def test_bits_begin_undecided(layer: HashLayer) -> None:
    x = features()[:1].expand(T, B, F)  # the same at every step
    assert 0.35 < float(layer(x).detach().mean()) < 0.65


@pytest.mark.parametrize(("gradient", "least"), [("product", 0.7), ("min", 0.98)])
def test_codes_are_learned(gradient: str, least: float) -> None:
    """A code that says where the first feature is above 0."""
    torch.manual_seed(0)
    layer = HashLayer(F, BITS, gradient=gradient)
    x = features()[:1].expand(T, B, F)
    wanted = (x[0, :, :1] > 0).float().expand(B, BITS)
    optimiser = torch.optim.Adam(layer.parameters(), 0.05)
    for _ in range(150):
        optimiser.zero_grad()
        loss = (layer(x) - wanted).square().mean()
        loss.backward()
        optimiser.step()
    assert float((layer(x) == wanted).float().mean()) > least


def test_both_gradients_are_what_they_say() -> None:
    torch.manual_seed(0)
    layer = HashLayer(F, BITS)
    spikes = torch.tensor([[1.0, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 0]]).requires_grad_()
    shared = torch.tensor([[1 / 3, 1, 0.5, 0], [1 / 3, 0, 0.5, 0], [1 / 3, 0, 0, 1]])
    product = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 1]])
    for layer.gradient, wanted in (("min", shared), ("product", product)):
        (found,) = torch.autograd.grad(layer._all(spikes).sum(), spikes)
        torch.testing.assert_close(found, wanted)
    with pytest.raises(UsageError, match="min"):
        HashLayer(F, BITS, gradient="sum")


@pytest.mark.parametrize("bits", [0, -1, 2.5, True])
def test_codes_without_bits_are_refused(bits: object) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        HashLayer(F, bits)  # type: ignore[arg-type]


@pytest.mark.parametrize("gradient", ["min", "product"])
def test_compiled_gradients_are_those_of_the_layer(gradient: str) -> None:
    torch.manual_seed(0)
    layer = HashLayer(F, BITS, gradient=gradient)
    found = []
    for one in (layer, torch.compile(layer, backend="aot_eager")):
        layer.zero_grad()
        one(features()).sum().backward()
        weight = layer.project[0].weight
        assert isinstance(weight.grad, torch.Tensor)
        found.append(weight.grad.clone())
    torch.testing.assert_close(*found)
    assert found[0].any()
