"""Spikinghash (arXiv 2501.06786): wavelets in the first stages, attention in the last ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

import torch
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.nn.attention import SpikingAttention, SpikingMlp
from spikec.nn.checks import check_sides, check_whole
from spikec.nn.clock import check_multiple, check_steps, steps_multiple
from spikec.nn.encoders import Direct
from spikec.nn.hard_lif import HardLIF
from spikec.nn.hashing import HashLayer
from spikec.nn.layers import Stepwise
from spikec.nn.mixers import WaveMixer
from spikec.pipeline import suggestion

STAGES = 4
WAVE_STAGES = 2
"""the first ones; attention is in the rest"""
HEAD_WIDTH = 32
"""channels per head where nobody says how many heads"""
POLARITIES = 2
MIXERS: Mapping[str, int | None] = {"3d": 3, "2d": 2, "attention": None}
"""what the first stages mix by: axes of the wavelet"""


class Rule(TypedDict):
    """How neurons behave."""

    threshold: float
    tau: float


@dataclass(frozen=True)
class Plan:
    """One size of Table I."""

    dims: tuple[int, ...]
    """channels of each stage"""
    pools: tuple[bool, ...]
    """whether a stage begins by a pool"""
    blocks: tuple[bool, ...] = (True,) * STAGES
    """whether a stage has a block, behind its convolution"""

    @property
    def stem(self) -> int:
        """Channels of the first convolution."""
        return max(1, self.dims[0] // 2)


_LATE, _ALL = (False, False, True, True), (True,) * STAGES
PLANS: Mapping[str, Plan] = {
    # The channels of ti's stages 1 and 3 are not printed: 64 and 256 are assumed.
    "ti": Plan((64, 128, 256, 256), _ALL, (False, True, False, True)),
    "s": Plan((96, 192, 192, 384), _LATE),
    "m": Plan((96, 192, 384, 384), _LATE),
    "l": Plan((128, 256, 384, 512), _ALL),
    "xl": Plan((128, 256, 512, 512), _ALL),
}


@dataclass(frozen=True)
class Options:
    """What a network reads and gives, and how its neurons behave."""

    size: tuple[int, int]
    """of the images"""
    channels: int = 3
    steps: int = 4
    classes: int = 10
    bits: int | None = None
    """of the codes; none: class scores alone"""
    heads: int | None = None
    """of attention; if left out, one per 32 channels, or the next number below that fits"""
    tau: float = 2.0
    threshold: float = 1.0
    attention_threshold: float = 0.5
    mixer: str = "3d"
    """of the first two stages: 3d, 2d (no wavelet over time) or attention"""
    levels: int = 2
    groups: int = 4
    recordings: bool = False
    """whether it reads [T, B, channels, H, W] in the place of images [B, channels, H, W]"""
    extra_pool: bool = False
    """one more behind the first convolution, for large images"""

    def __post_init__(self) -> None:
        check_steps(self.steps)
        if self.mixer not in MIXERS:
            raise UsageError(
                f"no mixer is called {self.mixer!r}",
                expected=", ".join(MIXERS),
                remedy=suggestion(self.mixer, MIXERS),
            )
        for name in ("channels", "classes"):
            check_whole(getattr(self, name), f"{{}} {name}")

    @property
    def neuron(self) -> Rule:
        """Give what all neurons share but those of attention."""
        return {"threshold": self.threshold, "tau": self.tau}

    def heads_of(self, channels: int) -> int:
        """Give the heads of a stage of so many channels."""
        if self.heads is not None:
            return self.heads
        return next(n for n in range(max(1, channels // HEAD_WIDTH), 0, -1) if channels % n == 0)


class Block(nn.Module):
    """x ← x + mixer(x); x ← x + MLP(x)."""

    def __init__(self, mixer: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.mixer, self.mlp = mixer, mlp

    def forward(self, x: Tensor) -> Tensor:
        """Add both."""
        x = x + self.mixer(x)
        return x + self.mlp(x)  # type: ignore[no-any-return]


class Spikinghash(nn.Module):
    """Convolution, four stages SN-convolution(-pool)-block, the mean over places f[t], a head.

    Without ``bits`` it gives class scores W (1/T Σ_t f[t]) + b, [B, classes]; with them ``codes``
    ∧_t SN(W f[t] + b), [B, bits], and ``scores`` of classes, W code + b.
    """

    def __init__(self, plan: Plan, options: Options) -> None:
        super().__init__()
        self.options = options
        self.encoder = nn.Identity() if options.recordings else Direct(options.steps)
        size, pool = options.size, options.extra_pool
        self.stem = Stepwise(*_convolution(options.channels, plan.stem, pool))
        size = _pooled(size, pool, options)
        stages: list[nn.Module] = []
        before = plan.stem
        for index, (wide, pool) in enumerate(zip(plan.dims, plan.pools, strict=True)):
            size = _pooled(size, pool, options)
            stages.append(HardLIF(options.threshold, options.tau))
            stages.append(Stepwise(*_convolution(before, wide, pool)))
            if plan.blocks[index]:
                stages.append(_block(index, wide, size, options))
            before = wide
        self.stages = nn.Sequential(*stages)
        bits, rule = options.bits, options.neuron
        self.hash = None if bits is None else HashLayer(before, bits, **rule)
        self.head = nn.Linear(before if bits is None else bits, options.classes)
        self.multiple = steps_multiple(self)

    def features(self, x: Tensor) -> Tensor:
        """Give f: the mean over places, [T, B, C]."""
        self._check(x)
        return self.stages(self.stem(self.encoder(x))).mean((-2, -1))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        """Give class scores; where it makes codes, these too, by name."""
        features = self.features(x)
        if self.hash is None:
            return self.head(features.mean(0))  # type: ignore[no-any-return]
        codes = self.hash(features)
        return {"scores": self.head(codes), "codes": codes}

    def codes(self, x: Tensor) -> Tensor:
        """Give the codes alone, [B, bits]."""
        return self._hash()(self.features(x))  # type: ignore[no-any-return]

    def hash_and_scores(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give codes, class scores, and the mean potentials behind the codes, for training."""
        codes, potentials = self._hash().with_potentials(self.features(x))
        return codes, self.head(codes), potentials

    def extra_repr(self) -> str:
        return str(self.options)

    def _hash(self) -> HashLayer:
        if self.hash is None:
            raise UsageError("a network without codes", remedy="build it with bits=64, say")
        return self.hash

    def _check(self, x: Tensor) -> None:
        """Refuse other images; an exported program has its shapes fixed."""
        if torch.compiler.is_compiling():
            return
        options, rank = self.options, 5 if self.options.recordings else 4
        wanted = [options.channels, *options.size]
        fits = x.dim() == rank and list(x.shape[-3:]) == wanted
        lead = "steps, samples" if options.recordings else "samples"
        if not fits:
            raise DataError(
                f"input of shape {list(x.shape)}",
                expected=f"[{lead}, {', '.join(str(n) for n in wanted)}]",
            )
        if options.recordings:
            check_multiple(x.shape[0], self.multiple)


