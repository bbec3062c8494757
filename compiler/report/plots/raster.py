"""The events of one sample in one layer: a row a neuron, a column a step."""

from __future__ import annotations

from spikec.report.firing import Firing, Numbers
from spikec.report.scales import whole_ticks
from spikec.report.shapes import WIDTH, Anchor, Cells, Line, Picture, Rect, Role, Shape, Text
from spikec.report.words import quantity

LEFT = 46.0
STRIP, TOP = 34.0, 52.0
"""height of the events by step, and where the neurons begin"""
ROW = 3.6
SHADES = 4
"""degrees of strength for events of several quanta"""
WIDEST = 72.0
"""pixels of a step, where there are few"""


def spike_raster(layer: Firing) -> Picture:
    """Draw all events of the shown neurons, and above them the events of the whole layer."""
    step = min(WIDEST, (WIDTH - LEFT) / layer.steps)
    rows = len(layer.shown)
    bottom = TOP + ROW * rows
    right = LEFT + step * layer.steps
    shapes: list[Shape] = [*_strip(layer, step), *_cells(layer, step)]
    shapes += [
        Line(((LEFT, TOP - 2), (LEFT, bottom)), Role.GRID),
        Line(((LEFT, bottom), (right, bottom)), Role.GRID),
        Text(LEFT - 6, TOP + 8, f"{layer.shown[0] + 1:,}", Role.MUTED, Anchor.END, 10),
        Text(LEFT - 6, bottom, f"{layer.shown[-1] + 1:,}", Role.MUTED, Anchor.END, 10),
        Text(LEFT - 6, (TOP + bottom) / 2 + 4, "neuron", Role.MUTED, Anchor.END, 10),
    ]
    for tick in whole_ticks(layer.steps):
        at = LEFT + (tick - 0.5) * step
        shapes.append(Text(at, bottom + 14, str(tick), Role.MUTED, Anchor.MIDDLE, 10))
    middle = (LEFT + right) / 2
    shapes.append(Text(middle, bottom + 28, "time step", Role.MUTED, Anchor.MIDDLE, 10))
    about = (
        f"Events of one sample in {layer.name}: {rows} of {len(layer.rates):,} neurons "
        f"over {layer.steps} steps"
    )
    return Picture(f"raster-{layer.name}", layer.name, about, bottom + 32, tuple(shapes))


def _strip(layer: Firing, step: float) -> list[Shape]:
    """Draw the events of the whole layer by step, mean over all samples."""
    most = float(layer.by_step.max(initial=0.0))
    shapes: list[Shape] = [
        Line(((LEFT, STRIP + 8), (LEFT + step * layer.steps, STRIP + 8)), Role.GRID),
        Text(LEFT - 6, 16, quantity(most), Role.MUTED, Anchor.END, 10),
        Text(LEFT - 6, STRIP + 10, "0", Role.MUTED, Anchor.END, 10),
    ]
    for index, events in enumerate(layer.by_step):
        height = STRIP * float(events) / most if most else 0.0
        tip = f"step {index + 1}: {quantity(float(events))} events in the layer"
        x, y = LEFT + index * step + 0.5, STRIP + 8 - height
        shapes.append(Rect(x, y, max(0.5, step - 1), height, Role.ACCENT, tip, 0.45))
    return shapes


def _cells(layer: Firing, step: float) -> list[Shape]:
    """Draw the events: one group for each sign and strength."""
    raster: Numbers = layer.raster
    strongest = max(1, int(abs(raster).max(initial=1)))
    shapes: list[Shape] = []
    for role, signed in ((Role.ACCENT, raster), (Role.WARM, -raster)):
        shade = -(-signed * SHADES // strongest)  # 1..SHADES where there is an event
        for degree in range(1, SHADES + 1):
            at, neurons = ((shade == degree) & (signed > 0)).nonzero()
            corners = tuple(
                (LEFT + t * step + 0.5, TOP + ROW * n + 0.3)
                for t, n in zip(at.tolist(), neurons.tolist(), strict=True)
            )
            if corners:
                opacity = 0.3 + 0.7 * degree / SHADES
                shapes.append(Cells(corners, max(0.8, step - 1), ROW - 0.6, role, opacity))
    return shapes
