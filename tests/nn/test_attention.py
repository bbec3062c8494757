"""Attention between spikes against its equations in einsum."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.nn.attention import SpikingAttention, SpikingMlp
from spikec.nn.hard_lif import HardLIF

T, B, C, SIZE = 4, 2, 12, (3, 5)


def currents(seed: int = 0) -> Tensor:
    return 3 * torch.randn((T, B, C, *SIZE), generator=torch.Generator().manual_seed(seed))


def lif(x: Tensor, threshold: float = 1.0, tau: float = 2.0) -> Tensor:
    """The neuron, step by step."""
    v, sent = torch.zeros_like(x[0]), []
    for now in x:
        h = v + (now - v) / tau
        s = (h >= threshold).to(x.dtype)
        v = h * (1 - s)
        sent.append(s)
    return torch.stack(sent)


def affine(x: Tensor, weight: Tensor, bias: Tensor | None, norm: Any) -> Tensor:
    y = torch.einsum("tbchw,kc->tbkhw", x, weight[:, :, 0, 0])
    y = y if bias is None else y + bias[:, None, None]
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    centred = y - norm.running_mean[:, None, None]
    return centred * scale[:, None, None] + norm.bias[:, None, None]  # type: ignore[no-any-return]


def used(module: Any) -> Any:
    """Give it running statistics of its own."""
    with torch.no_grad():
        for _ in range(3):
            module(currents(7))
    return module.eval()


@pytest.mark.parametrize("threshold", [1.0, 0.5])
@pytest.mark.parametrize("tau", [2.0, 1.75])
def test_a_neuron_is_its_equation(threshold: float, tau: float) -> None:
    x = currents()
    assert torch.equal(HardLIF(threshold, tau)(x), lif(x, threshold, tau))


def test_a_neurons_surrogate_is_the_sigmoid_of_its_distance() -> None:
    x = torch.linspace(-2, 3, 11).reshape(1, -1).requires_grad_()
    (found,) = torch.autograd.grad(HardLIF(0.5, 2.0)(x).sum(), x)
    s = torch.sigmoid(4 * (x / 2 - 0.5))
    torch.testing.assert_close(found, 4 * s * (1 - s) / 2)


@pytest.mark.parametrize("heads", [1, 3, 12])
def test_attention_is_its_equations(heads: int) -> None:
    torch.manual_seed(0)
    net = used(SpikingAttention(C, heads))
    with torch.no_grad():
        net.project[1].bias.fill_(2.0)  # many spikes
    x = currents()
    with torch.no_grad():
        z = lif(x)
        weights, norm = net.project[0].weight, net.project[1]
        qkv: Any = lif(affine(z, weights, None, norm))
        q, k, v = qkv.flatten(3).unflatten(2, (3, heads, C // heads)).unbind(2)
        scores = torch.einsum("tbhdn,tbhdm->tbhnm", q, k)  # every pair of places
        o = torch.einsum("tbhnm,tbhdm->tbhdn", scores, v) * 0.125
        gated = lif(o.flatten(2, 3), 0.5).reshape(T, B, C, *SIZE)
        out = net.out[0]
        wanted = affine(gated, out.weight, out.bias, net.out[1])
        torch.testing.assert_close(net(x), wanted, rtol=1e-4, atol=1e-5)
    assert 0 < gated.mean() < 1


def test_the_mlp_is_its_equations() -> None:
    torch.manual_seed(0)
    net = used(SpikingMlp(C))
    x = currents()
    first, second = net.layers[1], net.layers[3]
    with torch.no_grad():
        y = affine(lif(x), first[0].weight, first[0].bias, first[1])
        y = affine(lif(y), second[0].weight, second[0].bias, second[1])
        torch.testing.assert_close(net(x), y, rtol=1e-4, atol=1e-5)


def test_parameters_are_counted() -> None:
    for module, wanted in (
        (SpikingAttention(C, 3), 4 * C**2 + 9 * C),
        (SpikingMlp(C), 8 * C**2 + 15 * C),
    ):
        assert sum(p.numel() for p in module.parameters()) == wanted


@pytest.mark.parametrize("module", [SpikingAttention(C, 3), SpikingMlp(C)])
def test_all_that_is_learned_has_a_gradient(module: nn.Module) -> None:
    module.train()
    module(currents()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_heads_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(UsageError, match="5 heads of 12 channels"):
        SpikingAttention(C, 5)
    with pytest.raises(UsageError, match="threshold 0"):
        SpikingAttention(C, 3, attention_threshold=0)
