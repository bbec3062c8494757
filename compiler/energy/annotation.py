"""Counts and energy on the nodes of a graph: a note that is saved, shown and printed with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spikec.energy.counts import plain
from spikec.energy.result import Energy, LayerEnergy
from spikec.errors import BadFile
from spikec.ir import Graph
from spikec.ir.printer import fingerprint
from spikec.report.words import quantity

NOTE = "energy"
"""the note of a graph that holds it, as JSON"""


@dataclass(frozen=True)
class NodeCost:
    """What a node takes for one sample: means."""

    pj: float
    counts: Mapping[str, float]
    """those that are not 0, by name"""

    def __str__(self) -> str:
        """Write it as a remark: ``12.3 nJ; acs 4,120, updates 800``."""
        told = ", ".join(f"{name} {number:,.10g}" for name, number in self.counts.items())
        return f"{quantity(self.pj * 1e-12, 'J')}; {told}" if told else quantity(0, "J")


@dataclass(frozen=True)
class Annotation:
    """What an estimate says of each node of one graph."""

    profile: str
    steps: int
    samples: int
    graph: str
    """fingerprint of the graph that was measured"""
    nodes: Mapping[str, NodeCost]


def annotate(graph: Graph, energy: Energy) -> None:
    """Write an estimate of the graph onto its nodes."""
    nodes = {layer.name: _cost(layer) for layer in energy.layers}
    told = Annotation(energy.profile.name, energy.steps, energy.samples, fingerprint(graph), nodes)
    graph.notes[NOTE] = json.dumps(asdict(told), sort_keys=True)


def annotation_of(graph: Graph) -> Annotation | None:
    """Read what stands on the nodes; None for nothing, or for a graph that has changed since."""
    text = graph.notes.get(NOTE)
    if text is None:
        return None
    try:
        told = _read(json.loads(text))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadFile(
            f"the energy note of {graph.name!r} is damaged: {error}",
            remedy="write it again: spikec energy PROGRAM.spk --data DATA.npz --save PROGRAM.spk",
        ) from error
    return told if told.graph == fingerprint(graph) else None


def _read(told: Mapping[str, Any]) -> Annotation:
    nodes = {
        str(name): NodeCost(float(cost["pj"]), {k: plain(v) for k, v in cost["counts"].items()})
        for name, cost in told["nodes"].items()
    }
    steps, samples = int(told["steps"]), int(told["samples"])
    return Annotation(str(told["profile"]), steps, samples, str(told["graph"]), nodes)


def _cost(layer: LayerEnergy) -> NodeCost:
    counts = {name: number for name, number in layer.counts.to_json().items() if number}
    return NodeCost(layer.total_pj, counts)
