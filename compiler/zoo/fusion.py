"""How SpikeSR turns the features of all steps into those of one image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikec.nn.sequence import TimeMix

REDUCTION, NARROW = 16, 8
"""by which the channels of both parts of the refinement are divided in between"""


class FeatureRefinement(nn.Module):
    """The released fusion of [B, C, H, W]: y = (1 - t) a + t x.

    a = sigmoid(W_b relu(W_a mean over the pixels of x)), one number per channel, with C/16 in
    between; t = sigmoid(conv(relu(conv(conv x)))), 3 x 3, with C/8 in between.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        few, narrow = max(1, channels // REDUCTION), max(1, channels // NARROW)
        self.by_channel = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, few, 1),
            nn.ReLU(),
            nn.Conv2d(few, channels, 1),
            nn.Sigmoid(),
        )
        self.by_pixel = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Conv2d(channels, narrow, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(narrow, channels, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refine."""
        t: Tensor = self.by_pixel(x)
        return (1 - t) * self.by_channel(x) + t * x  # type: ignore[no-any-return]


class TimeSpaceFusion(nn.Module):
    """The paper's fusion of [T, B, C, H, W]: y = Y₁ + sigmoid(S) (1 - Y₁), Y₁ = sigmoid(A) x.

    A[t] = M(mean of x[t]) + M(max of x[t]) over channels and pixels, M = W₂ relu(W₁ ·) over the
    steps, both [T, T] (the paper leaves the width in between open); S = 3 x 3 conv of mean and
    maximum of Y over steps and channels.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.over_time = nn.Sequential(TimeMix(steps), nn.ReLU(), TimeMix(steps))
        self.over_space = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh steps, then pixels."""
        inside = (2, 3, 4)
        by_step = self.over_time(x.mean(inside, keepdim=True))
        by_step = by_step + self.over_time(x.amax(inside, keepdim=True))
        first: Tensor = torch.sigmoid(by_step) * x
        over = x.mean(0).mean(1, keepdim=True), x.amax((0, 2)).unsqueeze(1)
        by_pixel = torch.sigmoid(self.over_space(torch.cat(over, 1)))
        return first + by_pixel * (1 - first)
