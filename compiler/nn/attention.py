"""Attention between spikes, without a softmax, and the two layers that go with it."""

from __future__ import annotations

from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.nn.hard_lif import TAU, HardLIF
from spikec.nn.layers import Stepwise

SCALE = 0.125


class SpikingAttention(nn.Module):
    """Q, K, V = SN(BN(W SN(x))); y = BN(W SN(Q (Kᵀ V) s) + b), at each step alone.

    Places are the h w of [T, B, C, h, w]; Q, K and V are 0 or 1, so that Kᵀ V are counts and their
    products with Q sums.  s is 0.125; the neuron behind it has a threshold of its own.
    """

    def __init__(
        self,
        channels: int,
        heads: int = 1,
        *,
        scale: float = SCALE,
        threshold: float = 1.0,
        attention_threshold: float = 0.5,
        tau: float = TAU,
    ) -> None:
        super().__init__()
        if heads < 1 or channels < 1 or channels % heads:
            raise UsageError(f"{heads} heads of {channels} channels", expected="a divisor of them")
        self.heads, self.scale = heads, scale
        self.neuron = HardLIF(threshold, tau)
        self.project = Stepwise(
            nn.Conv2d(channels, 3 * channels, 1, bias=False), nn.BatchNorm2d(3 * channels)
        )
        self.fire = HardLIF(threshold, tau)
        self.gate = HardLIF(attention_threshold, tau)
        self.out = Stepwise(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Attend; the result is a current."""
        spikes = self.fire(self.project(self.neuron(x)))
        each = x.shape[2] // self.heads
        q, k, v = spikes.flatten(3).unflatten(2, (3, self.heads, each)).unbind(2)
        seen = v @ k.transpose(-1, -2) @ q * self.scale  # (Q (Kᵀ V))ᵀ: channels before places
        fired = self.gate(seen.flatten(2, 3))
        return self.out(fired.unflatten(-1, tuple(x.shape[3:])))  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return f"heads={self.heads}, scale={self.scale}"


class SpikingMlp(nn.Module):
    """y = BN(W₂ SN(BN(W₁ SN(x) + b₁)) + b₂), ``ratio`` times as many channels in between."""

    def __init__(
        self, channels: int, ratio: int = 4, *, threshold: float = 1.0, tau: float = TAU
    ) -> None:
        super().__init__()
        wide = ratio * channels
        self.layers = nn.Sequential(
            HardLIF(threshold, tau),
            Stepwise(nn.Conv2d(channels, wide, 1), nn.BatchNorm2d(wide)),
            HardLIF(threshold, tau),
            Stepwise(nn.Conv2d(wide, channels, 1), nn.BatchNorm2d(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply; the result is a current."""
        return self.layers(x)  # type: ignore[no-any-return]
