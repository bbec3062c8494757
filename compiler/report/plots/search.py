"""What the candidates of a search cost and lose; the Pareto front is a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikec.report.scales import Linear, bottom_axis, round_ticks, side_grid
from spikec.report.shapes import Dot, Line, Picture, Role, Shape, Text

LEFT, RIGHT, TOP, BOTTOM = 46.0, 330.0, 14.0, 206.0
WORST = 5.0
"""drops beyond so many times the bound stand at the upper edge"""


def cost_and_drop(search: Mapping[str, Any]) -> Picture:
    """Draw one dot per candidate that was measured."""
    trials = [trial for trial in search["trials"] if trial["drop"] is not None]
    bound = float(search["max_drop"])
    most = max(1.0, WORST * bound)
    drops = [min(trial["drop"], most) for trial in trials]
    low, high = min(0.0, *drops), max(bound, *drops) + 0.1
    highest = max(trial["cost"] for trial in trials)
    x, y = Linear(0, highest, LEFT + 6, RIGHT), Linear(low, high, BOTTOM, TOP)
    grid = side_grid(y, (LEFT, RIGHT), round_ticks(low, high), lambda tick: f"{tick:g}")
    label = f"{search['unit']} per sample"
    shapes: list[Shape] = [
        *grid,
        *bottom_axis(x, BOTTOM, round_ticks(0, highest), label, lambda tick: f"{tick:,.3g}"),
        Line(((LEFT, y(bound)), (RIGHT, y(bound))), Role.MUTED, 1.5, dashed=True),
    ]
    points = [(x(t["cost"]), y(drop)) for t, drop in zip(trials, drops, strict=True)]
    front = sorted(p for p, t in zip(points, trials, strict=True) if t["pareto"])
    shapes.append(Line(tuple(front), Role.ACCENT, 1.5))
    for point, trial in zip(points, trials, strict=True):
        chosen = trial["verdict"] == "chosen"
        tip = f"{trial['recipe']} at T={trial['steps']}: {trial['drop']:.2f} points"
        role = Role.ACCENT if trial["pareto"] else Role.MUTED
        shapes.append(Dot(*point, 4.5 if chosen else 2.8, role, tip))
        if chosen:
            shapes.append(Text(point[0] + 8, point[1] - 6, "chosen", Role.ACCENT, size=10))
    about = f"Points lost against {label}, {len(trials)} candidates"
    return Picture("search", "What candidates cost and lose", about, BOTTOM + 32, tuple(shapes))
