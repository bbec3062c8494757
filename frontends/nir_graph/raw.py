"""What a NIR graph holds, whether it came from a file or from objects: names, arrays and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Field = NDArray[Any] | str
Edge = tuple[str, str]


@dataclass(frozen=True)
class RawNode:
    """A node: the name of its class, and its fields."""

    kind: str
    fields: Mapping[str, Field]
    metadata: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True)
class RawGraph:
    """A graph, whose nodes may be graphs."""

    nodes: Mapping[str, RawNode | RawGraph]
    edges: tuple[Edge, ...]
    metadata: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A graph, and where it comes from."""

    graph: RawGraph
    origin: str
    """for messages: the file, or the class of the object"""
    version: tuple[int, ...] | None
    """of the nir package that wrote the file; None where it is not known"""


def version_of(text: str) -> tuple[int, ...] | None:
    """Read a version.

    >>> version_of("1.0.8"), version_of("1.0.6.dev3"), version_of("")
    ((1, 0, 8), (1, 0, 6), None)
    """
    numbers: list[int] = []
    for part in text.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers) or None
