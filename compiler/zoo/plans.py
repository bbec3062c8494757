"""Networks of convolutions and fully connected layers, as their papers print them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.nn import Stepwise, TimeDropout
from spikec.nn.checks import check_sides, check_whole
from spikec.nn.layers import check_dropout

POOL, DROP = "A", "D"


@dataclass(frozen=True)
class Plan:
    """3 x 3 convolutions of so many channels, 2 x 2 average pools (A), dropout (D); then widths."""

    features: tuple[int | str, ...]
    hidden: tuple[int, ...]


def plan(text: str, *hidden: int) -> Plan:
    """Read a plan: ``64 A 128 D``.

    >>> plan("64 A", 100)
    Plan(features=(64, 'A'), hidden=(100,))
    """
    return Plan(tuple(p if p in (POOL, DROP) else int(p) for p in text.split()), hidden)


PLANS = {
    "dct_mlp": plan("", 100),
    "dct_vgg5": plan("64 A 128 D 128 A", 4096, 4096),
    "dct_vgg9": plan("64 A 128 D 128 A 256 D 256 A 512 D 512 A", 4096, 4096),
    "dct_vgg11": plan("64 A 128 D 256 A 512 D 512 D 512 A 512 D 512 A", 4096, 4096),
    "dct_vgg13": plan("64 D 64 A 128 D 128 A 256 D 256 A 512 D 512 A 512 D 512 A", 4096, 4096),
}
"""DCT-SNN (ICCV 2021), from its supplement and its authors' code"""


@dataclass(frozen=True)
class Shape:
    """What a network of a plan reads and gives."""

    channels: int
    size: tuple[int, int]
    classes: int
    width: float = 1.0
    """factor of all channels and widths, for small data"""
    dropout: float = 0.2

    def __post_init__(self) -> None:
        for name in ("channels", "classes"):
            check_whole(getattr(self, name), f"{{}} {name}")
        check_sides(self.size, "images of size {}")
        if not isinstance(self.width, Real) or not 0 < self.width < math.inf:
            raise UsageError(
                f"width={self.width!r}",
                expected="a finite number above 0",
                remedy="1 builds the network of the paper, 1/4 one of a quarter of its channels",
            )
        check_dropout(self.dropout)


Neuron = Callable[[], nn.Module]


def analog_layers(plan: Plan, shape: Shape, dropout: float = 0.5) -> nn.Sequential:
    """Give the layers with ReLUs; ``dropout`` is that of the classifier."""
    drops = (shape.dropout, check_dropout(dropout))
    return nn.Sequential(*_layers(plan, shape, nn.ReLU, lambda one: one, nn.Dropout, drops))


def spiking_layers(plan: Plan, shape: Shape, neuron: Neuron) -> nn.Sequential:
    """Give the layers with neurons, for [T, B, ...]; dropout holds its mask over time."""
    drops = (shape.dropout, shape.dropout)
    return nn.Sequential(*_layers(plan, shape, neuron, Stepwise, TimeDropout, drops))


def _layers(
    plan: Plan,
    shape: Shape,
    neuron: Neuron,
    each: Callable[[nn.Module], nn.Module],
    drop: Callable[[float], nn.Module],
    dropout: tuple[float, float],
) -> Iterator[nn.Module]:
    """Give one after another; the last one has no neurons."""
    channels, (height, width) = shape.channels, shape.size
    for part in plan.features:
        if part == POOL:
            yield each(nn.AvgPool2d(2))
            height, width = height // 2, width // 2
        elif part == DROP:
            yield drop(dropout[0])
        else:
            assert isinstance(part, int)  # a plan holds nothing else
            wide = _scaled(part, shape)
            yield each(nn.Conv2d(channels, wide, 3, padding=1, bias=False))
            yield neuron()
            channels = wide
    if not height or not width:
        raise UsageError(
            f"images of {shape.size[0]} x {shape.size[1]}",
            expected=f"{2 ** plan.features.count(POOL)} pixels or more a side",
        )
    yield each(nn.Flatten())
    before = channels * height * width
    for hidden in plan.hidden:
        wide = _scaled(hidden, shape)
        yield each(nn.Linear(before, wide, bias=False))
        yield neuron()
        yield drop(dropout[1])
        before = wide
    yield each(nn.Linear(before, shape.classes, bias=False))


def _scaled(width: int, shape: Shape) -> int:
    return max(1, round(width * shape.width))


def weighted(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Give the layers with weights, in their order."""
    return [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def draw_weights(model: nn.Module, seed: int) -> None:
    """Draw normal weights of deviation √(1 / fan-in), as DCT-SNN does."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not -(2**63) <= seed < 2**64:
        raise UsageError(f"seed {seed!r}", expected="a whole number from -2^63 to 2^64 - 1")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in weighted(model):
            deviation = (1 / layer.weight[0].numel()) ** 0.5
            layer.weight.normal_(0, deviation, generator=generator)


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy all weights of one network into another of the same plan.

    All that does not fit is told at once.
    """
    ours, theirs = ([layer.weight for layer in weighted(m)] for m in (source, target))
    shapes = [[list(w.shape) for w in weights] for weights in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise UsageError(
            f"weights of shapes {shapes[0]}",
            expected=f"{shapes[1]}: those of a network of the same plan",
        )
    with torch.no_grad():
        for mine, other in zip(ours, theirs, strict=True):
            _copy(mine, other)


def _copy(source: Tensor, target: Tensor) -> None:
    target.copy_(source)
