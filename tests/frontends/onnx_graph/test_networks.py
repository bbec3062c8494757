"""Whole networks: exported by PyTorch, shipped with onnx, and a pretrained one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto
from torch import Tensor, nn
from torch.nn import functional

from spikec.frontends.onnx_graph import import_model
from spikec.runtime import run
from tests.frontends.onnx_graph.light import DATA, LIGHT, with_random_weights
from tests.frontends.onnx_graph.models import assert_same, numbers


class Images(nn.Module):
    """Shortcuts of both kinds, depth-wise and grouped convolutions, squeeze-excite, shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6())
        self.depth = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False)
        self.group = nn.Conv2d(8, 16, 1, groups=2)
        self.project = nn.Conv2d(16, 16, 1)
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 4, 1), nn.SiLU())
        self.excite = nn.Sequential(nn.Conv2d(4, 16, 1), nn.Hardsigmoid())
        self.norm = nn.GroupNorm(4, 16)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = functional.hardswish(self.group(self.depth(x)))
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = self.norm(self.project(y) + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)))
        y = y * self.excite(self.squeeze(y))
        y = functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        pools = functional.max_pool2d(y, 3, 2, 1), functional.avg_pool2d(y, 3, 2, 1)
        return self.head(torch.cat(pools, 1).mean((2, 3)))  # type: ignore[no-any-return]


class Tokens(nn.Module):
    """Patches, a class token, positions, fused attention, windows with a cyclic shift."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.positions = nn.Parameter(torch.randn(1, 17, 16))
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.mix = nn.Linear(16, 48)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x)
        shifted = torch.roll(x, (-1, -1), (2, 3)).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), shifted], 1) + self.positions
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        q, k, v = self.mix(self.norm(x)).view(-1, 17, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        z = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + functional.gelu(z.transpose(1, 2).flatten(2))
        return self.head(x[:, 0])  # type: ignore[no-any-return]


def exported(network: nn.Module, size: int) -> ModelProto:
    """Export with a dynamic batch, as users do."""
    example = (torch.zeros(2, 3, size, size),)
    batch = ({0: torch.export.Dim("batch")},)
    program = torch.onnx.export(
        network.eval(), example, dynamo=True, dynamic_shapes=batch, verbose=False
    )
    assert program is not None
    proto = program.model_proto
    assert isinstance(proto, ModelProto)
    return proto


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter's own warnings
@pytest.mark.parametrize("make", [Images, Tokens])
def test_networks_exported_by_torch(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    proto = exported(make(), 16)
    graph = import_model(proto)
    for batch in (2, 3):
        assert_same(proto, {"x": numbers(batch, 3, 16, 16, seed=batch)}, graph)


@pytest.mark.parametrize("weights", ["as shipped", "random"])
def test_a_light_model_of_onnx(weights: str) -> None:
    proto = onnx.load(str(LIGHT / "light_squeezenet.onnx"))
    if weights == "random":
        proto = with_random_weights(proto)
    assert_same(proto, {"data_0": numbers(1, 3, 224, 224)})


def shared(*parts: str) -> Path:
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not here; SPIKEC_DATA names the folder that holds it")
    return path


def test_resnet20_classifies_as_it_did_where_it_was_trained() -> None:
    graph = import_model(shared("models", "resnet20_cifar10.onnx"))
    data = np.load(shared("data", "cifar10_exact.npz"))
    images, labels = data["test_x"][:200], data["test_y"][:200]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = (images / 255 - mean[:, None, None]) / std[:, None, None]
    scores: Any = run(graph, x.astype(np.float32))
    assert (scores.argmax(1) == labels).mean() > 0.88
