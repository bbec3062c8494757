"""The spiking wavelet mixer of Spikinghash (arXiv 2501.06786): frequencies of a clip, mixed."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.nn.clock import check_multiple, check_steps
from spikec.nn.hard_lif import TAU, HardLIF
from spikec.nn.layers import TdBatchNorm
from spikec.nn.sequence import StepWeights
from spikec.nn.wavelets import check_levels, stacked, unstacked

AXES = {3: (0, 3, 4), 2: (3, 4)}
"""of [T, B, C, h, w] that are transformed, in their order"""
TIME = 0


class WaveMixer(nn.Module):
    """Haar forward with neurons, weights per frequency, channels mixed in groups, Haar back.

    A level is L, H = DWT_w(SN(DWT_h(SN(DWT_t(SN(x)))))), batch normalisation behind each of the
    three; the next level takes L.  Then L' = SN(L) ∘ W, with one weight per step, channel and
    place, and per level H' = SN(H) ∘ W, with one per band, step and place;
    H''[k] = Σ_d SN(H')[d] W[d, k] in each of ``groups`` groups of channels.  The inverse of
    L' and all H'', batch normalisation behind it, has the shape of x.

    ``dims=2`` leaves time alone: 3 bands in the place of 7, and weights that are the same at all
    steps.  Sizes may be odd; steps have to be a multiple of 2^levels.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        steps: int,
        *,
        levels: int = 2,
        dims: int = 3,
        groups: int = 4,
        threshold: float = 1.0,
        tau: float = TAU,
    ) -> None:
        super().__init__()
        check(channels, size, steps, levels, dims, groups)
        self.axes = AXES[dims]
        self.steps_multiple = 2**levels if dims == 3 else 1
        neuron = (threshold, tau)
        self.sizes: list[tuple[int, int]] = []
        self.splits, self.mixers = nn.ModuleList(), nn.ModuleList()
        count = steps if dims == 3 else 1
        for _ in range(levels):
            self.sizes.append(size)
            count, size = max(1, count // 2), (-(-size[0] // 2), -(-size[1] // 2))
            self.splits.append(_Split(channels, self.axes, neuron))
            self.mixers.append(_HighMixer(channels, self.axes, (count, size), groups, neuron))
        self.channels = channels
        self.low = HardLIF(*neuron)
        self.low_weights = StepWeights(count, (channels, *size))
        self.norm = TdBatchNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix [T, B, C, h, w]; the result is a current."""
        wanted = (self.channels, *self.sizes[0])
        if x.dim() != 5 or tuple(x.shape[2:]) != wanted:
            raise DataError(
                f"an input of shape {list(x.shape)}",
                expected=f"[steps, samples, {', '.join(map(str, wanted))}]",
            )
        check_multiple(x.shape[0], self.steps_multiple)
        highs: list[Tensor] = []
        for split, mixer in zip(self.splits, self.mixers, strict=True):
            bands = split(x)
            rest = bands.shape[2] - self.channels
            x = bands.narrow(2, 0, self.channels)
            highs.append(mixer(bands.narrow(2, self.channels, rest)))
        x = self.low_weights(self.low(x))
        for high, size in zip(reversed(highs), reversed(self.sizes), strict=True):
            x = self._back(torch.cat([x, high], 2), size)
        return self.norm(x)  # type: ignore[no-any-return]

    def _back(self, bands: Tensor, size: tuple[int, int]) -> Tensor:
        """Undo one level, whose axes were so long."""
        lengths = dict(zip((3, 4), size, strict=True))
        for axis in reversed(self.axes):
            bands = unstacked(bands, axis, lengths.get(axis, 0))
        return bands

    def extra_repr(self) -> str:
        return f"channels={self.channels}, sizes={self.sizes}, axes={self.axes}"


class _Split(nn.Module):
    """One level forward: [T, B, C, h, w] -> all bands side by side in the channels, low first."""

    def __init__(self, channels: int, axes: tuple[int, ...], neuron: tuple[float, float]) -> None:
        super().__init__()
        self.axes = axes
        self.neurons = nn.ModuleList(HardLIF(*neuron) for _ in axes)
        self.norms = nn.ModuleList(TdBatchNorm(channels * 2 ** (1 + i)) for i in range(len(axes)))

    def forward(self, x: Tensor) -> Tensor:
        """Fire, split, normalise, once per axis."""
        for axis, neuron, norm in zip(self.axes, self.neurons, self.norms, strict=True):
            x = norm(stacked(neuron(x), axis))
        return x


class _HighMixer(nn.Module):
    """H'' = SN(SN(H) ∘ W) times a matrix per group of channels, the same for all bands."""

    def __init__(
        self,
        channels: int,
        axes: tuple[int, ...],
        place: tuple[int, tuple[int, int]],
        groups: int,
        neuron: tuple[float, float],
    ) -> None:
        super().__init__()
        steps, size = place
        self.bands, self.channels, self.groups = 2 ** len(axes) - 1, channels, groups
        self.first, self.second = HardLIF(*neuron), HardLIF(*neuron)
        self.weights = StepWeights(steps, (self.bands, 1, *size))
        threshold, tau = neuron
        with torch.no_grad():
            self.weights.weight.fill_(tau * threshold)  # the second neuron passes on every spike
        self.mixing = nn.Conv2d(channels, channels, 1, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix [T, B, bands C, h, w]."""
        spikes = self.first(x).unflatten(2, (self.bands, self.channels))
        spikes = self.second(self.weights(spikes).flatten(2, 3))
        kernels = self.mixing.weight.repeat(self.bands, 1, 1, 1)
        mixed = F.conv2d(spikes.flatten(0, 1), kernels, groups=self.bands * self.groups)
        return mixed.reshape(x.shape)


def check(
    channels: int, size: tuple[int, int], steps: int, levels: int, dims: int, groups: int
) -> None:
    """Refuse what no wavelet of so many levels fits."""
    if dims not in AXES:
        raise UsageError(f"a wavelet of {dims!r} dimensions", expected="3, or 2: without time")
    check_steps(steps)
    check_levels(levels)
    if groups < 1 or channels < 1 or channels % groups:
        raise UsageError(
            f"{channels} channels in {groups} groups", expected="a multiple of the groups"
        )
    multiple = 2**levels
    if dims == 3 and steps % multiple:
        raise UsageError(
            f"{steps} steps",
            expected=f"a multiple of {multiple}: {multiple} steps at least, for {levels} levels",
            remedy=f"take {-(-steps // multiple) * multiple} steps, fewer levels, or no wavelet "
            "over time",
        )
    if min(size) <= 2 ** (levels - 1):
        raise UsageError(
            f"a wavelet of {levels} levels on {size[0]} x {size[1]} places",
            expected=f"more than {2 ** (levels - 1)} a side",
            remedy="take fewer levels, or larger images",
        )
