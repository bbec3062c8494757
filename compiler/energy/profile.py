"""What things cost, as data: every figure stands beside its source and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Figure:
    """One number of a table, who says so, and what is not in it."""

    value: float
    source: str
    leaves_out: str


@dataclass(frozen=True)
class Operations:
    """pJ of one operation; an absent one is not priced, and said so."""

    ac: Figure
    """add a weight to a sum because of an event"""
    ac_conv: Figure | None = None
    """the same where the weight is a kernel's; absent: as ``ac``"""
    ac_sparse: Figure | None = None
    """the same where connections are listed one by one; absent: as ``ac``"""
    mac: Figure | None = None
    """multiply and add"""
    add: Figure | None = None
    """add two analog values"""


@dataclass(frozen=True)
class Neurons:
    """pJ of what neurons do."""

    update: Figure | None = None
    """one step of one neuron"""
    event: Figure | None = None
    """send an event"""


@dataclass(frozen=True)
class Network:
    """pJ of one message; how many there are, and how far they go, says a placement."""

    message: Figure | None = None
    """to one core"""
    hop_x: Figure | None = None
    """from a router to the next, along a row"""
    hop_y: Figure | None = None
    """along a column"""


@dataclass(frozen=True)
class Point:
    """What one access to a memory of a size takes."""

    bytes: float
    pj: float


@dataclass(frozen=True)
class Memory:
    """Energy of an access by the size of the memory, with straight lines between points."""

    points: tuple[Point, ...]
    access_bytes: Figure
    """bytes that one access moves"""
    queue_bytes: Figure
    """size of a queue of events"""
    source: str
    leaves_out: str
    beyond: Figure | None = None
    """pJ of an access to a memory larger than the last point; absent: as the last point"""

    def per_byte(self, size: float) -> float:
        """Give pJ per byte moved to or from a memory of ``size`` bytes."""
        if self.beyond is not None and size > self.points[-1].bytes:
            return self.beyond.value / self.access_bytes.value
        sizes: NDArray[np.float64] = np.array([point.bytes for point in self.points])
        energies = np.array([point.pj for point in self.points])
        return float(np.interp(size, sizes, energies)) / self.access_bytes.value


@dataclass(frozen=True)
class Static:
    """What a chip takes although nothing happens, and for how long it does.

    t = steps · step + (acs · ac + updates · update + events · event) / cores; all cores are busy
    alike: a lower bound.
    """

    power: Figure
    """W of one chip"""
    step: Figure
    """ns that end a step"""
    ac: Figure | None = None
    """ns of a synaptic operation"""
    update: Figure | None = None
    """ns of one step of one neuron"""
    event: Figure | None = None
    """ns of an event that is sent"""
    neurons_per_core: Figure | None = None
    """absent: the chip is one core"""
    cores_per_chip: Figure | None = None


@dataclass(frozen=True)
class Profile:
    """A named table of prices."""

    name: str
    about: str
    leaves_out: str
    operations: Operations
    neurons: Neurons = field(default_factory=Neurons)
    network: Network = field(default_factory=Network)
    memory: Memory | None = None
    static: Static | None = None
    origin: str = ""
    """the file that it was read from"""

    def figures(self) -> Iterator[tuple[str, Figure, str]]:
        """Give each figure with its name in the file and its unit."""
        for section in ("operations", "neurons", "network", "memory", "static"):
            part = getattr(self, section)
            for option in fields(part) if part is not None else ():
                value = getattr(part, option.name)
                name = f"{section}.{option.name}".replace("_", "-")
                if isinstance(value, Figure):
                    yield name, value, unit_of(section, option.name)
                elif option.name == "points":
                    for point in value:
                        figure = Figure(point.pj, part.source, part.leaves_out)
                        yield f"{name} {point.bytes:,.0f} B", figure, "pJ"

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        figures = {name: {**asdict(figure), "unit": unit} for name, figure, unit in self.figures()}
        return {
            "name": self.name,
            "about": self.about,
            "leaves_out": self.leaves_out,
            "origin": self.origin,
            "figures": figures,
        }


def unit_of(section: str, name: str) -> str:
    """Give the unit of a figure."""
    if name in ("access_bytes", "queue_bytes"):
        return "B"
    if section != "static":
        return "pJ"
    return {"power": "W", "neurons_per_core": "", "cores_per_chip": ""}.get(name, "ns")
