"""Binary codes, 64 bits to a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikec.errors import DataError
from spikec.metrics.arrays import read_array

WORD = 64
"""bits"""


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of equal length; bits behind the last one are 0.  Made by :func:`pack`."""

    words: NDArray[np.uint64]
    """[codes, words], C-contiguous: copied where they are not"""
    bits: int
    """of a code"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", np.ascontiguousarray(self.words))  # as C reads them

    def __len__(self) -> int:
        return len(self.words)

    def unpack(self) -> NDArray[np.uint8]:
        """Give [codes, bits] of 0 and 1."""
        octets = self.words.astype("<u8").view(np.uint8).reshape(len(self), -1)
        return np.unpackbits(octets, axis=1, count=self.bits, bitorder="little")


def pack(bits: ArrayLike) -> Codes:
    """Pack [codes, bits] of 0 and 1: bit j of a code is bit j mod 64 of its word j div 64."""
    array = read_array(bits, "codes")
    _check(array)
    octets = np.packbits(array.astype(np.uint8), axis=1, bitorder="little")
    missing = -octets.shape[1] % (WORD // 8)
    whole = np.ascontiguousarray(np.pad(octets, ((0, 0), (0, missing))))
    return Codes(whole.view("<u8").astype(np.uint64), array.shape[1])


def _check(array: NDArray[Any]) -> None:
    if array.ndim != 2 or not array.shape[1]:
        raise DataError(f"codes {list(array.shape)}", expected="[codes, bits], at least one bit")
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise DataError(
            "codes hold something else than bits",
            expected="0 and 1",
            remedy="for codes of -1 and 1, give codes > 0",
        )
