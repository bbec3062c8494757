"""Pictures as PNG, by matplotlib: the same shapes at the same places, in the colours of the day."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from spikec.errors import MissingDependency
from spikec.report import theme
from spikec.report.shapes import Anchor, Cells, Dot, Line, Picture, Rect, Shape, Text, frame

DOTS = 2
"""dots per pixel of the picture"""
POINTS = 0.72
"""points per pixel, at 100 pixels an inch"""
_ALIGNED = {Anchor.START: "left", Anchor.MIDDLE: "center", Anchor.END: "right"}


def check_matplotlib() -> None:
    """Refuse PNG where nothing can draw it."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise MissingDependency(
            "PNG pictures are drawn by matplotlib, which is not installed",
            remedy='pip install "spikec[report]", or --format svg, which needs nothing',
        )


def png_file(picture: Picture) -> bytes:
    """Draw a picture."""
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    (left, top, width, height), title = frame(picture)
    size = (width / 100, height / 100)
    figure = Figure(figsize=size, dpi=100 * DOTS, facecolor=theme.SURFACES["light"][1])
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(left, left + width)
    axes.set_ylim(top + height, top)
    for shape in (title, *picture.shapes):
        _DRAW[type(shape)](axes, shape, theme.LIGHT[shape.role])
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100 * DOTS, metadata={"Software": None})
    return out.getvalue()


def _text(axes: Any, shape: Text, colour: str) -> None:
    axes.text(
        shape.x,
        shape.y,
        shape.text.replace("$", r"\$"),  # no formulas
        color=colour,
        fontsize=shape.size * POINTS,
        ha=_ALIGNED[shape.anchor],
        va="baseline",
        weight="bold" if shape.bold else "normal",
    )


def _rect(axes: Any, shape: Rect, colour: str) -> None:
    from matplotlib.patches import Rectangle

    corner = (shape.x, shape.y)
    axes.add_patch(
        Rectangle(corner, shape.width, shape.height, fc=colour, lw=0, alpha=shape.opacity)
    )


def _line(axes: Any, shape: Line, colour: str) -> None:
    x, y = zip(*shape.points, strict=True)
    style = (0, (4, 3)) if shape.dashed else "-"
    axes.plot(x, y, color=colour, lw=shape.width * POINTS, ls=style)


def _dot(axes: Any, shape: Dot, colour: str) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((shape.x, shape.y), shape.radius, fc=colour, lw=0))


def _cells(axes: Any, shape: Cells, colour: str) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    cells = [Rectangle(corner, shape.width, shape.height) for corner in shape.corners]
    axes.add_collection(PatchCollection(cells, facecolor=colour, lw=0, alpha=shape.opacity))


_DRAW: dict[type[Shape], Callable[[Any, Any, str], None]] = {
    Text: _text,
    Rect: _rect,
    Line: _line,
    Dot: _dot,
    Cells: _cells,
}
