"""A ViT and a small Swin, trained on MNIST images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.mnist_nets import Training, trained
from benchmarks.models import torchvision_models


class SmallViT(nn.Module):
    """16 patches and a class token, three blocks of attention and GELU: 79,000 parameters."""

    def __init__(self, width: int = 48, depth: int = 3, heads: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 7, stride=7)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, 17, width) * 0.02)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits."""
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x)[:, 0])
        return logits


class SmallSwin(nn.Module):
    """torchvision's Swin in two stages of two blocks, windows of 7 x 7 that are shifted by 3."""

    def __init__(self) -> None:
        super().__init__()
        torchvision: Any = torchvision_models()
        self.inner = torchvision.swin_transformer.SwinTransformer(
            patch_size=[2, 2],
            embed_dim=24,
            depths=[2, 2],
            num_heads=[2, 4],
            window_size=[7, 7],
            mlp_ratio=2.0,
            stochastic_depth_prob=0.0,
            num_classes=10,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits; all three colours are grey."""
        logits: Tensor = self.inner(x.expand(-1, 3, -1, -1))
        return logits


def vit() -> nn.Module:
    """Train the ViT, or take it from the cache."""
    return trained("vit", SmallViT, Training(epochs=40, shift=2), __file__)


def swin() -> nn.Module:
    """Train the Swin, or take it from the cache."""
    return trained("swin", SmallSwin, Training(epochs=36, shift=1), __file__)


TRAINED: Mapping[str, Callable[[], nn.Module]] = {"vit": vit, "swin": swin}
