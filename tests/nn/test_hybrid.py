"""Hybrid attention and spiking convolutions, beside their equations."""

from __future__ import annotations

import math

import pytest
import torch

from spikec.errors import UsageError
from spikec.nn.blocks import SpikingConv, full_input_lif
from spikec.nn.hybrid import HybridAttention

STEPS, SAMPLES, CHANNELS = 4, 2, 5


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_hybrid_attention_is_what_its_equation_says() -> None:
    x = features(STEPS, SAMPLES, CHANNELS, 3, 7)
    layer = HybridAttention(CHANNELS, STEPS).double()
    over_time, over_channels = (p.detach() for p in layer.parameters())
    assert (over_time.shape, over_channels.shape) == ((4, 4), (5, 5))
    mean = torch.einsum("tbchw->tbc", x) / 21
    u = torch.einsum("ts,sbc->tbc", over_time, mean)
    v = torch.einsum("dc,tbc->tbd", over_channels, mean)
    wanted = torch.einsum("tbchw,tbc->tbchw", x, 1 / (1 + torch.exp(-u * v)))
    torch.testing.assert_close(layer(x), wanted)


def test_a_spiking_convolution_is_neuron_convolution_and_normalisation() -> None:
    x = 0.2 * features(STEPS, SAMPLES, CHANNELS, 6, 6)
    block = SpikingConv(CHANNELS, 3, threshold=0.15, share=0.2).double()
    v, spikes = torch.zeros_like(x[0]), []
    for current in x:
        h = v / 2 + current
        spikes.append((h >= 0.15).double())
        v = h * (1 - spikes[-1])
    weight = next(p for p in block.parameters() if p.dim() == 4)
    conv = torch.nn.functional.conv2d(torch.stack(spikes).flatten(0, 1), weight, padding=1)
    mean = conv.mean((0, 2, 3), keepdim=True)
    spread = conv.var((0, 2, 3), unbiased=False, keepdim=True)
    wanted = 0.03 / 2**0.5 * (conv - mean) / (spread + 1e-5).sqrt()
    torch.testing.assert_close(block(x), wanted.reshape(STEPS, SAMPLES, 3, 6, 6))


def slope(h: float) -> float:
    """Derivative of sigmoid(4 (h - 0.15))."""
    s = 1 / (1 + math.exp(-4 * (h - 0.15)))
    return 4 * s * (1 - s)


def test_the_surrogate_is_a_sigmoid_of_slope_4_and_flows_through_the_reset() -> None:
    neuron = full_input_lif(0.15).double()
    x = torch.tensor([[0.12], [0.11]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(neuron(x)[1].sum(), x)
    second = slope(0.06 + 0.11)
    carried = 0.5 * (1 - 0.12 * slope(0.12))  # v = h (1 - s), and s has a derivative
    wanted = torch.tensor([[second * carried], [second]], dtype=torch.float64)
    torch.testing.assert_close(gradient, wanted, rtol=1e-6, atol=0)


def test_even_kernels_are_refused() -> None:
    with pytest.raises(UsageError, match="kernel of 2"):
        SpikingConv(3, kernel=2)
