"""NIR files between spikec and four frameworks, compared spike by spike, in one table.

    python -m benchmarks.peers_nir [--images 50] [--steps 16] [--nets lenet mlp] [--peers …]

Export: LeNet and MLP (`mnist_nets`), converted by recipe `rate`, are written as NIR and run by each
framework, once under the semantics that it has by itself (the program is then changed to the same
resets and comparisons) and, where it can be told to, under those of the program: soft reset, `>=`,
initial potentials.  Every entry of every layer's train is compared with the layerwise engine.
Import: networks that the frameworks build, run and write are imported, and every entry of their
output trains is compared.

Frameworks stand in environments of their own (`nir_environments`); data as `mnist_nets`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import spikec
from benchmarks import mnist_nets, nir_frameworks, nir_writers
from benchmarks.nir_environments import PEERS, SINABS, Environment, interpreter
from spikec.artifact import Deployable, export
from spikec.backends.nir_graph import NirExporter
from spikec.backends.nir_graph.players import Task
from spikec.frontends.nir_graph import import_model
from spikec.ir import Graph, ops
from spikec.ir.edit import copied
from spikec.ir.ops import Comparison, IntegrateFire, Reset
from spikec.runtime import trace
from spikec.verification import severed, verify

Numbers = NDArray[Any]
CALIBRATION = 512
NETS = {"lenet": mnist_nets.lenet, "mlp": mnist_nets.mlp}
TOLD = "soft reset, >=, v(0)"


@dataclass(frozen=True)
class Peer:
    """A framework under one semantics."""

    key: str
    """in `nir_frameworks`"""
    environment: Environment
    semantics: str
    comparison: Comparison | None = None
    """with a hard reset to 0 from 0; None: the program as it is"""
    options: tuple[tuple[str, Any], ...] = ()
    """of the export"""


SNNTORCH = (("neurons", "LIF"), ("dt", 1e-4))
EXPORTS = (
    Peer("norse", PEERS, "reset to 0, >", Comparison.ABOVE),
    Peer("norse, told", PEERS, TOLD),
    Peer("SpikingJelly", PEERS, "reset to 0, >=", Comparison.AT_LEAST),
    Peer("SpikingJelly, told", PEERS, TOLD),
    Peer("snnTorch", PEERS, "reset to 0, >", Comparison.ABOVE, SNNTORCH),
    Peer("sinabs", SINABS, "many spikes, >=, cut at -θ"),
    Peer("sinabs, told", SINABS, TOLD),
)
MANY = {"reset": "subtract", "comparison": ">=", "levels": 1000}
IMPORTS: Mapping[str, tuple[Environment, str, Mapping[str, Any]]] = {
    "norse, dense": (PEERS, "IF and LIF, reset to 0, >", {"dt": 1e-6, "gain": "unit-if"}),
    "norse, conv": (PEERS, "IF, reset to 0, >", {"gain": "unit-if"}),
    "SpikingJelly": (PEERS, "IF and LIF, reset to 0, >=", {"dt": 1e-4, "comparison": ">="}),
    "sinabs": (SINABS, "IF, many spikes, >=", MANY),
}
"""by name in `nir_writers`; norse 1.1 writes τ as dt² / τ, which dt = 1e-6 undoes"""


@dataclass(frozen=True)
class Elsewhere:
    """Runs NIR files in another environment."""

    key: str
    environment: Environment

    @property
    def name(self) -> str:
        return self.key

    def version(self) -> str:
        """Give the version that is pinned."""
        return self.environment.versions[self.key.split(",")[0].lower()]

    def unfit(self, graph: object, task: Task) -> str:
        """Refuse nothing: what differs is to be seen."""
        return ""

    def run(self, graph: object, task: Task) -> dict[str, Numbers]:
        """Hand the file over, and read what came of it."""
        with tempfile.TemporaryDirectory() as folder:
            job = Path(folder) / "job.npz"
            (x,) = task.inputs.values()
            np.savez(job, x=x, dt=task.dt, wanted=np.array(task.wanted))
            return _child(nir_frameworks.__file__, self.environment, self.key, task.path, job)


def main() -> None:
    """Print one line for each network and framework."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--nets", nargs="*", default=list(NETS), choices=list(NETS))
    parser.add_argument(
        "--peers", nargs="*", default=["norse", "SpikingJelly", "snnTorch", "sinabs"]
    )
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    split = mnist_nets.data()
    images = split.test_x[: chosen.images]
    print(f"{chosen.images} images, {chosen.steps} steps")
    print(
        ROW.format("what", "framework", "semantics", "entries", "spikes", "unequal", "ties", "ok")
    )
    for net in chosen.nets:
        program = spikec.convert(
            NETS[net](),
            split.train_x[:CALIBRATION],
            chosen.steps,
            "rate",
            example_input=torch.zeros(1, 1, 28, 28),
        )
        for peer in EXPORTS:
            if peer.key.split(",")[0] in chosen.peers:
                print(ROW.format(f"{net} ->", *exported(program, peer, images)), flush=True)
    for key in IMPORTS:
        if key.split(",")[0] in chosen.peers:
            print(ROW.format("<- file of", *_imported(key, images, chosen.steps)), flush=True)


