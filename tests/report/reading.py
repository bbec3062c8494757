"""Reads pages as a browser would, as far as tests need it."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

VOID = {"meta", "link", "br"}


class Tree(HTMLParser):
    """Elements with their attributes and texts; an element that is not closed fails."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        """innermost element and text"""
        self.rows: list[list[str]] = []
        """cells of each row of a table"""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    def of(self, tag: str) -> Iterator[dict[str, str]]:
        """Give the attributes of all elements of a kind."""
        return (attributes for name, attributes in self.elements if name == tag)

    def text(self) -> str:
        """Give all texts, one a line."""
        return "\n".join(text for _, text in self.texts)
