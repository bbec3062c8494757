"""The three steps of DCT-SNN: an analog network, its weights in a spiking one, fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import spikec
from examples._progress import Bars, silent
from examples.dct_snn.images import Images
from spikec.nn.checks import check_whole
from spikec.training.finetune import checked_device
from spikec.training.options import read_options
from spikec.zoo import copy_weights

CALIBRATION = 512
"""samples that set the encoder's and the neurons' thresholds"""
ANALOG, SPIKING = "analog.checkpoint", "spiking.checkpoint"
"""where both trainings stand"""


@dataclass(frozen=True)
class Settings:
    """What is made."""

    network: str = "dct_vgg5"
    steps: int = 16
    code: str = "dct"
    block: int = 4
    stride: int | None = None
    width: float = 1.0
    delay: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    """of the encoder: frequencies, order"""
    ann_epochs: int = 30
    ann_rate: float = 0.02
    epochs: int = 20
    rate: float = 1e-4
    """Adam's; in the authors' code 1e-4, halved every 5 epochs, weight decay 5e-4.

    With the code ``dct``, weights learn at about half of it: see ``_magnitude``.
    """
    readout: str = "sum"
    """sum or mean of what the output gets; the softmax of a sum of many steps saturates"""
    dropout: float = 0.2
    """share of the hidden neurons that fine-tuning leaves out"""
    batch: int = 32
    seed: int = 0
    resume: bool = False
    device: str = "cpu"

    def build(self, images: Images, steps: int | None) -> Any:
        """Build the spiking network, or without steps the analog one."""
        common = {
            "size": images.size,
            "channels": images.channels,
            "classes": images.classes,
            "width": self.width,
            "block": self.block,
            "stride": self.stride,
        }
        if steps is None:
            return spikec.zoo.build(self.network, **common, seed=self.seed)
        more = {"code": self.code, "delay": self.delay, "readout": self.readout, **self.options}
        return spikec.zoo.build(self.network, **common, steps=steps, **more)

    @property
    def tuning(self) -> dict[str, Any]:
        """Options of fine-tuning; ``finetune`` takes the rate in other units."""
        return {
            "epochs": self.epochs,
            "batch": self.batch,
            "rate": self.rate,
            "schedule": "constant",
            "halve_every": 5,
            "weight_decay": 5e-4,
            "surrogate": "triangle{gamma=0.3}",
            "learn": ("weights",),
            "distill": 0.0,
            "features": 0.0,
            "dropout": self.dropout,
            "seed": self.seed,
        }

    def check(self, images: Images) -> None:
        """Refuse, before anything is learned, what one of the three steps would refuse."""
        check_whole(self.ann_epochs, "ann_epochs={}")
        checked_device(self.device)
        read_options(self.tuning)
        self.calibrated(images)

    def calibrated(self, images: Images) -> Any:
        """Build the spiking network; images set the encoder's thresholds."""
        spiking = self.build(images, self.steps)
        spiking.calibrate(torch.from_numpy(images.train[0][:CALIBRATION]))
        return spiking

    def kept(self, folder: Path | None, name: str) -> dict[str, Any]:
        """Say where a training keeps its standing, and whether it goes on from there."""
        path = None if folder is None else folder / name
        resume = self.resume and path is not None and path.exists()
        return {"device": self.device, "checkpoint": path, "resume": resume}


def trained_analog(
    settings: Settings, images: Images, folder: Path | None = None, progress: Bars = silent
) -> nn.Module:
    """Train the analog network on images in blocks: SGD, the rate along a cosine."""

    def learned(history: list[dict[str, float]]) -> None:
        """Drop the standing of a fine-tuning: it was that of other weights."""
        if folder is not None:
            (folder / SPIKING).unlink(missing_ok=True)

    model: nn.Module = settings.build(images, None)
    spikec.fit(
        model,
        images.train,
        epochs=settings.ann_epochs,
        batch=settings.batch,
        rate=settings.ann_rate,
        optimiser="sgd",
        weight_decay=1e-4,
        clip=1.0,
        seed=settings.seed,
        on_epoch=learned,
        progress=progress("training the analog network"),
        **settings.kept(folder, ANALOG),
    )
    return model.cpu()


def converted(settings: Settings, images: Images, analog: nn.Module) -> spikec.Program:
    """Copy the weights, calibrate the encoder, balance the thresholds; the analog beside."""
    spiking = settings.calibrated(images)
    copy_weights(analog, spiking)
    x = images.train[0][:CALIBRATION]
    balanced = f"balanced{{samples={CALIBRATION}}}"
    program = spikec.convert(spiking.eval(), x, settings.steps, balanced)
    reference = spikec.import_model(analog.eval(), torch.from_numpy(x[:2]), name=settings.network)
    return replace(program, reference=reference)


def tuned(
    settings: Settings,
    images: Images,
    program: spikec.Program,
    folder: Path | None = None,
    progress: Bars = silent,
    **options: Any,
) -> spikec.Program:
    """Fine-tune through time: cross-entropy of the summed output, the linear surrogate, Adam."""
    return spikec.finetune(
        program,
        images.train,
        progress=progress("fine-tuning the spiking network"),
        **settings.kept(folder, SPIKING),
        **{**settings.tuning, "rate": settings.rate / _magnitude(program), **options},
    )


def _magnitude(program: spikec.Program) -> float:
    """Give the mean magnitude of a weight: ``finetune`` takes rates in units of it.

    The mean is over constant convolutions too, those of the encoder ``dct`` and of colours, whose
    numbers are larger than the learned ones.  Weights then learn at less than the rate that was
    asked for: 0.44 to 0.49 of it in ``dct_mlp``, 0.68 in ``dct_vgg5`` of width 1/4.  It stays so
    because the tables in docs/results.md were made with it.
    """
    weights = [
        node.op.arrays["weight"].data for node in program.graph if "weight" in node.op.arrays
    ]
    return float(np.mean([np.abs(w).mean() for w in weights]))
