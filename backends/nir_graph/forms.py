"""Values as sums over nodes of NIR: factors and constants on the way wait to be absorbed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Node

Numbers = NDArray[Any]
Shape = tuple[int, ...]
ONE, ZERO = np.ones(()), np.zeros(())


class Refused(Exception):  # noqa: N818  # as the errors of the house: named after what is wrong
    """Says that a node cannot be written as nodes of NIR."""

    def __init__(self, what: str, expected: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.expected, self.remedy = what, expected, remedy


@dataclass(frozen=True, eq=False)
class Part:
    """A share of a value: gain · what the source gives."""

    source: str | Node
    """a node of NIR, or one with weights that is written once it is known what they absorb"""
    gain: Numbers = field(default_factory=lambda: ONE)
    """broadcasts against the value's shape"""


@dataclass(frozen=True, eq=False)
class Form:
    """Σ gain · source + offset, of one sample in one step."""

    shape: Shape
    parts: tuple[Part, ...] = ()
    offset: Numbers = field(default_factory=lambda: ZERO)

    @property
    def constant(self) -> Numbers | None:
        """The value itself, where nothing but a constant is left."""
        return None if self.parts else np.broadcast_to(self.offset, self.shape)

    @property
    def shifted(self) -> bool:
        """Whether there is a constant to be added."""
        return bool(self.offset.any())

    def times(self, factor: Numbers) -> Form:
        """Multiply element by element."""
        parts = tuple(replace(part, gain=part.gain * factor) for part in self.parts)
        return replace(self, parts=parts, offset=self.offset * factor)

    def plus(self, other: Form) -> Form:
        """Add; what comes from one source twice is one part."""
        parts = {part.source: part for part in self.parts}
        for part in other.parts:
            known = parts.get(part.source)
            parts[part.source] = (
                part if known is None else replace(part, gain=known.gain + part.gain)
            )
        return replace(self, parts=tuple(parts.values()), offset=self.offset + other.offset)

    def moved(self, move: Callable[[Numbers], Numbers], shape: Shape) -> Form:
        """Let elements go elsewhere; sources are to be moved by whoever asks for that."""

        def full(array: Numbers) -> Numbers:
            return array if array.ndim == 0 else move(np.broadcast_to(array, self.shape))

        parts = tuple(replace(part, gain=full(part.gain)) for part in self.parts)
        return Form(shape, parts, full(self.offset))


def per_channel(array: Numbers, shape: Shape) -> Numbers | None:
    """Give one number per channel (the first axis), where there is one."""
    rows = np.broadcast_to(array, shape).reshape(shape[0], -1)
    return rows[:, 0].copy() if bool((rows == rows[:, :1]).all()) else None


def aligned(array: Numbers, shape: Shape) -> Numbers:
    """Leave out axes of one element that stand in front of a sample's own."""
    extra = array.ndim - len(shape)
    return array.reshape(array.shape[extra:]) if extra > 0 else array


def is_one(gain: Numbers) -> bool:
    """Tell whether multiplying changes nothing."""
    return bool((gain == 1).all())


def single(array: Numbers) -> Numbers:
    """Give numbers in single precision, or in double where that would lose any."""
    narrow = np.asarray(array, np.float32)
    return narrow if bool((narrow == array).all()) else np.asarray(array, np.float64)
