"""Training of networks that enlarge images: mean absolute error, on crops that are turned.

Samples are equal-sized images: ``x`` [N, C, h, w] and ``target`` [N, C, s h, s w].  Which crop of
each is learned from, and how it is turned, is a function of the draw alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.training.module import ModuleTask
from spikec.training.objective import Samples
from spikec.training.options import FitOptions

INPUT, TARGET = "x", "target"
BEST_ERROR = 1e-10
"""mean squared error beyond which PSNR is not told apart (100 dB)"""


@dataclass(frozen=True)
class Views:
    """How crops are taken from samples: ``crop`` pixels a side of the small images, or all."""

    scale: int
    crop: int | None = None
    turned: bool = True
    """mirror both axes at random; both together are half a turn"""

    def __post_init__(self) -> None:
        if self.crop is not None and self.crop < 1:
            raise UsageError(f"crops of {self.crop} pixels", expected="1 or more, or None: all")

    def check(self, x: Tensor, target: Tensor) -> None:
        """Refuse samples that do not belong together."""
        wanted = (*x.shape[:2], *(n * self.scale for n in x.shape[2:]))
        if x.dim() != 4 or tuple(target.shape) != wanted:
            raise DataError(
                f"images {list(x.shape)} with targets {list(target.shape)}",
                expected=f"targets {self.scale} times as high and wide",
            )
        if self.crop is not None and self.crop > min(x.shape[2:]):
            raise UsageError(
                f"crops of {self.crop} pixels from images of {x.shape[2]} x {x.shape[3]}",
                expected=f"{min(x.shape[2:])} at most",
            )

    def __call__(self, x: Tensor, target: Tensor, draw: int | None) -> tuple[Tensor, Tensor]:
        """Take crops; without a draw those in the middle, as they are."""
        self.check(x, target)
        crop = x.shape[2:] if self.crop is None else (self.crop, self.crop)
        room = [size - part for size, part in zip(x.shape[2:], crop, strict=True)]
        count = len(x)
        if draw is None:
            corners = [torch.full((count,), free // 2) for free in room]
        else:
            random = torch.Generator().manual_seed(draw)
            corners = [torch.randint(free + 1, (count,), generator=random) for free in room]
        pair = [
            cut(image, [corner * s for corner in corners], [part * s for part in crop])
            for image, s in ((x, 1), (target, self.scale))
        ]
        if draw is not None and self.turned:
            for axis in (-1, -2):
                mirrored = torch.rand((count, 1, 1, 1), generator=random).to(x.device) < 0.5
                pair = [torch.where(mirrored, image.flip(axis), image) for image in pair]
        return pair[0], pair[1]


def cut(x: Tensor, corners: list[Tensor], sizes: list[int]) -> Tensor:
    """Give the window of each image whose first row and column are its own: [N, C, h, w].

    >>> cut(torch.arange(16.0).reshape(1, 1, 4, 4), [torch.tensor([1]), torch.tensor([2])], [2, 2])
    tensor([[[[ 6.,  7.],
              [10., 11.]]]])
    """
    rows, columns = (
        (corner[:, None] + torch.arange(size)).to(x.device)
        for corner, size in zip(corners, sizes, strict=True)
    )
    images = torch.arange(len(x), device=x.device)[:, None, None]
    found = x[images, :, rows[:, :, None], columns[:, None, :]]  # [N, h, w, C]
    return found.permute(0, 3, 1, 2)


def decibels(images: Tensor, target: Tensor, peak: float = 1.0) -> Tensor:
    """PSNR = 10 log10(peak² / mean (x - y)²) of each image, clipped to 0..peak; at most 100 dB."""
    error = (images.detach().clamp(0, peak) - target).square().flatten(1).mean(1)
    return 10 * torch.log10(peak**2 / error.clamp(min=BEST_ERROR * peak**2))


class SuperResolutionTask(ModuleTask):
    """A network that enlarges images, learned by the mean of |y - target|."""

    def __init__(self, model: nn.Module, options: FitOptions, device: str, views: Views) -> None:
        super().__init__(model, options, device)
        self.views = views

    def loss(self, batch: Samples, draw: int | None) -> tuple[Tensor, float]:
        """Give the mean loss, and the sum of the images' PSNR."""
        self.model.train(draw is not None)
        if draw is not None:
            torch.manual_seed(draw)  # the choice of patches draws from it
        x, target = self.views(batch.inputs[INPUT], batch.inputs[TARGET], draw)
        with self._precision():
            found = self.model(x).float()
        if found.shape != target.shape:
            raise UsageError(
                f"the module gives {list(found.shape)}", expected=f"{list(target.shape)}"
            )
        return F.l1_loss(found, target), float(decibels(found, target).sum())