ROW = "{:11} {:26} {:27} {:>11} {:>9} {:>8} {:>5}  {}"


def exported(program: spikec.Program, peer: Peer, images: Numbers) -> tuple[str, ...]:
    """Export a program, run it by a framework, compare."""
    player = Elsewhere(peer.key, peer.environment)
    exporter = NirExporter(import_model, players=(player,))
    graph = program.graph if peer.comparison is None else _hard(program.graph, peer.comparison)
    options = {"unit_thresholds": True, **dict(peer.options)}
    title = f"{peer.key.split(',')[0]} {player.version()}", peer.semantics
    source = Deployable(graph, program.steps, program.recipe)
    inputs = program.inputs(images)
    if peer.key == "sinabs":
        return (*title, *_many_spikes(exporter, source, inputs, options))
    (check,) = verify(exporter, source, inputs, ("nir_graph", options)).checks
    seen, spikes = check.compared, _spikes(graph, inputs, program.steps)
    counts = (f"{n:,}" for n in (seen.entries, spikes, seen.unequal, seen.ties))
    return (*title, *counts, "equal" if check.ok else f"DIFFERENT: {check.first_difference}")


def _hard(graph: Graph, comparison: Comparison) -> Graph:
    """Give the network with the neurons that a framework has."""
    changed = copied(graph)
    for node in changed:
        if isinstance(node.op, IntegrateFire):
            node.op = replace(node.op, reset=Reset.HARD, v0=None, comparison=comparison)
    return changed


def _spikes(graph: Graph, inputs: Mapping[str, Numbers], steps: int) -> int:
    names = [node.name for node in graph if isinstance(node.op, IntegrateFire)]
    values = trace(graph, dict(inputs), "layerwise", record=names, steps=steps).values
    return sum(int(np.count_nonzero(train)) for train in values.values())


def _many_spikes(
    exporter: NirExporter,
    source: Deployable,
    inputs: Mapping[str, Numbers],
    options: Mapping[str, Any],
) -> Iterator[str]:
    """Compare with equations that no neuron of ours has: n = floor(h / θ), v = max(h - n θ, -θ).

    Each layer is stepped under the spikes that the framework itself has sent it.
    """
    with tempfile.TemporaryDirectory() as folder:
        artifact = export(exporter, "nir_graph", source, Path(folder) / "out", **options)
        recorded = exporter.run(artifact, inputs, "nir")
    cut, currents = severed(source.graph)
    given = {**inputs, **recorded.spikes}
    seen = trace(cut, given, "layerwise", record=(), steps=source.steps, dtype="float64")
    values = dict(zip((node.name for node in cut.outputs), seen.outputs, strict=True))
    entries = spikes = unequal = 0
    for node in source.graph:
        if isinstance(node.op, ops.IntegrateFire):
            threshold = node.op.threshold.data.astype(np.float64)
            counts = np.rint(recorded.spikes[node.name] / threshold)
            unequal += int((_stepped(values[currents[node.name]], threshold) != counts).sum())
            entries, spikes = entries + counts.size, spikes + int(counts.sum())
    yield from (f"{n:,}" for n in (entries, spikes, unequal))
    yield from ("-", "DIFFERENT" if unequal else "equal")


def _stepped(currents: Numbers, threshold: Numbers) -> Numbers:
    v, rows = np.zeros(currents.shape[1:]), []
    for x in currents:
        h = v + x
        rows.append(np.floor(np.maximum(h, 0) / threshold))
        v = np.maximum(h - rows[-1] * threshold, -threshold)
    return np.stack(rows)


def _imported(key: str, images: Numbers, steps: int) -> tuple[str, ...]:
    """Let a framework write a network, import it, compare."""
    environment, semantics, options = IMPORTS[key]
    name, _, what = key.partition(", ")
    with tempfile.TemporaryDirectory() as folder:
        path, job = Path(folder) / "net.nir", Path(folder) / "images.npz"
        np.savez(job, x=np.repeat(images[None], steps, axis=0))
        made = _child(nir_writers.__file__, environment, key, job, path)
        graph = import_model(path, **options)
    (found,) = trace(graph, {graph.inputs[0].name: made["x"]}, "layerwise", record=()).outputs
    y = made["y"].reshape(found.shape)
    unequal = int((found != y).sum())
    counts = (f"{n:,}" for n in (y.size, int(y.sum()), unequal))
    version = environment.versions[name.lower()]
    ok = "DIFFERENT" if unequal else "equal"
    return (f"{name} {version} {what}".strip(), semantics, *counts, "-", ok)


def _child(script: str, environment: Environment, *arguments: str | Path) -> dict[str, Numbers]:
    """Run a script in another environment; give the arrays that it writes."""
    root = Path(spikec.__file__).parents[1]
    variables = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.npz"
        command = [interpreter(environment), script, *arguments, results]
        done = subprocess.run(
            list(map(str, command)), env=variables, capture_output=True, text=True, check=False
        )
        if done.returncode or not results.is_file():
            sys.exit(f"{arguments[0]} broke off:\n{done.stderr[-3000:]}")
        with np.load(results) as found:
            return dict(found)


if __name__ == "__main__":
    main()
