"""The Haar wavelet over one axis or several, and its exact inverse; no neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikec.errors import DataError, UsageError
from spikec.nn.checks import check_whole
from spikec.nn.sequence import haar, haar_inverse


@dataclass(frozen=True)
class Wavelet:
    """What a transform gives; level 1 first."""

    low: Tensor
    """what is low along all axes, of the last level"""
    high: tuple[tuple[Tensor, ...], ...]
    """per level, 2^axes - 1 bands: bit a of a band's number, counted from 1, tells of axis a"""
    axes: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...]
    """per level, the lengths of its axes, which may be odd"""


def wavelet(x: Tensor, axes: Sequence[int], levels: int = 1) -> Wavelet:
    """Split x along all axes, then what is low again, ``levels`` times.

    low[i] = (x[2i] + x[2i+1]) / √2, high[i] = (x[2i] - x[2i+1]) / √2; an odd axis repeats its last
    element.  Orthonormal where all lengths are even: the sum of squares stays.
    """
    chosen = _checked_axes(x, axes)
    check_levels(levels)
    high: list[tuple[Tensor, ...]] = []
    sizes: list[tuple[int, ...]] = []
    for _ in range(levels):
        sizes.append(tuple(x.shape[axis] for axis in chosen))
        bands = [x]
        for axis in chosen:
            lows, highs = zip(*(haar(band, axis) for band in bands), strict=True)
            bands = [*lows, *highs]
        x, rest = bands[0], bands[1:]
        high.append(tuple(rest))
    return Wavelet(x, tuple(high), chosen, tuple(sizes))


def wavelet_inverse(parts: Wavelet) -> Tensor:
    """Put x together again: x[2i] = (low + high) / √2, x[2i+1] = (low - high) / √2."""
    x = parts.low
    for high, lengths in zip(reversed(parts.high), reversed(parts.sizes), strict=True):
        bands = [x, *high]
        for axis, length in zip(reversed(parts.axes), reversed(lengths), strict=True):
            half = len(bands) // 2
            pairs = zip(bands[:half], bands[half:], strict=True)
            bands = [joined(low, top, axis, length) for low, top in pairs]
        (x,) = bands
    return x


def joined(low: Tensor, high: Tensor, axis: int, length: int) -> Tensor:
    """Join both halves of an axis that was ``length`` long."""
    x: Tensor = haar_inverse(low, high, axis)
    return x.narrow(axis, 0, length) if length % 2 else x


def stacked(x: Tensor, axis: int, channel_axis: int = 2) -> Tensor:
    """Split an axis; low and high side by side in the channels: [T, B, C, ...] -> 2 C channels."""
    return torch.cat(haar(x, axis), channel_axis)


def unstacked(x: Tensor, axis: int, length: int, channel_axis: int = 2) -> Tensor:
    """Join what :func:`stacked` gave of an axis of ``length``; 0: an even one, whatever it is."""
    low, high = x.chunk(2, channel_axis)
    return joined(low, high, axis, length)


def check_levels(levels: object) -> int:
    """Refuse what is no number of levels."""
    return check_whole(levels, "{} levels")


def _checked_axes(x: Tensor, axes: Sequence[int]) -> tuple[int, ...]:
    rank = x.dim()
    if not x.is_floating_point():
        raise DataError(f"a wavelet of {x.dtype}", expected="floats")
    wrong = [axis for axis in axes if not -rank <= axis < rank]
    chosen = tuple(axis % rank for axis in axes if not -rank > axis)
    if wrong or not chosen or len(set(chosen)) != len(chosen):
        raise UsageError(
            f"axes {list(axes)} of a tensor of {rank}",
            expected=f"different axes from {-rank} to {rank - 1}, at least one",
        )
    return chosen
