"""What can run a NIR file here: SpikingJelly, norse, or spikec's own importer behind nir."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from spikec.errors import UsageError
from spikec.ir import Graph
from spikec.runtime import trace

Numbers = NDArray[Any]
Named = Mapping[str, Numbers]


@dataclass(frozen=True)
class Task:
    """A file and what it is to be run on; arrays are [steps, samples, …]."""

    path: Path
    inputs: Named
    """by Input node"""
    neurons: tuple[str, ...]
    outputs: tuple[str, ...]
    """the Output nodes"""
    dt: float

    @property
    def wanted(self) -> tuple[str, ...]:
        """The nodes whose values are to be given."""
        return (*self.neurons, *self.outputs)


@dataclass(frozen=True)
class Played:
    """What each node gave, and what ran it."""

    values: Named
    tool: str


class Player(Protocol):
    """A framework that runs NIR files."""

    @property
    def name(self) -> str:
        """The framework's, for messages."""

    def version(self) -> str | None:
        """Give its version; None where it is not there."""

    def unfit(self, graph: Any, task: Task) -> str:
        """Say what of a graph the framework would compute otherwise; nothing where it is fit."""

    def run(self, graph: Any, task: Task) -> dict[str, Numbers]:
        """Run it, under the semantics that the metadata tell."""


def beside() -> tuple[Player, ...]:
    """Give the frameworks that may be installed beside spikec, the best first."""
    from spikec.backends.nir_graph.play_norse import Norse
    from spikec.backends.nir_graph.play_spikingjelly import SpikingJelly

    return SpikingJelly(), Norse()


def installed(distribution: str, module: str) -> str | None:
    """Give the version of a framework; None where it is not installed."""
    return version(distribution) if importlib.util.find_spec(module) else None


def play(task: Task, reader: Callable[..., Graph] | None, players: tuple[Player, ...]) -> Played:
    """Run a file by the first framework that is there and fit, else by reading it back."""
    if importlib.util.find_spec("nir") is None:
        return _read_back(task, reader, task.path, "nir is not installed")
    import nir

    graph = nir.read(str(task.path))
    reasons = []
    for player in players:
        found = player.version()
        if found is None:
            continue
        reason = player.unfit(graph, task)
        if not reason:
            tool = f"{player.name} {found}, nir {nir.version}"
            return Played(player.run(graph, task), tool)
        reasons.append(f"{player.name} would not do: {reason}")
    return _read_back(task, reader, graph, "; ".join([f"nir {nir.version}", *reasons]))


def _read_back(task: Task, reader: Callable[..., Graph] | None, source: Any, beside: str) -> Played:
    """Import the file and run the graph."""
    if reader is None:
        raise UsageError(
            "nothing here can run a NIR file",
            where=str(task.path),
            remedy="pip install spikingjelly or norse; Program.verify reads it back without them",
        )
    graph = reader(source)
    steps = len(next(iter(task.inputs.values())))
    found = trace(graph, dict(task.inputs), "layerwise", record=task.neurons, steps=steps)
    outputs = zip((node.name for node in graph.outputs), found.outputs, strict=True)
    return Played({**found.values, **dict(outputs)}, f"spikec's own importer ({beside})")
