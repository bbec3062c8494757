"""Images as overlapping square patches, and patches as an image again."""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
from torch import Tensor, nn

from spikec.errors import DataError, UsageError


class Patches(nn.Module):
    """[N, C, H, W] as patches [N, n, C, p, p], and back by the mean of all patches on a pixel.

    Patches of ``patch`` pixels begin every ``stride`` pixels; the last one of a row or column is
    shifted inwards, so that it ends with the image.  Splitting is a choice of constant places, and
    so is pasting: y[r] = Σ_k w_k[r] x[place_k[r]] along the rows, then along the columns, with
    w_k[r] = 1 / (patches on r) for each patch on r and 0 beyond.
    """

    rows: Tensor
    columns: Tensor
    row_places: Tensor
    row_weights: Tensor
    column_places: Tensor
    column_weights: Tensor

    def __init__(self, size: tuple[int, int], patch: int, stride: int | None = None) -> None:
        super().__init__()
        self.size, self.patch = size, patch
        self.stride = patch if stride is None else stride
        if patch < 1 or not 1 <= self.stride <= patch:
            raise UsageError(
                f"patches of {patch} pixels every {self.stride} pixels",
                expected=f"a stride from 1 to {max(1, patch)}, the size of a patch",
            )
        if min(size) < patch:
            raise UsageError(
                f"an image of {size[0]} x {size[1]} is smaller than a patch of {patch} x {patch}",
                expected=f"{patch} pixels or more a side",
                remedy=f"enlarge or pad the images, or take patches of {min(size)} pixels",
            )
        for name, pixels in zip(("row", "column"), size, strict=True):
            places = windows(pixels, patch, self.stride)
            self._hold(f"{name}s", places)
            found, weights = covers(pixels, places)
            self._hold(f"{name}_places", found)
            self._hold(f"{name}_weights", weights)
        self.grid = (len(self.rows), len(self.columns))

    def _hold(self, name: str, tensor: Tensor) -> None:
        self.register_buffer(name, tensor, persistent=False)

    @property
    def count(self) -> int:
        """How many patches an image has."""
        return self.grid[0] * self.grid[1]

    def split(self, x: Tensor) -> Tensor:
        """Give the patches [N, n, C, p, p], row by row."""
        if tuple(x.shape[-2:]) != self.size:
            raise DataError(
                f"an image of {x.shape[-2]} x {x.shape[-1]}",
                expected=f"{self.size[0]} x {self.size[1]}, as the patches were laid out for",
            )
        cut = x[:, :, self.rows][..., self.columns]  # [N, C, rows, p, columns, p]
        return cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)

    def paste(self, patches: Tensor) -> Tensor:
        """Give the image [N, C, H, W]: the mean of all patches that lie on a pixel."""
        grid = patches.reshape(patches.shape[0], *self.grid, *patches.shape[2:])
        laid = grid.permute(0, 3, 1, 4, 2, 5)
        laid = laid.flatten(2, 3).flatten(3, 4)  # all rows of pixels, all columns
        tall = gathered(laid, self.row_places, self.row_weights, -2)
        return gathered(tall, self.column_places, self.column_weights, -1)

    def forward(self, x: Tensor) -> Tensor:
        """Split."""
        return self.split(x)

    def extra_repr(self) -> str:
        return f"size={self.size}, patch={self.patch}, stride={self.stride}"


def windows(size: int, patch: int, stride: int) -> Tensor:
    """Give the places of each patch along an axis, [patches, patch]; the last one ends with it.

    >>> windows(7, 3, 2).tolist(), windows(6, 3, 2).tolist()
    ([[0, 1, 2], [2, 3, 4], [4, 5, 6]], [[0, 1, 2], [2, 3, 4], [3, 4, 5]])
    """
    starts = torch.tensor([*range(0, size - patch, stride), size - patch])
    return starts[:, None] + torch.arange(patch)


def covers(size: int, places: Tensor) -> tuple[Tensor, Tensor]:
    """Say which elements of all patches in a row lie on each pixel, [covers, size], with weights.

    Pixels on which fewer patches lie than on others repeat their first element at weight 0.

    >>> covers(4, torch.tensor([[0, 1, 2], [1, 2, 3]]))[1].tolist()
    [[1.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 0.0]]
    """
    pixels, order = places.flatten().sort(stable=True)
    counts = torch.bincount(pixels, minlength=size)
    first = counts.cumsum(0) - counts
    layer = torch.arange(int(counts.max()))[:, None]
    there = layer < counts
    found = order[torch.where(there, first + layer, first)]
    return found, there / counts


def gathered(x: Tensor, places: Tensor, weights: Tensor, axis: int) -> Tensor:
    """y[r] = Σ_k weights[k, r] x[places[k, r]] along an axis counted from the end."""
    if len(places) == 1:  # every pixel in one patch
        return x.index_select(axis, places[0])
    shaped = weights.to(x.dtype).reshape(len(weights), -1, *(1,) * (-1 - axis))
    pairs = zip(places.unbind(), shaped.unbind(), strict=True)
    return reduce(add, (x.index_select(axis, place) * weight for place, weight in pairs))
