"""Scales and axes that all plots share: from numbers to pixels, round ticks, hairlines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spikec.report.shapes import Anchor, Line, Role, Shape, Text

SMALL = 10.0
"""size of an axis' letters"""


@dataclass(frozen=True)
class Linear:
    """pixel = start + (x - low) / (high - low) · (end - start)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, x: float) -> float:
        span = self.high - self.low
        share = (x - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Give round numbers within the scale."""
        return round_ticks(self.low, self.high, most)


@dataclass(frozen=True)
class Logarithmic:
    """As Linear, of log10 x; numbers below ``low`` stand at its place."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, x: float) -> float:
        place = Linear(math.log10(self.low), math.log10(self.high), self.start, self.end)
        return place(math.log10(max(x, self.low)))

    def ticks(self, most: int = 5) -> list[float]:
        """Give powers of ten within the scale; of few, also their doubles and fivefolds."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        factors = (1,) if last - first > 2 else (1, 2, 5)
        found = [f * 10.0**power for power in range(first, last + 1) for f in factors]
        inside = [x for x in found if self.low * 0.999 <= x <= self.high * 1.001]
        return inside[:: -(-len(inside) // most)] if inside else [self.low, self.high]


Scale = Linear | Logarithmic


def round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Give at most ``most`` multiples of 1, 2 or 5 times a power of ten.

    >>> round_ticks(0, 8.7), round_ticks(0.31, 0.99, 4)
    ([0.0, 2.0, 4.0, 6.0, 8.0], [0.4, 0.6, 0.8])
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    steps = (factor * power for factor in (1, 2, 5, 10, 20, 50))
    step = next(s for s in steps if math.floor(high / s) - math.ceil(low / s) + 1 <= most)
    digits = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, digits) for k in range(first, last + 1)]


def whole_ticks(last: int, most: int = 8) -> list[int]:
    """Give whole numbers from 1 to ``last``, both included.

    >>> whole_ticks(4), whole_ticks(64, 5)
    ([1, 2, 3, 4], [1, 20, 40, 64])
    """
    if last <= most:
        return list(range(1, last + 1))
    inner = [int(x) for x in round_ticks(1, last, most - 1) if x > 1]
    kept = [x for x in inner if last - x > last / (2 * most)]
    return [1, *kept, last]


def bottom_axis(
    scale: Scale, y: float, ticks: Sequence[float], label: str, shown: Callable[[float], str]
) -> list[Shape]:
    """Draw a base line with numbers below, and what they are at the right end."""
    shapes: list[Shape] = [Line(((scale.start, y), (scale.end, y)), Role.GRID)]
    for x in ticks:
        at = scale(x)
        shapes.append(Line(((at, y), (at, y + 3)), Role.GRID))
        shapes.append(Text(at, y + 14, shown(x), Role.MUTED, Anchor.MIDDLE, SMALL))
    middle = (scale.start + scale.end) / 2
    shapes.append(Text(middle, y + 28, label, Role.MUTED, Anchor.MIDDLE, SMALL))
    return shapes


def side_grid(
    scale: Scale, ends: tuple[float, float], ticks: Sequence[float], shown: Callable[[float], str]
) -> list[Shape]:
    """Draw hairlines with their numbers at the left."""
    shapes: list[Shape] = []
    for value in ticks:
        y = scale(value)
        shapes.append(Line(((ends[0], y), (ends[1], y)), Role.GRID, 0.7))
        shapes.append(Text(ends[0] - 6, y + 3.5, shown(value), Role.MUTED, Anchor.END, SMALL))
    return shapes
