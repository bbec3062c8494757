"""SpikeSR (arXiv 2503.04223): enlarging images by spiking blocks and attention between patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.nn.blocks import SpikingConv
from spikec.nn.checks import check_sides, check_whole
from spikec.nn.encoders import Direct
from spikec.nn.hybrid import HybridAttention
from spikec.nn.layers import Stepwise, TdBatchNorm
from spikec.nn.matching import DeformableSimilarityAttention
from spikec.zoo.fusion import FeatureRefinement, TimeSpaceFusion

SCALES = (2, 3, 4)
THRESHOLD, ALPHA = 0.15, 0.5**0.5
SECOND = 0.2
"""share of the threshold with which the tdBN of a block's second spiking convolution begins"""
GREY, RGB = 1, 3
PARTS = (
    "cnn_branch",
    "snn_branch",
    "hybrid",
    "similarity",
    "deformable",
    "fusion",
    "shortcut",
)
"""what may be left out"""
_CHANNELS: Mapping[int, str] = {
    1: "grey images: repeat them, x.repeat(1, 3, 1, 1), or build it with channels=1",
    2: "grey images with transparency: keep the first channel, x[:, :1]",
    3: "images in colour: take their mean, x.mean(1, keepdim=True), or build it with channels=3",
    4: "images with transparency (RGBA): keep the first three channels, x[:, :3]",
}
"""what to do with images of other channels than those that a network reads"""


@dataclass(frozen=True)
class Shape:
    """What a SpikeSR is built of; the defaults are the released one of the paper's main table."""

    size: tuple[int, int]
    """height and width of the images that are enlarged"""
    scale: int = 4
    steps: int = 4
    channels: int = RGB
    width: int = 64
    groups: int = 4
    blocks: int = 2
    """in each group"""
    patch: int = 16
    stride: int | None = None
    """pixels between patches; patches overlap by 2, if left out"""
    qk: int = 32
    mlp: int = 100
    depth: int = 3
    """transformer blocks on patches"""
    variant: str = "released"
    dead: bool | None = None
    """deformable convolutions that never run, as in the released file; the paper's has none"""
    cnn_branch: bool = True
    snn_branch: bool = True
    hybrid: bool = True
    similarity: bool = True
    deformable: bool = True
    fusion: bool = True
    shortcut: bool = True
    """analog sums around blocks, groups and all groups"""
    bicubic: bool = False
    """add the bicubic enlargement, and begin there; the paper does not"""

    def __post_init__(self) -> None:
        whole = isinstance(self.scale, int)
        _check(whole and self.scale in SCALES, f"a scale of {self.scale!r}", "2, 3 or 4")
        _check(self.variant in VARIANTS, f"variant {self.variant!r}", " or ".join(VARIANTS))
        if self.channels not in (GREY, RGB):
            raise UsageError(
                f"images of {self.channels} channels",
                expected="1 (grey) or 3 (red, green, blue)",
                remedy=_CHANNELS.get(self.channels, "choose the channels that make a picture"),
            )
        for name in ("width", "groups", "blocks", "patch", "qk", "mlp", "depth"):
            check_whole(getattr(self, name), f"{name}={{}}")
        _check(
            self.cnn_branch or self.snn_branch,
            "a block without any branch",
            "cnn_branch, snn_branch or both",
        )

    @property
    def step(self) -> int:
        """Pixels between patches."""
        return max(1, self.patch - 2) if self.stride is None else self.stride


class SpikingAttentionBlock(nn.Module):
    """The released block: y = SCB(SCB(x)) + tdBN(conv x), out = GELU(HDA(y) + DSA(y)) + x."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_branches(shape, normed=True))
        self.attentions = nn.ModuleList(
            [*_hybrid(shape), *_similarity(shape, dead=shape.dead is not False)]
        )
        self.shortcut = shape.shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Apply to [T, B, C, H, W]."""
        y = _sum(self.branches, x)
        y = _sum(self.attentions, y) if len(self.attentions) else y
        y = F.gelu(y)
        return y + x if self.shortcut else y


class SerialAttentionBlock(nn.Module):
    """The block as the paper prints it: out = x + DSA(HDA(SCB(SCB(x)) + conv x))."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_branches(shape, normed=False))
        paper = {"dead": bool(shape.dead), "deforms": "matched", "scales": (0.5,)}
        self.attentions = nn.Sequential(*_hybrid(shape), *_similarity(shape, **paper))
        self.shortcut = shape.shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Apply to [T, B, C, H, W]."""
        y: Tensor = self.attentions(_sum(self.branches, x))
        return y + x if self.shortcut else y


def _branches(shape: Shape, *, normed: bool) -> list[nn.Module]:
    """Give the spiking and the analog branch of a block, those that are switched on."""
    c, found = shape.width, list[nn.Module]()
    common: dict[str, Any] = {"threshold": THRESHOLD, "alpha": ALPHA}
    if shape.snn_branch:
        second = SpikingConv(c, share=SECOND if normed else 1.0, **common)
        found.append(nn.Sequential(SpikingConv(c, **common), second))
    if shape.cnn_branch:
        conv = Stepwise(nn.Conv2d(c, c, 3, padding=1, bias=False))
        found.append(nn.Sequential(conv, TdBatchNorm(c, THRESHOLD, ALPHA)) if normed else conv)
    return found


def _hybrid(shape: Shape) -> list[nn.Module]:
    return [HybridAttention(shape.width, shape.steps)] if shape.hybrid else []


