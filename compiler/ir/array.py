"""Constant arrays of a graph: immutable, compared and named by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NumpyArray = NDArray[Any]
INLINE_ELEMENTS = 8
"""Up to so many elements stand in the text itself; larger arrays stand there by their hash."""


class Array:
    """A read-only array that equals another when dtype, shape and bytes are equal.

    >>> Array([1.0, 2.0]) == Array([1.0, 2.0])
    True
    """

    def __init__(self, data: ArrayLike | Array, dtype: str | None = None) -> None:
        source = data.data if isinstance(data, Array) else np.asarray(data, dtype=dtype)
        copy = np.array(source, dtype=dtype, order="C", copy=True)
        copy.flags.writeable = False
        self._data: NumpyArray = copy

    @property
    def data(self) -> NumpyArray:
        """The content; writing to it is an error."""
        return self._data

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def size(self) -> int:
        return self._data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    @cached_property
    def digest(self) -> str:
        """The content's name: 32 hex digits of SHA-256 over dtype, shape and bytes."""
        header = f"{self._data.dtype.str}{self._data.shape}".encode()
        return hashlib.sha256(header + self._data.tobytes()).hexdigest()[:32]

    def astype(self, dtype: np.dtype[Any]) -> NumpyArray:
        """The content as ``dtype``, without a copy where it is that already."""
        return self._data.astype(dtype, copy=False)

    def tolist(self) -> Sequence[Any] | Any:
        return self._data.tolist()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Array):
            return NotImplemented
        if self is other:
            return True
        same = (self.shape, self.dtype) == (other.shape, other.dtype)
        return same and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Array({self.dtype.name}{list(self.shape)} #{self.digest[:8]})"


def arrays_in(value: object) -> Iterator[Array]:
    """Give every array inside a value: itself, in tuples, in fields of dataclasses."""
    if isinstance(value, Array):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from arrays_in(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from arrays_in(getattr(value, field.name))
