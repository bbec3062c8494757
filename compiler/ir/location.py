"""Where a node came from: module path, the user's file and line, or the ONNX node's name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One origin; every part that is unknown is empty."""

    module: str = ""
    file: str = ""
    line: int = 0
    onnx: str = ""

    def __str__(self) -> str:
        """Write ``layer1.0.conv1 (model.py:12)``."""
        source = f"{self.file}:{self.line}" if self.file else ""
        name = self.module or (f"ONNX node {self.onnx}" if self.onnx else "")
        return f"{name} ({source})" if name and source else name or source


@dataclass(frozen=True)
class Location:
    """All places that a node stands for; passes merge them.

    >>> print(Location.at(module="fc", file="net.py", line=7))
    fc (net.py:7)
    """

    places: tuple[Place, ...] = ()

    @staticmethod
    def at(module: str = "", file: str = "", line: int = 0, onnx: str = "") -> Location:
        """Give the location of one place; nothing known gives the empty location."""
        place = Place(module, file, line, onnx)
        return Location((place,) if place != Place() else ())

    def __add__(self, other: Location) -> Location:
        """Merge, each place once, in order."""
        return Location(tuple(dict.fromkeys(self.places + other.places)))

    def __str__(self) -> str:
        """Write every place."""
        return " + ".join(map(str, self.places))

    def __bool__(self) -> bool:
        return bool(self.places)
