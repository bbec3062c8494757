"""What NIR leaves open, as options: the step, how equations become steps, reset and comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from spikec.errors import UsageError
from spikec.ir.ops import Comparison, Reset

Choice = TypeVar("Choice", bound=Enum)


class Method(Enum):
    """How τ dv/dt = (v_leak - v) + r x becomes a step of length dt: v <- v_leak + k (v - v_leak)
    + g x, with the step's own x.
    """

    EULER = "euler"
    """k = 1 - dt/τ, g = r dt/τ: forward Euler, as norse, snnTorch and SpikingJelly do"""
    EXACT = "exact"
    """k = exp(-dt/τ), g = r (1 - k): the solution for an x that is constant during the step"""


class Start(Enum):
    """Where potentials begin."""

    ZERO = "zero"
    RESET = "v_reset"
    """as SpikingJelly"""
    LEAK = "v_leak"
    """as norse's leaky neurons; 0 for those without a leak"""


class Gain(Enum):
    """What one unit of current adds to a potential."""

    EQUATION = "equation"
    """as r, τ and dt say"""
    UNIT_IF = "unit-if"
    """1 for IF and I, as norse and snnTorch do; the others by their equations"""
    UNIT = "unit"
    """1 for all neurons, as sinabs does"""


@dataclass(frozen=True)
class Settings:
    """The options of an import; None is: as the file says."""

    dt: float | None
    method: Method
    reset: Reset | None
    comparison: Comparison | None
    start: Start
    levels: int
    gain: Gain


RESETS: Mapping[str, Reset] = {"subtract": Reset.SOFT, "v_reset": Reset.HARD}
"""by the names that stand in options and in metadata"""


def settings_of(
    dt: float | None,
    method: str,
    reset: str,
    comparison: str,
    start: str,
    levels: int,
    gain: str,
) -> Settings:
    """Check the options."""
    if dt is not None and not (isinstance(dt, int | float) and 0 < dt < math.inf):
        raise UsageError(f"dt = {dt!r}", expected="a positive number, in the file's unit of time")
    if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
        raise UsageError(f"levels = {levels!r}", expected="1 or more")
    if reset not in ("auto", *RESETS):
        raise UsageError(f"reset = {reset!r}", expected=f"auto, {', '.join(RESETS)}")
    return Settings(
        None if dt is None else float(dt),
        _member(Method, method, "method"),
        RESETS.get(reset),
        None if comparison == "auto" else _member(Comparison, comparison, "comparison"),
        _member(Start, start, "start"),
        levels,
        _member(Gain, gain, "gain"),
    )


def _member(kind: type[Choice], value: str, option: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise UsageError(f"{option} = {value!r}", expected=known) from None
