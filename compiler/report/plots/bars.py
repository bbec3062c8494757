"""A row a layer: name and number above a bar, so that long names have room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spikec.report.shapes import WIDTH, Anchor, Picture, Rect, Role, Shape, Text, shortened

ROW, BAR = 31.0, 8.0
HEAD = 22.0


@dataclass(frozen=True)
class Part:
    """A piece of a bar."""

    name: str
    value: float
    role: Role = Role.ACCENT


@dataclass(frozen=True)
class Bar:
    """One row; its parts add up to its length."""

    name: str
    parts: tuple[Part, ...]
    label: str

    @property
    def value(self) -> float:
        """Length of the bar."""
        return sum(part.value for part in self.parts)


def bar_rows(name: str, title: str, bars: Sequence[Bar]) -> Picture:
    """Draw bars of one scale; where a bar has several parts, a legend stands above."""
    legend = _legend(bars)
    top = HEAD if legend else 2.0
    most = max((bar.value for bar in bars), default=0.0)
    shapes: list[Shape] = [*legend]
    for index, bar in enumerate(bars):
        y = top + ROW * index
        room = WIDTH - 6.2 * len(bar.label) - 12
        shapes.append(Text(0, y + 11, shortened(bar.name, room)))
        shapes.append(Text(WIDTH, y + 11, bar.label, anchor=Anchor.END, bold=True))
        shapes.append(Rect(0, y + 16, WIDTH, BAR, Role.GRID, opacity=0.45))
        shapes += _pieces(bar, y + 16, WIDTH / most if most > 0 else 0.0)
    about = f"{title}: " + "; ".join(f"{bar.name} {bar.label}" for bar in bars)
    return Picture(name, title, about, top + ROW * len(bars), tuple(shapes))


def _pieces(bar: Bar, y: float, scale: float) -> list[Shape]:
    shapes: list[Shape] = []
    x = 0.0
    for part in bar.parts:
        width = part.value * scale
        tip = f"{bar.name}: {bar.label}" if len(bar.parts) == 1 else f"{bar.name}, {part.name}"
        if width > 0:
            shapes.append(Rect(x, y, width, BAR, part.role, tip))
        x += width
    return shapes


def _legend(bars: Sequence[Bar]) -> list[Shape]:
    roles = {part.name: part.role for bar in bars for part in bar.parts if len(bar.parts) > 1}
    shapes: list[Shape] = []
    x = 0.0
    for name, role in roles.items():
        shapes.append(Rect(x, 3, 9, 9, role))
        shapes.append(Text(x + 13, 11, name, Role.MUTED, size=10))
        x += 13 + 5.8 * len(name) + 14
    return shapes
