"""Counts what every node of a graph does for each sample, from types and recorded events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from spikec.energy.counts import Counts, Work, joined
from spikec.energy.rules import rule_of
from spikec.energy.rules.elementwise import nothing
from spikec.energy.site import Recorded, Site, Wholes, train_of
from spikec.energy.storage import storage_of
from spikec.errors import UnsupportedModel
from spikec.ir import Graph, Node, Sizes, Value
from spikec.runtime.layerwise.split import samples_never_meet

Numbers = NDArray[Any]
Routes = Mapping[str, tuple[Wholes, Wholes, Wholes]]
"""by neuron layer of a placed program: messages, and hops by column and row, of one event of each
neuron"""


@dataclass(frozen=True, eq=False)
class Row:
    """A node and its work."""

    node: Node
    work: Work


class Counter:
    """Adds up the work of a graph while samples run: it sees events, and keeps counts alone."""

    def __init__(self, graph: Graph, steps: int, routes: Routes | None = None) -> None:
        if not samples_never_meet(graph):
            raise UnsupportedModel(
                f"in {graph.name!r} samples meet: none has an energy of its own",
                expected="a network that computes each sample alone",
            )
        self.graph = graph
        self.steps = steps
        self.routes = routes or {}
        self.wanted = tuple(filter(_is_read, (v for node in graph for v in node.outputs)))
        self.names = frozenset(value.name for value in self.wanted)
        """values that it wants to see"""
        self.fans: dict[Node, Wholes] = {}
        self.blocks: list[tuple[int, dict[Node, Work]]] = []

    def see(self, values: Mapping[str, Numbers], samples: int) -> None:
        """Count a block of samples, the next after those seen; ``values`` holds at least names."""
        sizes = Sizes(samples, self.steps)
        trains = {v: train_of(values[v.name], v.type, sizes) for v in self.wanted}
        seen = Recorded(sizes, values, trains, self.fans)
        works = {node: self._work(Site(node, seen)) for node in self.graph}
        self.blocks.append((samples, works))

    @property
    def samples(self) -> int:
        """Number of samples seen."""
        return sum(size for size, _ in self.blocks)

    def _work(self, site: Site) -> Work:
        work = rule_of(type(site.op))(site)
        stored = storage_of(site.node) if work.synapses else work.storage
        work = replace(work, runs=site.runs, storage=stored)
        route = self.routes.get(site.node.name)
        if route is None or not site.result.is_spikes:
            return work
        events = site.seen.trains[site.node.outputs[0]].events
        messages, hops_x, hops_y = (events @ fan for fan in route)
        sent = replace(work.counts, messages=messages, hops_x=hops_x, hops_y=hops_y)
        return replace(work, counts=sent)

    def result(self) -> tuple[Row, ...]:
        """Give the work of every node, for all samples seen."""
        rows = []
        for node in self.graph:
            parts = [(size, works[node]) for size, works in self.blocks]
            arrived = joined((size, Counts(events=work.arrived)) for size, work in parts)
            counts = joined((size, work.counts) for size, work in parts)
            rows.append(Row(node, replace(parts[0][1], counts=counts, arrived=arrived.events)))
        return tuple(rows)


def count_static(graph: Graph, steps: int = 1) -> tuple[Row, ...]:
    """Count a graph without events: nothing depends on data."""
    counter = Counter(graph, steps)
    counter.see({}, 1)
    return counter.result()


def _is_read(value: Value) -> bool:
    """Tell whether the events of a value count: where they are sent, and where they work."""
    if not value.type.is_spikes:
        return False
    moved = rule_of(type(value.producer.op)) is nothing
    return not moved or any(rule_of(type(user.op)) is not nothing for user in value.users)
