"""Accuracy after each step, beside the network's."""

from __future__ import annotations

from collections.abc import Sequence

from spikec.report.scales import Linear, bottom_axis, round_ticks, side_grid, whole_ticks
from spikec.report.shapes import WIDTH, Dot, Line, Picture, Role, Shape, Text
from spikec.report.words import THIN, percent

LEFT, RIGHT, TOP, BOTTOM = 46.0, 262.0, 14.0, 186.0
APART = 30.0
"""pixels between the two labels"""
MARKED = 32
"""steps up to which each has a dot"""


def accuracy_by_step(by_step: Sequence[float], reference: float) -> Picture:
    """Draw the curve; both ends that matter are labelled where they stand."""
    steps, last = len(by_step), by_step[-1]
    least, most = min(*by_step, reference), max(*by_step, reference)
    room = max(0.02, 0.08 * (most - least))
    low, high = max(0.0, least - room), min(1.0, most + room)
    x = Linear(1, max(2, steps), LEFT + 6, RIGHT)
    y = Linear(low, high, BOTTOM, TOP)
    points = tuple((x(step), y(share)) for step, share in enumerate(by_step, start=1))
    ticks = round_ticks(100 * low, 100 * high)
    grid = side_grid(Linear(100 * low, 100 * high, BOTTOM, TOP), (LEFT, RIGHT), ticks, _shown)
    shapes: list[Shape] = [
        *grid,
        *bottom_axis(x, BOTTOM, whole_ticks(steps), "time step", lambda tick: f"{tick:.0f}"),
        Line(((LEFT, y(reference)), (RIGHT, y(reference))), Role.MUTED, 1.5, dashed=True),
        Line(points, Role.ACCENT, 2.2),
    ]
    marked = points if steps <= MARKED else points[-1:]
    tips = [f"step {i + steps - len(marked) + 1}" for i in range(len(marked))]
    values = by_step[-len(marked) :]
    shapes += [
        Dot(*point, 3.2 if point == points[-1] else 2.4, Role.ACCENT, f"{tip}: {percent(share, 2)}")
        for point, tip, share in zip(marked, tips, values, strict=True)
    ]
    shapes += _labels((y(last), y(reference)), (last, reference))
    about = (
        f"Accuracy by time step: {percent(last, 2)} after step {steps}; "
        f"the network has {percent(reference, 2)}"
    )
    return Picture("accuracy", "Accuracy by time step", about, BOTTOM + 32, tuple(shapes))


def _shown(tick: float) -> str:
    return f"{tick:g}{THIN}%"


def _labels(heights: tuple[float, float], shares: tuple[float, float]) -> list[Shape]:
    """Write both numbers at the right, apart where they are nearly equal."""
    upper, lower = sorted((0, 1), key=lambda i: (heights[i], -i))
    tops = list(heights)
    middle, gap = sum(heights) / 2, heights[lower] - heights[upper]
    if gap < APART:
        tops[upper], tops[lower] = middle - APART / 2, middle + APART / 2
    over = max(0.0, TOP + 4 - tops[upper])
    under = min(0.0, BOTTOM - 8 - tops[lower])
    tops = [top + over + under for top in tops]
    names = ("this program", "its network")
    roles = (Role.ACCENT, Role.MUTED)
    shapes: list[Shape] = []
    for top, share, name, role in zip(tops, shares, names, roles, strict=True):
        shapes.append(Text(RIGHT + 8, top + 3, percent(share, 2), role, size=14, bold=True))
        shapes.append(Text(RIGHT + 8, top + 15, name, Role.MUTED, size=10))
    assert RIGHT + 8 < WIDTH
    return shapes
