"""Labelled arrays of a file: FILE.npz:train holds train_x and train_y."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.data import read_data
from spikec.errors import DataError

MOST_CLASSES = 10_000
"""more are a mistake: labels that number something else"""
Part = tuple[NDArray[Any], NDArray[Any]]


def labelled(source: str) -> Part:
    """Read samples, and their classes as whole numbers from 0 on."""
    data = read_data(source)
    labels = data.labels
    if labels is None:
        raise DataError("samples without labels", where=source, expected="an array y")
    whole = labels.ndim == 1 and labels.dtype.kind in "iuf"
    if not whole or not ((labels >= 0) & (labels < MOST_CLASSES) & (labels % 1 == 0)).all():
        raise DataError(
            f"labels {labels.dtype}{list(labels.shape)} that number no classes",
            where=source,
            expected=f"one whole number per sample, from 0 to {MOST_CLASSES - 1}",
            remedy="number the classes from 0 on: np.unique(y, return_inverse=True)[1]",
        )
    return data.inputs["x"], labels.astype(np.int64)


def check_alike(parts: tuple[Part, Part], source: str) -> None:
    """Refuse samples to test on of another shape than those to learn from."""
    learned, tested = (list(x.shape[1:]) for x, _ in parts)
    if learned != tested:
        raise DataError(
            f"samples of shape {tested} to test on",
            where=source,
            expected=f"{learned}, as those to learn from",
        )


def white_of(parts: tuple[Part, Part], source: str) -> float:
    """Give the number that stands for white in images: 255 of bytes, 1 of floats."""
    images = [x for x, _ in parts]
    kinds = {x.dtype.kind if x.dtype.kind == "f" else str(x.dtype) for x in images}
    if kinds == {"uint8"}:
        return 255.0
    # asked this way round, NaN is refused: no comparison with it is true
    if kinds != {"f"} or not all(x.min() >= 0 and x.max() <= 1 for x in images):
        ranges = (f"{x.dtype} from {x.min():g} to {x.max():g}" for x in images)
        raise DataError(
            f"images of {', '.join(ranges)}",
            where=source,
            expected="bytes (uint8), or floats from 0 to 1, to learn from and to test on alike",
        )
    return 1.0
