"""Pictures as SVG: inside a page, coloured by its style; or as files that stand for themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spikec.report import theme
from spikec.report.markup import Element, e, number, to_xml
from spikec.report.shapes import Anchor, Cells, Dot, Line, Picture, Rect, Shape, Text, frame


def to_svg(picture: Picture) -> Element:
    """Draw a picture for a page that holds the theme's rules."""
    return e(
        "svg",
        [_DRAW[type(shape)](shape) for shape in picture.shapes],
        viewBox=f"0 0 {number(picture.width)} {number(picture.height)}",
        role="img",
        aria_label=picture.about,
    )


def svg_file(picture: Picture) -> str:
    """Write a picture as a file that brings its colours, those of the night too."""
    (left, top, width, height), title = frame(picture)
    svg = to_svg(picture)
    svg.set("xmlns", "http://www.w3.org/2000/svg")
    svg.set("viewBox", " ".join(map(number, (left, top, width, height))))
    svg.set("width", number(width))
    svg.set("height", number(height))
    svg.insert(0, _text(title))
    svg.insert(0, e("rect", x=left, y=top, width=width, height=height, style="fill:var(--card)"))
    svg.insert(0, e("style", theme.variables("svg") + theme.paints()))
    return to_xml(svg) + "\n"


def _text(shape: Text) -> Element:
    more: dict[str, str] = {}
    if shape.anchor is not Anchor.START:
        more["text_anchor"] = shape.anchor.value
    if shape.bold:
        more["font_weight"] = "600"
    return e(
        "text",
        shape.text,
        x=shape.x,
        y=shape.y,
        font_size=shape.size,
        class_=f"f-{shape.role.value}",
        **more,
    )


def _rect(shape: Rect) -> Element:
    more = {} if shape.opacity == 1 else {"opacity": f"{shape.opacity:.2f}"}
    return e(
        "rect",
        _tip(shape.tip),
        x=shape.x,
        y=shape.y,
        width=max(0.0, shape.width),
        height=max(0.0, shape.height),
        class_=f"f-{shape.role.value}",
        **more,
    )


def _line(shape: Line) -> Element:
    more = {"stroke_dasharray": "4 3"} if shape.dashed else {}
    return e(
        "polyline",
        points=" ".join(f"{number(x)},{number(y)}" for x, y in shape.points),
        stroke_width=shape.width,
        stroke_linejoin="round",
        class_=f"s-{shape.role.value}",
        **more,
    )


def _dot(shape: Dot) -> Element:
    paint = f"f-{shape.role.value}"
    return e("circle", _tip(shape.tip), cx=shape.x, cy=shape.y, r=shape.radius, class_=paint)


def _cells(shape: Cells) -> Element:
    more = {} if shape.opacity == 1 else {"opacity": f"{shape.opacity:.2f}"}
    wide, high = number(shape.width), number(shape.height)
    steps = (f"M{number(x)} {number(y)}h{wide}v{high}h-{wide}z" for x, y in shape.corners)
    return e("path", d="".join(steps), class_=f"f-{shape.role.value}", **more)


def _tip(text: str) -> Element | None:
    return e("title", text) if text else None


_DRAW: dict[type[Shape], Callable[[Any], Element]] = {
    Text: _text,
    Rect: _rect,
    Line: _line,
    Dot: _dot,
    Cells: _cells,
}
