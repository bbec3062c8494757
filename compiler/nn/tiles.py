"""Large images through a network for small ones: overlapping tiles, joined without a seam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikec.errors import DataError, UsageError
from spikec.nn.checks import check_sides, check_whole
from spikec.nn.patches import covers, gathered, windows

Images = TypeVar("Images", Tensor, NDArray[Any])


def tiled(
    run: Callable[[Images], Images],
    x: Images,
    tile: int | tuple[int, int],
    overlap: int = 8,
    scale: int = 1,
    *,
    blend: bool = True,
    batch: int = 8,
) -> Images:
    """Apply ``run`` to tiles of [B, C, H, W]; give [B, C', scale H, scale W].

    Tiles of ``tile`` pixels share ``overlap`` pixels with the next one; the last one of a row or
    column is shifted inwards, so that it ends with the image.  Where tiles overlap, y = Σ_k w_k y_k
    with weights that fall linearly towards a tile's edge, Σ_k w_k = 1; integers are rounded.
    Without ``blend`` the outer half of each overlap is cropped instead: what a network gives whose
    result depends on at most overlap / 2 pixels around is then that of the whole image.

    ``run`` gets ``batch`` tiles at a time, arrays where x is one.  It is the network, or
    ``lambda part: program.run(part).output``.
    """
    if x.ndim != 4:
        raise DataError(f"images of shape {list(x.shape)}", expected="[images, C, H, W]")
    check_whole(batch, "batch={}")
    check_whole(scale, "scale={}")
    check_whole(overlap, "an overlap of {}", least=0)
    sides = check_sides((tile, tile) if isinstance(tile, int) else tile, "tiles of size {}")
    rows, columns = (
        Axis.of(size, side, overlap, scale, blend)
        for size, side in zip(x.shape[-2:], sides, strict=True)
    )
    given = torch.from_numpy(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x
    cut = given[:, :, rows.read.to(given.device)][..., columns.read.to(given.device)]
    cut = cut.permute(0, 2, 4, 1, 3, 5)
    places = cut.shape[:3]
    parts = torch.split(cut.flatten(0, 2), batch)
    done: list[Tensor]
    if isinstance(x, np.ndarray):
        done = [torch.from_numpy(np.ascontiguousarray(run(part.numpy()))) for part in parts]
    else:
        done = [run(part) for part in parts]
    y = _joined(torch.cat(done), places, (rows, columns))
    return y.numpy() if isinstance(x, np.ndarray) else y


def _joined(tiles: Tensor, places: Sequence[int], axes: tuple[Axis, Axis]) -> Tensor:
    """Lay tiles [B n m, C, h, w] side by side, and take each pixel from those on it."""
    wanted = tuple(axis.side for axis in axes)
    if tiles.dim() != 4 or tuple(tiles.shape[-2:]) != wanted:
        raise DataError(
            f"tiles became {list(tiles.shape)}",
            expected=f"[tiles, C, {wanted[0]}, {wanted[1]}]",
            remedy="say by scale how much larger the results are",
        )
    grid = tiles.reshape(*places, *tiles.shape[1:]).permute(0, 3, 1, 4, 2, 5)
    y = grid.flatten(2, 3).flatten(3, 4)
    whole = not y.is_floating_point()
    y = y.double() if whole else y
    for axis, where in zip(axes, (-2, -1), strict=True):
        y = gathered(y, axis.found.to(y.device), axis.weights.to(y.device), where)
    return y.round().to(tiles.dtype) if whole else y


@dataclass(frozen=True)
class Axis:
    """How tiles lie along an axis."""

    read: Tensor
    """[tiles, side]: places in the image"""
    side: int
    """of a result"""
    found: Tensor
    """[covers, size of the result]: places in all results in a row"""
    weights: Tensor
    """alike; the sum over the covers is 1"""

    @staticmethod
    def of(size: int, side: int, overlap: int, scale: int, blend: bool) -> Axis:
        """Lay tiles out."""
        if overlap >= side:
            raise UsageError(
                f"tiles of {side} pixels that share {overlap}", expected=f"0 to {side - 1} pixels"
            )
        if size < side:
            raise DataError(
                f"an image of {size} pixels is smaller than a tile of {side}",
                remedy="pad the image, or build the network for a smaller size",
            )
        read = windows(size, side, side - overlap)
        write = (read[:, :1] * scale) + torch.arange(side * scale)
        found, there = covers(size * scale, write)
        weights = (ramps if blend else halves)(write).flatten()[found] * (there > 0)
        return Axis(read, side * scale, found, weights / weights.sum(0))


def shared(places: Tensor) -> tuple[Tensor, Tensor]:
    """Give how many pixels each tile shares with the one before, and with the one behind."""
    between = places[:-1, -1] + 1 - places[1:, 0]
    none = torch.zeros(1, dtype=between.dtype)
    return torch.cat([none, between]), torch.cat([between, none])


def ramps(places: Tensor) -> Tensor:
    """Weights that rise over what is shared with the tile before, and fall over what is behind.

    >>> ramps(torch.tensor([[0, 1, 2, 3], [2, 3, 4, 5]])).tolist()
    [[1.0, 1.0, 0.75, 0.25], [0.25, 0.75, 1.0, 1.0]]
    """
    before, behind = (part[:, None].double() for part in shared(places))
    inside = torch.arange(places.shape[1]) + 0.5
    rise = torch.where(before > 0, inside / before, 1.0)
    fall = torch.where(behind > 0, (places.shape[1] - inside) / behind, 1.0)
    return rise.clamp(max=1) * fall.clamp(max=1)


def halves(places: Tensor) -> Tensor:
    """Weights of 0 on the outer half of what is shared, 1 inside.

    >>> halves(torch.tensor([[0, 1, 2, 3], [2, 3, 4, 5]])).tolist()
    [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]]
    """
    before, behind = (part[:, None] for part in shared(places))
    inside = torch.arange(places.shape[1])
    end = places.shape[1] - (behind - behind // 2)
    return ((inside >= before // 2) & (inside < end)).double()
