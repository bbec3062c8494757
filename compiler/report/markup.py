"""HTML and SVG as trees of elements: whatever a text holds, it stays a text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable

Element = ET.Element
Child = Element | str | None
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def e(tag: str, *children: Child | Iterable[Child], **attributes: str | float) -> Element:
    """Make an element; ``class_`` is class, other underscores are hyphens.

    >>> to_html(e("p", "1 < 2", e("br"), "&c.", class_="note"))
    '<p class="note">1 &lt; 2<br>&amp;c.</p>'
    """
    named = {_name(key): clean(_written(value)) for key, value in attributes.items()}
    made = Element(tag, named)
    for child in children:
        for part in (child,) if isinstance(child, str | Element) else child or ():
            _append(made, part)
    return made


def to_html(element: Element) -> str:
    """Write a tree as HTML."""
    return ET.tostring(element, encoding="unicode", method="html")


def to_xml(element: Element) -> str:
    """Write a tree as XML, for files of its own."""
    return ET.tostring(element, encoding="unicode")


def clean(text: str) -> str:
    """Replace what may stand in no document: control characters and halves of characters."""
    return _CONTROL.sub("\ufffd", text.encode("utf-8", "replace").decode("utf-8"))


def _append(parent: Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, Element):
        parent.append(child)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + clean(child)
    else:
        parent.text = (parent.text or "") + clean(child)


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """Write a coordinate: a tenth of a pixel is seen by nobody.

    >>> number(12.0), number(3.14159), number(-0.04)
    ('12', '3.1', '0')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