def _similarity(shape: Shape, **options: Any) -> list[nn.Module]:
    if not shape.similarity:
        return []
    attention = DeformableSimilarityAttention(
        shape.width,
        shape.size,
        patch=shape.patch,
        stride=shape.step,
        qk=shape.qk,
        mlp=shape.mlp,
        depth=shape.depth,
        deformable=shape.deformable,
        **options,
    )
    return [Stepwise(attention)]


class Group(nn.Module):
    """F + tdBN(1 x 1 conv(LIF(blocks(F))))."""

    def __init__(self, shape: Shape, block: Callable[[Shape], nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(block(shape) for _ in range(shape.blocks)))
        self.last = SpikingConv(shape.width, kernel=1, threshold=THRESHOLD, alpha=ALPHA, bias=True)
        self.shortcut = shape.shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Apply to [T, B, C, H, W]."""
        y: Tensor = self.last(self.blocks(x))
        return y + x if self.shortcut else y


@dataclass(frozen=True)
class Variant:
    """What two descriptions of SpikeSR differ in."""

    block: Callable[[Shape], nn.Module]
    fusion: Callable[[Shape], nn.Module]
    """from [T, B, C, H, W] to [B, C, H, W]"""


class MeanOverTime(nn.Module):
    """Y = mean over t."""

    def forward(self, x: Tensor) -> Tensor:
        """Average."""
        return x.mean(0)


VARIANTS: Mapping[str, Variant] = {
    "released": Variant(
        SpikingAttentionBlock,
        lambda shape: nn.Sequential(MeanOverTime(), FeatureRefinement(shape.width)),
    ),
    "paper": Variant(
        SerialAttentionBlock,
        lambda shape: nn.Sequential(TimeSpaceFusion(shape.steps), MeanOverTime()),
    ),
}


class SpikeSR(nn.Module):
    """Images [B, C, h, w] in [0, 1] -> [B, C, scale h, scale w].

    F₀ = 3 x 3 conv of x at every step; F = groups(F₀); out = PixelShuffle(3 x 3 conv(fusion(F +
    F₀))).  ``released`` takes the mean over time and refines it, ``paper`` weighs steps and pixels
    before the mean.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, variant = shape, VARIANTS[shape.variant]
        c, pixels = shape.channels, shape.channels * shape.scale**2
        self.encoder = Direct(shape.steps)
        self.head = Stepwise(nn.Conv2d(c, shape.width, 3, padding=1, bias=False))
        self.groups = nn.Sequential(*(Group(shape, variant.block) for _ in range(shape.groups)))
        self.fusion = variant.fusion(shape) if shape.fusion else MeanOverTime()
        last = nn.Conv2d(shape.width, pixels, 3, padding=1)
        if shape.bicubic:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]  # it has one
        self.tail = nn.Sequential(last, nn.PixelShuffle(shape.scale))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge."""
        x = self.checked(x)
        first: Tensor = self.head(self.encoder(x))
        y: Tensor = self.groups(first)
        y = self.tail(self.fusion(y + first if self.shape.shortcut else y))
        return y + bicubic(x, self.shape.scale) if self.shape.bicubic else y

    def resized(self, size: tuple[int, int]) -> SpikeSR:
        """Give the network with the same weights for images of another size."""
        with torch.random.fork_rng(devices=[]):
            other = SpikeSR(replace(self.shape, size=size))
        other.load_state_dict(self.state_dict())
        return other.to(next(self.parameters())).train(self.training)

    def checked(self, x: Tensor) -> Tensor:
        """Refuse images of other sizes and channels; take bytes as shares of 255."""
        height, width = self.shape.size
        channels = self.shape.channels
        if x.dim() != 4 or tuple(x.shape[1:]) != (channels, height, width):
            raise DataError(
                f"images of shape {list(x.shape)}",
                expected=f"[images, {channels}, {height}, {width}]",
                remedy=_remedy(x, channels),
            )
        return x if x.is_floating_point() else x.to(next(self.parameters()).dtype) / 255


def bicubic(x: Tensor, scale: int) -> Tensor:
    """Enlarge by cubic interpolation."""
    size = (int(x.shape[-2]) * scale, int(x.shape[-1]) * scale)
    return F.interpolate(x, size, mode="bicubic", align_corners=False)


def _remedy(x: Tensor, channels: int) -> str:
    """Say what makes images fit."""
    if x.dim() != 4:
        return "give a batch: of one image, x[None]"
    found = int(x.shape[1])
    if found == channels:
        return "crop them, apply it to tiles (spikec.nn.tiled), or take model.resized(size)"
    return _CHANNELS.get(found, f"choose {channels} channels")


def _sum(modules: nn.ModuleList, x: Tensor) -> Tensor:
    first, *others = modules
    y: Tensor = first(x)
    for one in others:
        y = y + one(x)
    return y


def _check(fine: bool, what: str, expected: str) -> None:
    if not fine:
        raise UsageError(what, expected=expected)


def spikesr(*, size: tuple[int, int] = (160, 160), **options: Any) -> SpikeSR:
    """Build SpikeSR; options are those of :class:`Shape`.

    The defaults have 3,084,580 parameters, of which 840,112 never run (``dead=False``).
    """
    return SpikeSR(Shape(size=check_sides(size, "images of size {}"), **options))


SMALL: Mapping[str, Any] = {"width": 40, "qk": 24, "mlp": 72}
spikesr_s: Callable[..., SpikeSR] = partial(spikesr, **SMALL)
"""SpikeSR-S: 40 channels, 1,329,919 parameters"""
NETWORKS: Mapping[str, Callable[..., SpikeSR]] = {"spikesr": spikesr, "spikesr_s": spikesr_s}
