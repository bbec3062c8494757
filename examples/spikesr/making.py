"""From pairs of images to a program that enlarges: learn, measure, compile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import spikec
from examples.spikesr.images import Pairs
from spikec.errors import UsageError
from spikec.metrics import psnr, ssim
from spikec.nn.checks import check_whole
from spikec.training.finetune import Hooks, checked_device
from spikec.training.module import fit_task, identity_of
from spikec.training.objective import Samples
from spikec.training.options import FitOptions
from spikec.training.super_resolution import INPUT, TARGET, SuperResolutionTask, Views
from spikec.zoo.spikesr import SMALL, SpikeSR, bicubic, spikesr

TINY: Mapping[str, Any] = {
    "width": 16,
    "groups": 2,
    "blocks": 1,
    "qk": 8,
    "mlp": 24,
    "patch": 8,
    "stride": 8,
    "dead": False,
    "bicubic": True,
}
"""for a processor and minutes: beside the bicubic enlargement, which the paper does not add"""
PRESETS: Mapping[str, Mapping[str, Any]] = {"tiny": TINY, "spikesr_s": SMALL, "spikesr": {}}


@dataclass(frozen=True)
class Settings:
    """What is made."""

    preset: str = "tiny"
    scale: int = 2
    steps: int = 4
    options: dict[str, Any] = field(default_factory=dict)
    """of the network, on top of the preset's"""
    crop: int = 24
    """side of the small images that are learned from"""
    iterations: int = 400
    batch: int = 4
    rate: float = 2e-3
    seed: int = 0
    resume: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, least in {"crop": 1, "iterations": 1, "batch": 1, "seed": 0}.items():
            check_whole(getattr(self, name), f"{name}={{}}", least)
        if self.seed >= 2**63:
            raise UsageError(f"seed={self.seed}", expected="below 2**63")

    def build(self, side: int) -> SpikeSR:
        """Build the network for images of a size."""
        torch.manual_seed(self.seed)
        common = {"size": (side, side), "scale": self.scale, "steps": self.steps}
        return spikesr(**{**PRESETS[self.preset], **common, **self.options})


def trained(
    settings: Settings,
    train: Pairs,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SpikeSR:
    """Learn by the mean absolute error on turned crops: Adam, the rate along a cosine."""
    device = checked_device(settings.device)
    model = settings.build(settings.crop)
    per_epoch = ceil(len(train.small) / settings.batch)
    options = FitOptions(
        epochs=max(1, round(settings.iterations / per_epoch)),
        batch=settings.batch,
        rate=settings.rate,
        validation=0.0,
        seed=settings.seed,
    )
    path = None if folder is None else folder / "training.checkpoint"
    resume = settings.resume and path is not None and path.exists()
    hooks = Hooks(progress, checkpoint=path, resume=resume, device=device)
    views = Views(settings.scale, settings.crop)
    task = SuperResolutionTask(model, options, device, views)
    inputs = {INPUT: torch.from_numpy(train.small), TARGET: torch.from_numpy(train.large)}
    samples = Samples(inputs, None, None)
    built = {**asdict(model.shape), "size": list(model.shape.size)}  # as JSON has it
    identity = {**identity_of(model, samples, options), **built, **asdict(views)}
    fit_task(task, samples, None, options, hooks, identity)
    return model.cpu().eval()


def enlarged(model: SpikeSR, small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply a network to images of one size, a few at a time."""
    whole = model.resized((small.shape[-2], small.shape[-1])).eval()
    with torch.no_grad():
        parts = [whole(part) for part in torch.split(torch.from_numpy(small), 4)]
    return torch.cat(parts).clamp(0, 1).numpy()


def by_bicubic(small: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """Enlarge by cubic interpolation."""
    return bicubic(torch.from_numpy(small), scale).clamp(0, 1).numpy()


def quality(
    found: NDArray[np.float32], large: NDArray[np.float32], border: int
) -> dict[str, float]:
    """Give mean PSNR and SSIM, on RGB and on Y, without the border."""
    return {
        f"{name} {channels}": float(measure(found, large, border=border, on_luma=luma).mean())
        for name, measure in (("psnr", psnr), ("ssim", ssim))
        for channels, luma in (("rgb", False), ("y", True))
    }


def compiled(model: SpikeSR, small: NDArray[np.float32]) -> spikec.Program:
    """Compile a network for images of this size."""
    whole = model.resized((small.shape[-2], small.shape[-1])).eval()
    return spikec.convert(whole, small[:2], model.shape.steps)
