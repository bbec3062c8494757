"""Labelled images or recordings: to learn from, to choose by, to test on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from examples._arrays import Part, check_alike, labelled, white_of
from examples.dct_snn.images import DIGITS, load_images
from examples.spikinghash.clips import KINDS, Scene, clips, relevance
from spikec.data import Preprocess
from spikec.errors import DataError, UsageError

CLIPS = "clips"
SOURCES = (
    "digits, clips, FILE.npz of train_x, train_y, test_x, test_y, or a folder of recordings "
    "with --dataset"
)
IMAGE, RECORDING = 4, 5
"""axes: [samples, C, H, W], [samples, T, 2, H, W]"""
HELD = 0.2
"""share of a file's samples to learn from that choose the epoch"""


@dataclass(frozen=True)
class Samples:
    """What a network learns from, and what it is asked."""

    train: Part
    """also the base that is searched"""
    held: Part
    """these choose the epoch"""
    test: Part
    classes: int
    relevance: NDArray[np.float64] | None = None
    """of classes to one another; none: 1 the same, 0 any other"""
    preprocess: Preprocess = field(default_factory=Preprocess)
    """what has been done to them: a program that is saved does it to what is in the file"""

    @property
    def recordings(self) -> bool:
        """Whether samples have steps of their own."""
        return self.train[0].ndim == RECORDING

    @property
    def channels(self) -> int:
        """Colours, or polarities."""
        return int(self.train[0].shape[-3])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.train[0].shape[-2:]
        return height, width


def load_samples(source: str, kind: str = "pairs", pause: int = 2, seed: int = 0) -> Samples:
    """Read ``digits``, ``clips``, or FILE.npz with train_x, train_y, test_x, test_y.

    Arrays are images [samples, C, H, W] or recordings [samples, steps, 2, H, W].  ``kind`` and
    ``pause`` are those of clips.
    """
    if source == CLIPS:
        return filmed(kind, Scene(pause=pause), seed)
    if source == DIGITS:
        images = load_images(source)
        train, held = _divided(images.train, seed)
        return Samples(train, held, images.test, images.classes, None, images.preprocess)
    if not source.endswith(".npz"):
        raise UsageError(f"no samples are called {source!r}", expected=SOURCES)
    return _read(source, seed)


def filmed(
    kind: str, scene: Scene, seed: int = 0, counts: tuple[int, int, int] = (1024, 256, 512)
) -> Samples:
    """Film clips of a kind: so many to learn from, to choose by, to test on."""
    if kind not in KINDS:
        raise UsageError(f"no clips of kind {kind!r}", expected=", ".join(KINDS))
    pairs = KINDS[kind]
    train, held, test = (clips(pairs, n, scene, 3 * seed + i) for i, n in enumerate(counts))
    alike = relevance(pairs) if kind == "pairs" else None
    return Samples(train, held, test, len(pairs), alike)


def _read(source: str, seed: int) -> Samples:
    parts = _part(f"{source}:train"), _part(f"{source}:test")
    check_alike(parts, source)
    whole, test = parts
    preprocess = Preprocess()
    if whole[0].ndim == IMAGE:
        preprocess = Preprocess(1 / white_of(parts, source), (0.5,), (0.5,))
        whole, test = ((preprocess(x), y) for x, y in (whole, test))
    train, held = _divided(whole, seed)
    return Samples(train, held, test, 1 + int(max(whole[1].max(), test[1].max())), None, preprocess)


def _part(source: str) -> Part:
    x, labels = labelled(source)
    fits = x.ndim == IMAGE or (x.ndim == RECORDING and x.shape[2] == 2)
    if not fits:
        raise DataError(
            f"samples of shape {list(x.shape)}",
            where=source,
            expected="images [samples, C, H, W] or recordings [samples, steps, 2, H, W]",
        )
    if x.ndim == RECORDING and not (np.isfinite(x).all() and x.dtype.kind in "buif"):
        raise DataError(f"recordings of {x.dtype}", where=source, expected="numbers of events")
    if x.ndim == RECORDING and x.dtype != np.uint8:  # bytes become floats block by block
        x = x.astype(np.float32)
    return x, labels


def _divided(part: Part, seed: int) -> tuple[Part, Part]:
    x, y = part
    order = np.random.default_rng(seed).permutation(len(x))
    held = round(HELD * len(x))
    if not 0 < held < len(x):
        raise DataError(f"{len(x)} samples to learn from", expected="5 or more")
    return (x[order[held:]], y[order[held:]]), (x[order[:held]], y[order[:held]])
