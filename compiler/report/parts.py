"""Pieces of a page: cards, tables, folds, figures; each is one element."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spikec.report.markup import Element, e
from spikec.report.shapes import Picture
from spikec.report.svg import to_svg


def pictured(picture: Picture, *parts: Element | None, note: str = "") -> Element:
    """Make a box around a picture, under its title."""
    return card(picture.title, figure(picture), *parts, note=note)


def section(name: str, title: str, about: str, *parts: Element | None) -> Element:
    """Make a part of the page with its heading, and one sentence on what it shows."""
    return e("section", e("h2", title), e("p", about, class_="about"), parts, id=name)


def card(title: str, *parts: Element | None, note: str = "") -> Element:
    """Make a box with a heading."""
    foot = e("p", note, class_="note") if note else None
    return e("div", e("h3", title) if title else None, parts, foot, class_="card")


def wide_card(title: str, *parts: Element | None) -> Element:
    """Make a box that takes the room of two, where there is room."""
    made = card(title, *parts)
    made.set("class", "card broad")
    return made


def cards(*parts: Element | None, kind: str = "cards") -> Element:
    """Set boxes side by side, as many as the screen is wide."""
    return e("div", parts, class_=kind)


def figure(picture: Picture) -> Element:
    """Show a picture."""
    return e("figure", to_svg(picture))


def fold(summary: str, *parts: Element | None, opened: bool = False) -> Element:
    """Hide what is long behind a line that opens it, without a script."""
    made = e("details", e("summary", summary), parts)
    if opened:
        made.set("open", "")
    return made


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> Element:
    """Make a table; the first ``texts`` columns are words, the others numbers."""

    def cell(tag: str, index: int, text: str) -> Element:
        made = e(tag, text)
        if index >= texts:
            made.set("class", "number")
        else:
            made.set("class", "word" if heads[index] else "index")
        return made

    head = e("tr", [cell("th", i, text) for i, text in enumerate(heads)])
    body = [e("tr", [cell("td", i, text) for i, text in enumerate(row)]) for row in rows]
    return e("div", e("table", e("thead", head), e("tbody", body)), class_="scroll")


def tile(value: str, label: str, more: str = "") -> Element:
    """Show one number large."""
    small = e("small", more) if more else None
    return e("div", e("b", value), e("span", label), small, class_="tile")
