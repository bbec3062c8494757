"""What stands between neurons: layers step by step, normalisation, dropout."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.nn.checks import check_whole


class Stepwise(nn.Sequential):
    """Modules that know no time, applied to each step alone: [T, B, ...] as [T B, ...] and back."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply them one after another."""
        y: Tensor = super().forward(x.flatten(0, 1))  # type: ignore[no-untyped-call]
        return y.reshape(x.shape[0], x.shape[1], *y.shape[1:])


class _AnyRank(nn.modules.batchnorm._BatchNorm):
    """Normalises axis 1, however many there are."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 (torch calls it so)
        """Take all."""


class TdBatchNorm(nn.Module):
    """Threshold-dependent batch normalisation of [T, B, C, ...].

    x̂ = α θ (x - μ_c) / √(σ_c² + ε), y = λ_c x̂ + β_c, statistics per channel over T, B and space.
    λ begins at 1 and β at 0; α θ is part of the learned factor, as :class:`torch.nn.BatchNorm2d`
    with weights that begin there.
    """

    def __init__(
        self, channels: int, threshold: float = 1.0, alpha: float = 1.0, **options: Any
    ) -> None:
        super().__init__()
        check_whole(channels, "{} channels")
        if not 0 < threshold < math.inf or not 0 < alpha < math.inf:
            raise UsageError(
                f"threshold={threshold}, alpha={alpha}", expected="finite numbers above 0"
            )
        if not options.get("affine", True):
            raise UsageError(
                "tdBN with affine=False",
                expected="affine=True: the factor of its weights is alpha times the threshold",
                remedy="to keep the factor as it begins, call requires_grad_(False) on the layer",
            )
        self.norm = _AnyRank(channels, **options)
        with torch.no_grad():
            self.norm.weight.fill_(alpha * threshold)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; in evaluation by running statistics."""
        return self.norm(x.flatten(0, 1)).reshape(x.shape)  # type: ignore[no-any-return]


def check_dropout(p: float) -> float:
    """Refuse what is no share that dropout may leave out."""
    if not isinstance(p, Real) or not 0 <= p < 1:
        raise UsageError(f"dropout of {p!r}", expected="0 or more, below 1")
    return p


class TimeDropout(nn.Module):
    """Dropout whose mask is drawn once per sample and held for all steps of [T, B, ...]."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = check_dropout(p)

    def forward(self, x: Tensor) -> Tensor:
        """Drop in training; give x in evaluation."""
        if not self.training or not self.p:
            return x
        kept = torch.rand_like(x[:1]) >= self.p
        return x * kept.to(x.dtype) / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
