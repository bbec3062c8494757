"""Checks that a graph survives its text and its file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from spikec.errors import GraphError
from spikec.ir import Graph, store
from spikec.ir.parser import parse
from spikec.ir.printer import print_graph


def check_round_trips(graph: Graph) -> None:
    """Raise unless parse(print(g)) == g and load(save(g)) == g."""
    if parse(print_graph(graph), graph.arrays()) != graph:
        raise GraphError(f"{graph.name!r} is another graph after print and parse")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.spk"
        store.save(graph, path)
        if store.load(path)[0] != graph:
            raise GraphError(f"{graph.name!r} is another graph after save and load")
