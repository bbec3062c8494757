"""From a placed graph to what a chip holds: groups of neurons, links between them, depths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from spikec.backends.sanafe_chip.chips import INPUTS, NEVER
from spikec.ir import Array, Graph, Spikes, Value, ops
from spikec.target.edges import Edges, Numbers
from spikec.target.layers import Layer, layers_of, sources_of
from spikec.target.partition import Partition
from spikec.target.placement import Placement
from spikec.target.reach import Shape, shape_of
from spikec.target.timing import depths
from spikec.target.wiring import Current, wire

Indices = NDArray[np.int64]
DENSE = 0.5
"""share of all pairs from which on a link is a dense one"""


class Kind(Enum):
    """What a group does."""

    EVENTS = "events"
    """sends what the host gives"""
    NEURONS = "neurons"
    ACCUMULATOR = "accumulator"
    """adds up, for the host to read"""


@dataclass(frozen=True, eq=False)
class Group:
    """Neurons of one layer, or sources of the host's events."""

    key: str
    """its name on the chip"""
    name: str
    """of the value that it sends, or adds up"""
    kind: Kind
    size: int
    depth: int
    """its own step t is step t + depth of the chip"""
    core: Indices
    """by neuron"""
    reset: str = "none"
    synapse: str = "sparse"
    threshold: Numbers = field(default_factory=lambda: np.zeros(0))
    bias: Numbers = field(default_factory=lambda: np.zeros((0, 0)))
    """[steps, neurons]: all that comes without events, the initial potential in the first step"""
    currents: Mapping[str, Edges] = field(default_factory=dict)
    """what currents of the host, by name, bring"""


@dataclass(frozen=True, eq=False)
class Link:
    """Synapses from group to group; a weight is what one event brings."""

    source: str
    target: str
    edges: Edges


@dataclass(frozen=True, eq=False)
class Network:
    """All that stands on the chip."""

    groups: tuple[Group, ...]
    links: tuple[Link, ...]
    steps: int

    @property
    def depth(self) -> int:
        """By so many steps the last layer is late."""
        return max((group.depth for group in self.groups), default=0)

    @property
    def inputs(self) -> int:
        """Number of sources of the host's events."""
        return sum(group.size for group in self.groups if group.kind is Kind.EVENTS)

    @property
    def edges(self) -> int:
        """Number of synapses."""
        return sum(len(link.edges) for link in self.links)

    def most(self, key: str, current: float = 0.0) -> float:
        """Bound |potential| of a group, where the host's currents are at most ``current``."""
        group = next(group for group in self.groups if group.key == key)
        total = np.abs(group.bias).sum(axis=0) + self.steps * current
        for link in self.links:
            if link.target == key:
                each = np.abs(link.edges.weight)
                total += self.steps * np.bincount(link.edges.target, each, group.size)
        return float(total.max(initial=0))


def network_of(graph: Graph, cut: Partition, placement: Placement, steps: int) -> Network:
    """Write out the layers of the chip's part of a graph."""
    layers = layers_of(graph, set(cut.chip))
    writer = _Writer(wire(graph, set(cut.chip)), depths(sources_of(layers)), placement, steps)
    for layer in layers:
        writer.layer(layer)
    return Network(tuple(writer.groups.values()), tuple(writer.links), steps)


@dataclass
class _Writer:
    currents: Mapping[str, Current]
    depth: Mapping[str, int]
    placement: Placement
    steps: int
    groups: dict[str, Group] = field(default_factory=dict)
    """by name of the value"""
    links: list[Link] = field(default_factory=list)
    ports: int = 0
    """sources of events so far"""

    def layer(self, layer: Layer) -> None:
        """Write a layer, the links that lead to it, and the events and currents that it needs."""
        current = self.currents[layer.name]
        kind = Kind.ACCUMULATOR if _reads(layer) else Kind.NEURONS
        group = Group(
            key=self._key(),
            name=layer.name,
            kind=kind,
            size=layer.neurons,
            depth=self.depth[layer.name],
            core=self._cores(layer.name, layer.shape),
            bias=self._bias(layer, current),
        )
        self.groups[layer.name] = group
        shares, outside = [], {}
        for source, edges in current.edges.items():
            if not source.value.type.is_spikes:
                outside[source.value.name] = edges
                continue
            key = self._source(source.value)
            weighted = _in_events(edges, source.value)
            self.links.append(Link(key, group.key, weighted))
            shares.append(len(edges) / (edges.targets * edges.sources))
        conv = all(c.path.kernel is not None for c in layer.inputs)
        dense = min(shares, default=0.0) >= DENSE
        synapse = "dense" if dense else "conv" if conv and shares else "sparse"
        reset, threshold = _attributes(layer)
        self.groups[layer.name] = replace(
            group, synapse=synapse, currents=outside, reset=reset, threshold=threshold
        )

    def _source(self, value: Value) -> str:
        """Give the key of what sends a value; events of the host get a group of their own."""
        name = value.name
        if name not in self.groups:
            shape = shape_of(value.type)
            size = int(np.prod(shape, dtype=np.int64))
            port = self.ports + np.arange(size)
            self.ports += size
            self.groups[name] = Group(self._key(), name, Kind.EVENTS, size, 0, port)
        return self.groups[name].key

    def _key(self) -> str:
        return f"g{len(self.groups):04d}"

    def _cores(self, name: str, shape: Shape) -> Indices:
        """Give the simulator's number of each neuron's core: tile after tile, chip after chip."""
        mesh = self.placement.mesh
        slot = np.array(self.placement.slots)[self.placement.cores_of(name, shape).ravel()]
        whole = mesh.width * mesh.height * mesh.per_tile
        return np.asarray(slot // mesh.usable * whole + slot % mesh.usable)

    def _bias(self, layer: Layer, current: Current) -> Numbers:
        bias = np.zeros((self.steps, layer.neurons))
        for lasting, constant in current.constants.items():
            bias[: lasting or self.steps] += constant
        v0 = getattr(layer.node.op, "v0", None)
        if v0 is not None:
            bias[0] += _wide(v0, layer.shape)
        return bias


def _reads(layer: Layer) -> bool:
    return not isinstance(layer.node.op, ops.IntegrateFire)


def _attributes(layer: Layer) -> tuple[str, Numbers]:
    """Give reset and thresholds; what never fires has none that could be reached."""
    op = layer.node.op
    if not isinstance(op, ops.IntegrateFire):
        return "none", np.full(layer.neurons, NEVER)
    return op.reset.value, _wide(op.threshold, layer.shape)


def _wide(array: Array, shape: Shape) -> Numbers:
    return np.broadcast_to(array.data.astype(np.float64), shape).ravel()


def _in_events(edges: Edges, value: Value) -> Edges:
    """Give weights for events, from those for their values."""
    signal = value.type.signal
    assert isinstance(signal, Spikes)
    amplitude = _wide(signal.amplitude, shape_of(value.type))
    return replace(edges, weight=edges.weight * amplitude[edges.source])


def port_of(number: Indices, cores: int) -> tuple[Indices, Indices]:
    """Give core and unit of sources of events, behind so many cores of the chip."""
    return cores + number // INPUTS, number % INPUTS
