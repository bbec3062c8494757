"""Labelled images in [-1, 1], from scikit-learn or from a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)

from examples._arrays import Part, check_alike, labelled, white_of
from spikec.data import Preprocess
from spikec.errors import DataError, UsageError

DIGITS = "digits"
TEST_DIGITS = 360
SIDE = 16
"""of scikit-learn's digits, enlarged from 8"""


@dataclass(frozen=True)
class Images:
    """Samples to learn from, and samples to test on."""

    train: Part
    test: Part
    classes: int
    preprocess: Preprocess
    """what has been done to them: a program that is saved does it to what is in the file"""

    @property
    def channels(self) -> int:
        """1 of grey images, 3 of colours."""
        return int(self.train[0].shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.train[0].shape[-2:]
        return height, width


def load_images(source: str, contrast: float = 1.0) -> Images:
    """Read ``digits``, or FILE.npz with train_x, train_y, test_x, test_y; ``contrast`` scales."""
    if not 0 < contrast < np.inf:
        raise UsageError(f"a contrast of {contrast}", expected="a number above 0")
    if source == DIGITS:
        parts, white = _digits(), 1.0
    else:
        parts = _part(f"{source}:train"), _part(f"{source}:test")
        check_alike(parts, source)
        white = white_of(parts, source)
    preprocess = Preprocess(1 / white, (0.5,), (0.5 / contrast,))
    classes = int(max(y.max() for _, y in parts)) + 1
    train, test = ((preprocess(x), y) for x, y in parts)
    return Images(train, test, classes, preprocess)


def _digits() -> tuple[Part, Part]:
    from sklearn.datasets import load_digits

    found = load_digits()
    small = torch.from_numpy(found.images.astype(np.float32) / 16)[:, None]
    x = F.interpolate(small, (SIDE, SIDE), mode="bilinear", align_corners=False).numpy()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], found.target[order].astype(np.int64)
    return (x[:-TEST_DIGITS], y[:-TEST_DIGITS]), (x[-TEST_DIGITS:], y[-TEST_DIGITS:])


def _part(source: str) -> Part:
    x, labels = labelled(source)
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise DataError(
            f"images of shape {list(x.shape)}",
            where=source,
            expected="[samples, 1 or 3, height, width]",
        )
    return x, labels
