"""What pictures are made of: shapes in pixels, painted by role; a theme gives roles colours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

WIDTH = 360
"""pixels of a picture: a phone shows it as it is, a desktop several side by side"""


class Role(Enum):
    """What a colour stands for."""

    INK = "ink"
    MUTED = "muted"
    GRID = "grid"
    ACCENT = "accent"
    """the program: its events, its accuracy"""
    SECOND = "second"
    """what stands beside it: synapses, a second part"""
    THIRD = "third"
    WARM = "warm"
    """negative events, and what is too much"""


class Anchor(Enum):
    """Which end of a text stands at its place."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@dataclass(frozen=True)
class Text:
    """One line of text; ``y`` is its baseline."""

    x: float
    y: float
    text: str
    role: Role = Role.INK
    anchor: Anchor = Anchor.START
    size: float = 11
    bold: bool = False


@dataclass(frozen=True)
class Rect:
    """A filled rectangle; ``tip`` shows under the pointer."""

    x: float
    y: float
    width: float
    height: float
    role: Role = Role.ACCENT
    tip: str = ""
    opacity: float = 1.0


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    role: Role = Role.ACCENT
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    role: Role = Role.ACCENT
    tip: str = ""


@dataclass(frozen=True)
class Cells:
    """Many equal rectangles of one colour, by their upper left corners."""

    corners: tuple[tuple[float, float], ...]
    width: float
    height: float
    role: Role = Role.ACCENT
    opacity: float = 1.0


Shape = Text | Rect | Line | Dot | Cells


@dataclass(frozen=True)
class Picture:
    """A drawing with its name (also a file's), its title, and what it shows in words."""

    name: str
    title: str
    about: str
    height: float
    shapes: tuple[Shape, ...]
    width: float = WIDTH


MARGIN, HEAD = 16.0, 34.0
"""pixels around a picture that is a file of its own, and above it, for the title"""


def frame(picture: Picture) -> tuple[tuple[float, float, float, float], Text]:
    """Give left, top, width and height of a file with this picture, and its title."""
    width = picture.width + 2 * MARGIN
    height = picture.height + HEAD + MARGIN
    title = shortened(picture.title, picture.width, 13)
    return (-MARGIN, -HEAD, width, height), Text(0, -14, title, size=13, bold=True)


def shortened(text: str, room: float, size: float = 11) -> str:
    """Cut the middle out of a text that is wider than ``room`` pixels, by the mean letter's width.

    >>> shortened("layer1.0.conv1.relu", 60), shortened("conv1", 60)
    ('laye…relu', 'conv1')
    """
    most = max(3, int(room / (0.55 * size)))
    if len(text) <= most:
        return text
    tail = most // 2
    return f"{text[: most - tail - 1]}…{text[-tail:]}"
