"""How often the neurons of a layer fire: one small histogram a layer, all on one scale."""

from __future__ import annotations

import numpy as np

from spikec.report.firing import Firing
from spikec.report.scales import Linear
from spikec.report.shapes import Anchor, Line, Picture, Rect, Role, Shape, Text, shortened
from spikec.report.words import few, plain

WIDE, HIGH = 168.0, 112.0
TOP, BASE = 34.0, 92.0
BINS = 28


def rate_histogram(layer: Firing, most: float) -> Picture:
    """Draw the neurons that fire; how many never do stands in words."""
    rates = layer.rates[layer.rates > 0]
    counts, edges = np.histogram(rates, BINS, (0.0, most if most > 0 else 1.0))
    x = Linear(0.0, float(edges[-1]), 1.0, WIDE - 1)
    tallest = max(1, int(counts.max(initial=0)))
    shapes: list[Shape] = [
        Text(0, 11, shortened(layer.name, WIDE), bold=True),
        Text(0, 25, f"{few(layer.silent)} silent", Role.MUTED, size=10),
        Text(WIDE, 25, f"mean {plain(layer.mean, 2)}", Role.ACCENT, Anchor.END, 10),
    ]
    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            height = max(1.0, (BASE - TOP) * count / tallest)
            tip = f"{count:,} neurons at {plain(start)} to {plain(end)} events per step"
            width = x(end) - x(start) - 0.8
            shapes.append(Rect(x(start), BASE - height, width, height, Role.ACCENT, tip, 0.75))
    shapes += [
        Line(((x(layer.mean), TOP - 4), (x(layer.mean), BASE)), Role.INK, 1.2),
        Line(((0, BASE), (WIDE, BASE)), Role.GRID),
        Text(0, BASE + 13, "0", Role.MUTED, size=10),
        Text(WIDE, BASE + 13, f"{edges[-1]:.3g}", Role.MUTED, Anchor.END, 10),
        Text(WIDE / 2, BASE + 13, "events per step", Role.MUTED, Anchor.MIDDLE, 10),
    ]
    about = (
        f"Firing rates of {layer.name}: {plain(layer.mean)} events per neuron and step on "
        f"average, {few(layer.silent)} of the neurons silent"
    )
    return Picture(f"rates-{layer.name}", "Firing rates", about, HIGH, tuple(shapes), WIDE)