def _convolution(channels: int, wide: int, pool: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(channels, wide, 3, padding=1, bias=False),
        nn.BatchNorm2d(wide),
    ]
    return [*layers, nn.MaxPool2d(3, 2, 1)] if pool else layers


def _pooled(size: tuple[int, int], pool: bool, options: Options) -> tuple[int, int]:
    if pool and min(size) < 2:
        raise UsageError(
            f"images of {options.size[0]} x {options.size[1]}",
            expected="more than one place where a stage halves them",
            remedy="enlarge the images, or take a network with fewer pools",
        )
    return (-(-size[0] // 2), -(-size[1] // 2)) if pool else size


def _block(index: int, channels: int, size: tuple[int, int], options: Options) -> Block:
    """Give the block of a stage: wavelets in the first two, attention behind them."""
    rule = options.neuron
    dims = MIXERS[options.mixer] if index < WAVE_STAGES else None
    if dims is None:
        mixer: nn.Module = SpikingAttention(
            channels,
            options.heads_of(channels),
            attention_threshold=options.attention_threshold,
            **rule,
        )
    else:
        levels, groups = options.levels, options.groups
        wave = partial(WaveMixer, levels=levels, dims=dims, groups=groups)
        mixer = wave(channels, size, options.steps, **rule)
    return Block(mixer, SpikingMlp(channels, **rule))


def spikinghash(
    name: str,
    *,
    size: tuple[int, int],
    dims: Sequence[int] | None = None,
    seed: int = 0,
    recordings: bool = False,
    **options: object,
) -> Spikinghash:
    """Build a network of a size of Table I; ``dims`` are channels of its stages, for small data.

    ``options`` are those of :class:`Options`.
    """
    if name not in PLANS:
        raise UsageError(
            f"no size is called {name!r}",
            expected=", ".join(PLANS),
            remedy=suggestion(name, PLANS),
        )
    plan = PLANS[name]
    if dims is not None:
        plan = Plan(_checked(dims), plan.pools, plan.blocks)
    if recordings:
        options = {"channels": POLARITIES, **options}
    chosen = Options(check_sides(size, "images of size {}"), recordings=recordings, **options)  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Spikinghash(plan, chosen)


def _checked(dims: Sequence[int]) -> tuple[int, ...]:
    found = tuple(dims)
    if len(found) != STAGES or not all(isinstance(n, int) and n >= 1 for n in found):
        raise UsageError(f"dims {list(found)}", expected=f"channels of {STAGES} stages")
    return found


SPIKINGHASH: Mapping[str, Callable[..., nn.Module]] = {
    f"spikinghash_{name}": partial(spikinghash, name) for name in PLANS
}
"""networks by name"""
