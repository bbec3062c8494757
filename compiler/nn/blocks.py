"""Blocks that repeat in spiking networks: neuron, convolution, normalisation."""

from __future__ import annotations

from typing import Any

from torch import nn

from spikec.errors import UsageError
from spikec.nn.layers import Stepwise, TdBatchNorm
from spikec.nn.neurons import LIF


class SpikingConv(nn.Sequential):
    """y = tdBN(W * LIF(x)) of [T, B, C, H, W]: a spiking convolution that keeps the image's size.

    LIF: h = (1 - 1/τ) v + x[t], fires where h >= θ, then v = 0, and gradients flow through the
    reset.  tdBN begins with the factor α ``share`` θ.  The surrogate is the sigmoid of slope 4 in
    h - θ, g(z) = sigmoid'(4 θ z) in units of the threshold.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int | None = None,
        kernel: int = 3,
        *,
        threshold: float = 0.15,
        share: float = 1.0,
        alpha: float = 0.5**0.5,
        tau: float = 2.0,
        bias: bool = False,
    ) -> None:
        if kernel % 2 != 1:
            raise UsageError(f"a kernel of {kernel} pixels", expected="an odd number")
        wide = channels if out_channels is None else out_channels
        super().__init__(
            full_input_lif(threshold, tau),
            Stepwise(nn.Conv2d(channels, wide, kernel, padding=kernel // 2, bias=bias)),
            TdBatchNorm(wide, share * threshold, alpha),
        )


def full_input_lif(threshold: float = 0.15, tau: float = 2.0, **options: Any) -> LIF:
    """Give the LIF of SpikeSR: hard reset to 0, undecayed input, sigmoid surrogate of slope 4."""
    surrogate = f"sigmoid{{alpha={4 * threshold:g}}}"
    told = {"decay_input": False, "reset": "hard", "surrogate": surrogate, **options}
    return LIF(threshold, tau=tau, **told)
