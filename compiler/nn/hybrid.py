"""Attention over time and channels at once: the hybrid dimension attention of SpikeSR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikec.nn.sequence import TimeMix


class HybridAttention(nn.Module):
    """y = x ∘ A of [T, B, C, H, W], A = sigmoid(U ∘ V) [T, B, C].

    With p the mean of x over space: U[t] = Σ_s K_T[t, s] p[s] over the steps, V = K_C p over the
    channels; neither has a bias.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.over_time = TimeMix(steps)
        self.over_channels = nn.Linear(channels, channels, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """Give A."""
        mean = x.mean((-2, -1))
        return torch.sigmoid(self.over_time(mean) * self.over_channels(mean))

    def forward(self, x: Tensor) -> Tensor:
        """Weigh each channel of each step."""
        return x * self.gate(x).unsqueeze(-1).unsqueeze(-1)
