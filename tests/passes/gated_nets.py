"""Networks with gates: products of two values, sigmoids in front of one of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikec.ir import B, Graph, Op, Value, ops
from tests.passes.helpers import Net, size


def squeeze_excite(net: Net, x: Value, gate: Op, x_first: bool) -> Value:
    """Scale channels by a function of their means."""
    channels = size(x, -3)
    mean = net.edit.add(ops.AdaptiveAvgPool((1, 1)), x)
    hidden = net.relu(net.conv(mean, 2, 1, 0))
    factor = net.edit.add(gate, net.conv(hidden, channels, 1, 0), name="gate")
    return net.edit.add(ops.Mul(), *((x, factor) if x_first else (factor, x)), name="product")


def gated_net(seed: int) -> Graph:
    """A convolution, one or two gated blocks, and a classifier; what follows a gate varies."""
    net = Net(2, 4, 4, seed=seed, name=f"gated{seed}", dyadic=True)
    x = net.relu(net.conv(net.x, 3))
    for _ in range(net.rng.integers(1, 3)):
        gate = ops.Sigmoid() if net.rng.random() < 0.5 else ops.HardSigmoid(0.25, 0.5)
        first = bool(net.rng.random() < 0.5)
        kind = net.rng.integers(3)
        if kind == 0:  # a convolution reads the product
            x = net.relu(net.conv(squeeze_excite(net, x, gate, first), 3))
        elif kind == 1:  # it meets a shortcut
            y = squeeze_excite(net, net.conv(x, 3), gate, first)
            x = net.relu(net.edit.add(ops.Add(), y, x))
        else:  # attention from weights, elementwise
            mask = net.edit.add(gate, net.conv(net.relu(net.conv(x, 2)), 3))
            x = net.relu(net.edit.add(ops.Mul(), net.conv(x, 3), mask))
    return net.done(net.linear(net.flat(x), 3))


def tokens_net() -> Graph:
    """A gate on [B, N, C], whose channels stand on the last axis."""
    net = Net(3, 4, name="tokens")
    x = net.relu(net.linear(net.x, 5))
    factor = net.edit.add(ops.Sigmoid(), net.linear(x, 5), name="gate")
    y = net.relu(net.edit.add(ops.Mul(), factor, net.linear(x, 5), name="product"))
    mean = net.edit.add(ops.ReduceMean((-2,), False), y)
    return net.done(net.linear(mean, 2))


def product_net() -> Graph:
    """(W1 relu(A x)) · sigmoid(W2 relu(B x)), then weights: little enough to write by hand."""
    net = Net(3, name="product")
    a = net.edit.add(ops.ReLU(), net.linear(net.x, 4), name="a")
    b = net.edit.add(ops.ReLU(), net.linear(net.x, 4), name="b")
    factor = net.edit.add(ops.Sigmoid(), net.linear(b, 4), name="gate")
    y = net.edit.add(ops.Mul(), net.linear(a, 4), factor, name="product")
    return net.done(net.edit.add(ops.Reshape((B, 4)), net.linear(y, 4), name="result"))


class SqueezeExcite(nn.Module):
    """As torchvision.ops.SqueezeExcitation computes it."""

    def __init__(self, channels: int, gate: nn.Module) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, 2, 1)
        self.fc2 = nn.Conv2d(2, channels, 1)
        self.activation = nn.ReLU()
        self.scale_activation = gate

    def forward(self, x: Tensor) -> Tensor:
        scale = self.activation(self.fc1(self.avgpool(x)))
        factor: Tensor = self.scale_activation(self.fc2(scale))
        return factor * x


class MobileBlock(nn.Module):
    """Expand, depth-wise, squeeze-excite, project, with a shortcut: of a mobile network."""

    def __init__(self, channels: int, gate: nn.Module) -> None:
        super().__init__()
        wide = 2 * channels
        self.expand = nn.Conv2d(channels, wide, 1)
        self.depthwise = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.norm = nn.BatchNorm2d(wide)
        self.excite = SqueezeExcite(wide, gate)
        self.project = nn.Conv2d(wide, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.depthwise(torch.relu(self.expand(x)))))
        projected: Tensor = self.project(self.excite(y))
        return x + projected


class ResidualBlock(nn.Module):
    """The product stands in front of the sum with the shortcut, as in SE-ResNet."""

    def __init__(self, channels: int, gate: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.excite = SqueezeExcite(channels, gate)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.excite(self.conv(x)))


def gated_module(kind: type[nn.Module], gate: nn.Module) -> nn.Module:
    """Two gated blocks between a stem and a classifier."""
    blocks = [kind(4, gate), kind(4, gate)]
    stem = (nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())
    head = (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return nn.Sequential(*stem, *blocks, *head).eval()
