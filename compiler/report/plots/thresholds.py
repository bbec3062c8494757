"""Thresholds of each layer: from least to most, half of them in the bar, the median as a dot."""

from __future__ import annotations

from collections.abc import Sequence

from spikec.report.scales import Logarithmic, bottom_axis
from spikec.report.shapes import WIDTH, Anchor, Dot, Line, Picture, Rect, Role, Shape, Text
from spikec.report.shapes import shortened as cut
from spikec.report.thresholds import Thresholds
from spikec.report.words import plain

ROW = 31.0
EDGE = 5.0


def threshold_rows(layers: Sequence[Thresholds]) -> Picture:
    """Draw a row a layer, all on one logarithmic scale."""
    x = _scale(layers)
    shapes: list[Shape] = []
    bottom = 2 + ROW * len(layers) + 4
    ticks = x.ticks()
    for tick in ticks:
        shapes.append(Line(((x(tick), 2), (x(tick), bottom)), Role.GRID, 0.7))
    for index, layer in enumerate(layers):
        shapes += _row(layer, x, 2 + ROW * index)
    shapes += bottom_axis(x, bottom, ticks, "units of the layer's current", "{:g}".format)
    about = f"Thresholds of {len(layers)} layers"
    return Picture("thresholds", "Thresholds by layer", about, bottom + 32, tuple(shapes))


def _scale(layers: Sequence[Thresholds]) -> Logarithmic:
    positive = [n for layer in layers for n in (layer.least, layer.most) if n > 0]
    low, high = min(positive, default=0.5), max(positive, default=2.0)
    if high < 1.2 * low:
        low, high = low / 1.5, high * 1.5
    return Logarithmic(low, high, EDGE, WIDTH - EDGE)


def _row(layer: Thresholds, x: Logarithmic, y: float) -> list[Shape]:
    told = plain(layer.median)
    if layer.least < layer.most:
        told = f"{plain(layer.least, 2)} – {plain(layer.most, 2)}, median {told}"
    middle = y + 21
    tip = f"{layer.name}: {told} ({layer.field} of {layer.count:,})"
    shapes: list[Shape] = [
        Text(0, y + 11, cut(layer.name, WIDTH - 5.6 * len(told) - 12)),
        Text(WIDTH, y + 11, told, Role.MUTED, Anchor.END, 10),
    ]
    if layer.least < layer.most:
        shapes += [
            Line(((x(layer.least), middle), (x(layer.most), middle)), Role.ACCENT, 1.2),
            Rect(
                x(layer.lower),
                middle - 3.5,
                max(1.0, x(layer.upper) - x(layer.lower)),
                7,
                Role.ACCENT,
                tip,
                0.45,
            ),
        ]
    return [*shapes, Dot(x(layer.median), middle, 3.2, Role.ACCENT, tip)]
