"""What neurons share: options as enums, the base class, how many quanta a potential holds.

A target states which neurons it has as data: for each neuron class, the allowed members of each of
its enum fields and the largest ``levels``.  Nothing about a neuron hides in a string.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import Family, ScanOp, Types, expect
from spikec.ir.ops.elementwise import check_broadcast
from spikec.ir.types import Signal, TensorType

Numbers = NDArray[Any]
ONE = Array(1.0)


class Reset(Enum):
    """What an event does to the potential."""

    SOFT = "soft"
    """subtract what was sent"""
    HARD = "hard"
    """set to the reset potential"""


class Leak(Enum):
    """How the potential decays; ``k`` is the field ``leak_constant``, ``r`` the rest potential."""

    NONE = "none"
    """h = v + x"""
    DECAY = "decay"
    """h = r + k (v - r) + x"""
    DECAY_INPUT = "decay-input"
    """h = v + (x - (v - r)) / k: the input is low-pass filtered too; k = τ in steps"""
    SILENT = "silent"
    """h = v + x; behind the comparison v = r + k (h - r) where nothing was fired"""


class Negative(Enum):
    """When a neuron sends negative events; ``Σn`` counts what it has sent so far."""

    NONE = "none"
    """never"""
    FREE = "free"
    """where -h reaches the negative threshold, whatever was sent before (ternary)"""
    MEMORY = "memory"
    """as FREE, but never takes back more than Σn"""
    CORRECTION = "correction"
    """as soon as h < 0, enough quanta to bring h to 0 or above, but never more than Σn"""


class Comparison(Enum):
    """When a potential equal to the threshold fires."""

    AT_LEAST = ">="
    """fires: n = floor(h / θ)"""
    ABOVE = ">"
    """does not fire: n = ceil(h / θ) - 1"""


class Decision(Enum):
    """What a neuron looks at when it decides about the events of step t."""

    AFTER_INPUT = "after-input"
    """the potential with step t's input (delay 0)"""
    BEFORE_INPUT = "before-input"
    """the potential that step t - 1 left behind (delay 1)"""


class Neuron(ScanOp):
    """A neuron: one operand, a current over time; one result of the operand's sizes."""

    family: ClassVar[Family] = Family.NEURON

    @property
    @abstractmethod
    def signal(self) -> Signal:
        """What comes out."""

    @abstractmethod
    def check(self, x: TensorType) -> None:
        """Refuse parameters that do not fit the operand."""

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        check_timed(x, type(self).__name__)
        expect(
            x.dtype.is_float or x.dtype.numpy.kind == "i",
            f"current {x}",
            "floating point or signed integers",
        )
        self.check(x)
        return (replace(x, signal=self.signal),)


def check_timed(x: TensorType, who: str) -> None:
    """Refuse an operand without time."""
    expect(
        not x.is_static,
        f"{who} over an operand without time, {x}",
        "an operand that holds T",
        "repeat it at each step with the op Repeat, or give it once with the op Impulse",
    )


def check_parameter(array: Array | None, x: TensorType, name: str, positive: bool = False) -> None:
    """Refuse a parameter that does not broadcast, is not finite, or loses digits in integers."""
    if array is None:
        return
    check_broadcast(array, x, name)
    kinds = "iuf" if x.dtype.is_float else "iu"
    expect(
        array.dtype.kind in kinds, f"{name} {array} for {x}", "numbers; integers beside integers"
    )
    expect(
        bool(np.isfinite(array.data).all()), f"{name} {array} holds NaN or Inf", "finite numbers"
    )
    expect(not positive or bool((array.data > 0).all()), f"{name} {array}", "numbers above 0")


def check_levels(levels: int) -> None:
    """Refuse neurons that can send nothing."""
    expect(levels >= 1, f"{levels} levels per step", "at least 1")


def number(array: Array | None, dtype: np.dtype[Any]) -> Numbers:
    """Give a parameter in the dtype of the computation; absent means 0."""
    return np.zeros((), dtype) if array is None else array.astype(dtype)


def filled(array: Array | None, x: TensorType, sizes: Sizes, dtype: np.dtype[Any]) -> Numbers:
    """Give the state of one step that holds a parameter everywhere; absent means 0."""
    return np.broadcast_to(number(array, dtype), x.shape(sizes)).copy()


def quotient(h: Numbers, quantum: Numbers) -> Numbers:
    """floor(h / quantum), in the dtype of h."""
    result: Numbers = h // quantum if h.dtype.kind == "i" else np.floor(h / quantum)
    return result


def quanta(h: Numbers, quantum: Numbers, levels: int, comparison: Comparison) -> Numbers:
    """How many quanta are fired at potential h, 0..levels."""
    at_least = comparison is Comparison.AT_LEAST
    n = quotient(h, quantum) if at_least else -quotient(-h, quantum) - 1
    return np.asarray(np.clip(n, 0, levels))


def negative_quanta(
    h: Numbers, sent: Numbers, quantum: Numbers, levels: int, rule: tuple[Negative, Comparison]
) -> Numbers:
    """How many quanta are taken back at potential h after ``sent`` of them, 0..levels."""
    negative, comparison = rule
    if negative is Negative.NONE:
        return np.zeros_like(h)
    if negative is Negative.CORRECTION:
        wanted = np.clip(-quotient(h, quantum), 0, levels)
        return np.asarray(np.minimum(wanted, np.maximum(sent, 0)))
    free = quanta(-h, quantum, levels, comparison)
    return free if negative is Negative.FREE else np.asarray(np.minimum(free, np.maximum(sent, 0)))


def largest_power(n: Numbers) -> Numbers:
    """The largest power of two that is not above n; 0 for 0."""
    exponent = np.frexp(n.astype(np.float64))[1]
    return np.where(n > 0, np.ldexp(0.5, exponent), 0.0).astype(n.dtype)
