"""The steps of Spikinghash: a network, its training by classes and pairs, codes, a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import spikec
from examples._progress import Bars, silent
from examples.spikinghash.samples import Samples
from spikec.metrics import Codes, Retrieval, pack, retrieval
from spikec.nn.checks import check_whole
from spikec.training.finetune import Hooks, checked_device
from spikec.training.options import FitOptions
from spikec.training.similarity import HashOptions, fit_hash
from spikec.zoo.spikinghash import Spikinghash, spikinghash

BLOCK = 128
"""samples that are looked at together"""
SMALL = HashOptions(
    alpha=0.02,
    beta=1.0,
    code_values="pm1",
    least=0.3,
    offset=1.0,
    first=3,
    every=2,
    last=3,
)
"""for trainings of some ten epochs; those of the paper are HashOptions as they are"""
CLASSES, CODES = "classes", "codes"
"""what is learned"""
Named = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Settings:
    """What is made."""

    network: str = "l"
    """a size of Table I, of which ``dims`` change the channels"""
    dims: tuple[int, ...] | None = (8, 16, 16, 16)
    steps: int = 8
    """of images; recordings have their own"""
    bits: int | None = None
    """of the codes; none: class scores alone"""
    mixer: str = "3d"
    heads: int | None = 4
    tau: float = 2.0
    warm_epochs: int = 16
    """of codes: epochs in which class scores are learned without them, before"""
    epochs: int = 14
    rate: float = 5e-3
    batch: int = 32
    hashing: HashOptions = SMALL
    seed: int = 0
    resume: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_whole(self.seed, "seed={}", least=0)
        check_whole(self.warm_epochs, "warm_epochs={}", least=0)
        checked_device(self.device)
        if self.bits is not None:
            self.hashing.rounds(self.epochs)

    def build(self, samples: Samples) -> Spikinghash:
        """Build the network for samples of this kind."""
        steps = samples.train[0].shape[1] if samples.recordings else self.steps
        return spikinghash(
            self.network,
            size=samples.size,
            channels=samples.channels,
            classes=samples.classes,
            steps=int(steps),
            dims=self.dims,
            bits=self.bits,
            mixer=self.mixer,
            heads=self.heads,
            tau=self.tau,
            recordings=samples.recordings,
            seed=self.seed,
        )

    @property
    def fit(self) -> dict[str, Any]:
        """Options of the training: AdamW, the rate along a cosine."""
        return {
            "epochs": self.epochs,
            "rate": self.rate,
            "batch": self.batch,
            "weight_decay": 1e-4,
            "clip": 1.0,
            "seed": self.seed,
        }


def trained(
    settings: Settings,
    samples: Samples,
    folder: Path | None = None,
    progress: Bars = silent,
    start: Mapping[str, Tensor] | None = None,
) -> tuple[Spikinghash, list[dict[str, float]]]:
    """Train a network; give it, and a record per epoch of all its training.

    Codes are learned from ``start``, weights of a network without them, where it is given or
    ``warm_epochs`` make it.
    """
    before: list[dict[str, float]] = []
    if settings.bits is not None and settings.warm_epochs and start is None:
        plain = replace(settings, bits=None, epochs=settings.warm_epochs)
        first, before = _trained(plain, samples, folder, progress)
        start = first.state_dict()
    model, history = _trained(settings, samples, folder, progress, start)
    if not before:
        return model, history
    done = before[-1]["epoch"]
    return model, [*before, *({**r, "epoch": r["epoch"] + done} for r in history[1:])]


def _trained(
    settings: Settings,
    samples: Samples,
    folder: Path | None,
    progress: Bars,
    start: Mapping[str, Tensor] | None = None,
) -> tuple[Spikinghash, list[dict[str, float]]]:
    model = settings.build(samples)
    if start is not None:
        body = {name: x for name, x in start.items() if not name.startswith("head.")}
        model.load_state_dict(body, strict=False)
    what = CLASSES if settings.bits is None else CODES
    path = None if folder is None else folder / f"{what}.checkpoint"
    hooks: dict[str, Any] = {
        "progress": progress(f"learning {what}"),
        "checkpoint": path,
        "resume": settings.resume and path is not None and path.exists(),
        "device": settings.device,
    }
    told: dict[str, Any] = {"validation": samples.held}
    told["time_axis"] = 0 if samples.recordings else None
    if settings.bits is None:
        history = spikec.fit(model, samples.train, **told, **hooks, **settings.fit)
    else:
        options, known = FitOptions(**settings.fit), Hooks(**hooks)
        history = fit_hash(model, samples.train, options, settings.hashing, known, **told)
    return model.cpu().eval(), history


def numbers(x: NDArray[Any]) -> NDArray[np.float32]:
    """Give samples as networks read them; counts of events are kept as bytes."""
    return np.asarray(x, np.float32)


@torch.no_grad()
def answers(model: Spikinghash, x: NDArray[Any]) -> Named:
    """Give what a network gives of samples, block by block: scores, and codes if it makes any."""
    found: list[Named] = []
    for block in torch.split(torch.from_numpy(numbers(x)), BLOCK):
        given = model(block.movedim(0, 1) if model.options.recordings else block)
        named = given if isinstance(given, dict) else {"scores": given}
        found.append({name: part.numpy() for name, part in named.items()})
    return _joined(found)


def _joined(parts: list[Named]) -> Named:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def accuracy(model: Spikinghash, part: tuple[NDArray[Any], NDArray[Any]]) -> float:
    """Give the share of samples whose class has the largest score."""
    x, y = part
    return float((answers(model, x)["scores"].argmax(-1) == y).mean())


def codes_of(model: Spikinghash, x: NDArray[Any]) -> Codes:
    """Give the codes of samples."""
    return pack(answers(model, x)["codes"])


def found_by_codes(
    model: Spikinghash,
    samples: Samples,
    k: int,
    asked: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Retrieval:
    """Search what was learned from for each test sample (or ``asked``), and score the k nearest."""
    x, y = asked or samples.test
    base, labels = samples.train
    return retrieval(codes_of(model, x), y, codes_of(model, base), labels, k, samples.relevance)


def converted(model: nn.Module, samples: Samples, steps: int) -> spikec.Program:
    """Take the network through the compiler as it is; the program reads samples as these are."""
    x = numbers(samples.train[0][:BLOCK])
    options: dict[str, Any] = {"time_axis": 0} if samples.recordings else {}
    example = torch.from_numpy(x[:2])
    graph = spikec.import_model(
        model, example.movedim(0, 1) if samples.recordings else example, **options
    )
    return spikec.convert(graph, x, steps)


def ran(program: spikec.Program, samples: Samples) -> Named:
    """Give all that a program gives of the test samples, block by block."""
    found: list[Named] = []
    for first in range(0, len(samples.test[1]), BLOCK):
        x = numbers(samples.test[0][first : first + BLOCK])
        played = np.moveaxis(x, 0, 1) if samples.recordings else x  # steps first
        found.append(dict(program.run(played).outputs))
    return _joined(found)
