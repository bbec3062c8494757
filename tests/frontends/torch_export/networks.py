"""Small networks with the constructs of the real ones."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import nn


class ShortcutA(nn.Module):
    """Residual blocks whose shortcut is sub-sampled and padded with zeros (CIFAR ResNets)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        zeros = torch.zeros(x.shape[0], 3, y.shape[2], y.shape[3])
        y += torch.cat([x[:, :, ::2, ::2], zeros], 1)
        y = F.relu(y) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2))
        result: torch.Tensor = self.fc(F.avg_pool2d(y, y.size()[3]).view(y.size(0), -1))
        return result


class ShortcutB(nn.Module):
    """Residual block with a projection, one ReLU shared by all call sites, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, 1, 1), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Sequential(nn.Conv2d(3, 4, 1, 2), nn.BatchNorm2d(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.down(x)
        result: torch.Tensor = self.relu(out).mean((2, 3))
        return result


class InvertedResidual(nn.Module):
    """Depth-wise convolution, squeeze-excite with hard activations, layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8), nn.Hardswish())
        self.depth = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.ReLU6(inplace=True))
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.SiLU())
        self.excite = nn.Sequential(nn.Conv2d(2, 8, 1), nn.Hardsigmoid())
        self.project = nn.Conv2d(8, 4, 1)
        self.gamma = nn.Parameter(torch.full((4, 1, 1), 0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.depth(self.expand(x))
        result: torch.Tensor = self.project(y * self.excite(self.squeeze(y)))
        return x + self.gamma * result


class Shuffle(nn.Module):
    """Channel split and shuffle by views."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1, groups=4), nn.BatchNorm2d(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = x.chunk(2, 1)
        y = torch.cat((left, self.branch(right)), 1)
        n, c, h, w = y.size()
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


class Dense(nn.Module):
    """Dense concatenation, pre-activation, inception branches, local response normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(3 + 2 * i) for i in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(3 + 2 * i, 2, 3, padding=1) for i in range(3))
        self.lrn = nn.LocalResponseNorm(3)
        self.a, self.b = nn.Conv2d(9, 2, 1), nn.Conv2d(9, 3, (1, 3), padding=(0, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = [x]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        y = self.lrn(torch.cat(features, 1))
        pooled = F.max_pool2d(y, 3, 1, 1)
        average = F.avg_pool2d(y, 3, 1, 1, count_include_pad=False)
        return torch.cat([self.a(y), self.b(y), pooled, average], 1)


class Windows(nn.Module):
    """Shifted-window attention by hand: roll, partition, relative bias table, mask, un-shift."""

    index: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.table = nn.Parameter(torch.randn(7, 2))
        place = torch.arange(4)
        self.register_buffer("index", (place[:, None] - place + 3).flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, length, c = x.shape
        shifted = torch.roll(x, -2, 1).view(n * length // 4, 4, c)
        q, k, v = self.qkv(shifted).reshape(-1, 4, 3, 2, 4).permute(2, 0, 3, 1, 4)
        bias = self.table[self.index].view(4, 4, -1).permute(2, 0, 1).unsqueeze(0)
        scores = (q * 4**-0.5) @ k.transpose(-2, -1) + bias
        mask = x.new_zeros((length,))
        mask[-2:] = 1
        group = mask.view(-1, 4)
        apart = (group[:, None] - group[:, :, None]).masked_fill(
            group[:, None] != group[..., None], -9
        )
        scores = scores.view(n, -1, 2, 4, 4) + apart.unsqueeze(1).unsqueeze(0)
        y = (F.softmax(scores.view(-1, 2, 4, 4), -1) @ v).transpose(1, 2).reshape(-1, 4, c)
        return torch.roll(self.out(y).view(n, length, c), 2, 1)


class Encoder(nn.Module):
    """Token ids, positions, fused attention, a class token, a dict of results."""

    ids: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(11, 8), nn.Embedding(9, 8)
        self.cls = nn.Parameter(torch.randn(1, 1, 8))
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.register_buffer("ids", torch.arange(9)[None])

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, Any]:
        n, length = tokens.shape
        x = self.words(tokens) + self.places(self.ids[:, :length])
        x = torch.cat([self.cls.expand(n, -1, -1), x], 1)
        y = self.layer(x)
        keep = None
        if mask is not None:
            keep = F.pad(mask, (1, 0), value=1.0).bool()[:, None, None]
        z = F.scaled_dot_product_attention(*(y[:, None],) * 3, attn_mask=keep)
        w, weights = self.attend(y, y, y)
        return {"pooled": torch.tanh(self.norm(z[:, 0, 0])), "rest": (w, weights), "none": None}


class Writes(nn.Module):
    """Writes into slices, masks and places; constants that depend on the batch."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = x.clone()
        y[:, 1] = 0
        y[:, 2:4] += 1
        y[:, ::2, 0] = x[:, 1:3, 3]
        y[y > 1] = 1
        ones = torch.ones(x.shape[0], 1, 5)
        z = torch.cat([y, ones, x.new_full((x.shape[0], 1, 5), 2.0)], 1)
        z.mul_(2).clamp_(max=3)
        step = torch.arange(5).float().expand(x.shape[0], 2, 5)
        return z, step * z[:, :2], x[torch.arange(x.shape[0]), 1]


class TwoTowers(nn.Module):
    """Several inputs, one of them a keyword, an integer option, and several results."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 3), nn.Linear(5, 3)

    def forward(
        self, x: torch.Tensor, times: int = 2, *, other: torch.Tensor, extra: None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self.a(x) * times, torch.sigmoid(self.b(other)) - self.a(x)


class Decoder(nn.Module):
    """Transposed and string-padded convolutions, resizing, pixel shuffle, instance norms."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)
        self.same = nn.Conv2d(4, 4, 3, padding="same", padding_mode="reflect")
        self.norm, self.group = nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4)
        self.weighted = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 8, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.group(self.norm(self.same(self.up(x))))
        y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        y = F.interpolate(y, size=(6, 6), mode="bicubic", align_corners=True)
        return F.pixel_shuffle(self.weighted(y), 2)


def prepared(model: nn.Module) -> nn.Module:
    """Give batch normalisations statistics of their own, and put the model to evaluation."""
    rng = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=rng) * 0.2
            module.running_var = torch.rand(module.num_features, generator=rng) + 0.5
    return model.eval()
