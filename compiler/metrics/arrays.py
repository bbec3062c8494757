"""Arrays, from whatever holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikec.errors import DataError


def read_array(source: ArrayLike, what: str) -> NDArray[Any]:
    """Give an array; rows of different length are none, nor are tensors with a gradient."""
    try:
        return np.asarray(source)
    except (RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"{what} cannot be read as an array ({error})",
            expected="an array, or rows of equal length",
            remedy="detach tensors, and move them to the CPU",
        ) from error
