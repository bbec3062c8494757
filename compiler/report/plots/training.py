"""Accuracy after each epoch of a fine-tuning, on samples learned from and on samples held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spikec.report.scales import Linear, bottom_axis, round_ticks, side_grid, whole_ticks
from spikec.report.shapes import Dot, Line, Picture, Role, Shape, Text
from spikec.report.words import THIN, percent

LEFT, RIGHT, TOP, BOTTOM = 46.0, 262.0, 14.0, 186.0
SERIES = (("validation", "held out", Role.ACCENT), ("accuracy", "learned from", Role.MUTED))


def accuracy_by_epoch(history: Sequence[Mapping[str, float]]) -> Picture:
    """Draw one curve per series that the records hold."""
    curves = {
        key: [(record["epoch"], record[key]) for record in history if key in record]
        for key, _, _ in SERIES
    }
    shares = [share for curve in curves.values() for _, share in curve]
    low, high = max(0.0, min(shares) - 0.02), min(1.0, max(shares) + 0.02)
    last = int(max(record["epoch"] for record in history))
    x, y = Linear(0, max(1, last), LEFT + 6, RIGHT), Linear(low, high, BOTTOM, TOP)
    ticks = round_ticks(100 * low, 100 * high)
    grid = side_grid(
        Linear(100 * low, 100 * high, BOTTOM, TOP), (LEFT, RIGHT), ticks, lambda t: f"{t:g}{THIN}%"
    )
    shapes: list[Shape] = [
        *grid,
        *bottom_axis(x, BOTTOM, (0, *whole_ticks(max(1, last))), "epoch", lambda t: f"{t:.0f}"),
    ]
    told = []
    for place, (key, name, role) in enumerate(SERIES):
        points = [(x(epoch), y(share)) for epoch, share in curves[key]]
        if points:
            shapes.append(Line(tuple(points), role, 2.2, dashed=role is Role.MUTED))
            shapes += [
                Dot(*point, 2.4, role, f"epoch {epoch:.0f}: {percent(share, 2)}")
                for point, (epoch, share) in zip(points, curves[key], strict=True)
            ]
            shown = percent(curves[key][-1][1], 2)
            shapes.append(Text(RIGHT + 8, TOP + 14 + 34 * place, shown, role, size=14, bold=True))
            shapes.append(Text(RIGHT + 8, TOP + 26 + 34 * place, name, Role.MUTED, size=10))
            told.append(f"{shown} on samples {name}")
    about = f"Accuracy by epoch: {', '.join(told)} after epoch {last}"
    return Picture("training", "Accuracy by epoch", about, BOTTOM + 32, tuple(shapes))
