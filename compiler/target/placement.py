"""A placement: which neurons of which layer stand on which core, and where that core lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spikec.errors import BadFile, Problem, UnsupportedModel
from spikec.ir import Graph
from spikec.target.arrange import arrange, cost_of
from spikec.target.axes import Counts
from spikec.target.divide import Division, Resource, limits_of
from spikec.target.layers import Layer
from spikec.target.mesh import Mesh, mesh_of
from spikec.target.model import Target
from spikec.target.packing import Packing, pack
from spikec.target.reach import Shape
from spikec.target.traffic import Events, traffic_of

if TYPE_CHECKING:
    import networkx

NOTE = "placement"
"""the note of a placed graph that holds its placement as JSON"""


@dataclass(frozen=True)
class Part:
    """A block of a layer on a core: indices ``start`` up to ``stop`` of each axis."""

    layer: str
    core: int
    start: Shape
    stop: Shape
    needs: Mapping[str, int]
    """by resource: neurons, synapses, synapse bits, input axons, output axons"""


@dataclass(frozen=True)
class Placement:
    """All parts, the slots of the cores on the mesh, and what goes from core to core."""

    target: str
    mesh: Mesh
    parts: tuple[Part, ...]
    slots: tuple[int, ...]
    """by core"""
    limits: Mapping[str, int]
    """of one core, by resource"""
    traffic: tuple[tuple[int, int, float], ...]
    """from core, to core, messages per step"""
    hops: float
    """Σ messages · routers passed, per step"""
    unplaced_hops: float
    """the same with the cores in the order of the layers: what the search started from"""
    measured: bool
    """messages are those of measured events; else every neuron counts as if it sent at each step"""

    @property
    def cores(self) -> int:
        """Number of cores that hold anything."""
        return len(self.slots)

    def use(self, resource: str) -> tuple[float, ...]:
        """Give the share of a resource that each core uses."""
        total = np.zeros(self.cores)
        for part in self.parts:
            total[part.core] += part.needs.get(resource, 0)
        return tuple(float(share) for share in total / max(1, self.limits[resource]))

    def cores_of(self, layer: str, shape: Shape) -> Counts:
        """Give the core of each neuron of a layer."""
        cores = np.full(shape, -1)
        for part in self.parts:
            if part.layer == layer:
                cells = (slice(a, b) for a, b in zip(part.start, part.stop, strict=True))
                cores[tuple(cells)] = part.core
        return cores

    def to_networkx(self) -> networkx.DiGraph[int]:
        """Give the cores as a graph: edges carry ``messages`` per step and ``hops``."""
        import networkx

        graph: networkx.DiGraph[int] = networkx.DiGraph(name=self.target)
        tiles, far = self.mesh.tiles(), self.mesh.far(np.array(self.slots, np.int64))
        for core, slot in enumerate(self.slots):
            graph.add_node(core, slot=slot, tile=tuple(map(int, tiles[slot])))
        for a, b, messages in self.traffic:
            graph.add_edge(a, b, messages=messages, hops=int(far[a, b]))
        return graph

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        return asdict(self)

    @staticmethod
    def from_json(data: Any) -> Placement:
        """Read what ``to_json`` gave."""
        try:
            rows = dict(data)
            parts = tuple(
                Part(p["layer"], p["core"], tuple(p["start"]), tuple(p["stop"]), dict(p["needs"]))
                for p in rows.pop("parts")
            )
            return Placement(
                mesh=Mesh(**rows.pop("mesh")),
                parts=parts,
                slots=tuple(rows.pop("slots")),
                traffic=tuple((a, b, n) for a, b, n in rows.pop("traffic")),
                **rows,
            )
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            what = f"the placement cannot be read: {error}"
            raise BadFile(what, remedy="place the program again: spikec lower") from error


def place(layers: tuple[Layer, ...], target: Target, events: Events | None = None) -> Placement:
    """Pack all layers into cores, and give each core its place on the mesh."""
    packing = pack(layers, target)
    _check(packing, target)
    traffic = traffic_of(packing, events)
    mesh = mesh_of(target, len(traffic))
    slots = arrange(traffic, mesh)
    start = mesh.snake()[: len(slots)]
    rows = np.argwhere(traffic > 0).tolist()
    return Placement(
        target=target.name,
        mesh=mesh,
        parts=tuple(part for i in range(len(layers)) for part in _parts(packing, i)),
        slots=tuple(map(int, slots)),
        limits={resource.value: most for resource, most in limits_of(target).items()},
        traffic=tuple((a, b, float(traffic[a, b])) for a, b in rows),
        hops=cost_of(traffic, mesh, slots),
        unplaced_hops=cost_of(traffic, mesh, start),
        measured=events is not None,
    )


def _parts(packing: Packing, number: int) -> list[Part]:
    division, cores = packing.divisions[number], packing.cores[number]
    return [
        Part(division.layer.name, int(core), start, stop, _needs(division, i))
        for i, (core, (start, stop)) in enumerate(zip(cores, _blocks(division), strict=True))
    ]


def _check(packing: Packing, target: Target) -> None:
    """Refuse neurons that no core holds."""
    problems = [
        Problem(
            f"a neuron with {int(division.layer.fan_in().max())} synapses, "
            f"{division.pieces} times what a core takes",
            division.layer.node.place,
            remedy="split-fan-in, where the neurons of the target can carry partial sums",
        )
        for division in packing.divisions
        if division.pieces > 1
    ]
    if problems:
        raise UnsupportedModel(f"{target.name} has no core for these neurons", problems=problems)


def _blocks(division: Division) -> list[tuple[Shape, Shape]]:
    """Give the bounds of each block, in row-major order."""
    shape, sizes = division.layer.shape, division.sizes
    counts = tuple(-(-n // s) for n, s in zip(shape, sizes, strict=True))
    found = []
    for index in np.ndindex(*counts):
        start = tuple(i * s for i, s in zip(index, sizes, strict=True))
        stop = tuple(min(n, a + s) for n, a, s in zip(shape, start, sizes, strict=True))
        found.append((start, stop))
    return found


def _needs(division: Division, block: int) -> dict[str, int]:
    return {r.value: int(division.demand[r][block]) for r in Resource}


def placement_of(graph: Graph) -> Placement | None:
    """Read the placement that a placed graph carries."""
    text = graph.notes.get(NOTE)
    if text is None:
        return None
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadFile(f"the placement of {graph.name!r} is damaged: {error}") from error
    return Placement.from_json(data)
