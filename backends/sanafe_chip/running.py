"""Runs an export on the simulated chip, in a process of its own, and reads what came of it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Artifact, Recorded
from spikec.backends.sanafe_chip.job import job_of
from spikec.backends.sanafe_chip.results import Results, results_of
from spikec.backends.sanafe_chip.writing import BEFORE, BEHIND, HOST, PLAN, SCRIPT, check_memory
from spikec.errors import MissingDependency, ToolFailed, UsageError
from spikec.executor import run_child, time_limit
from spikec.ir import Graph, Sizes, Spikes, Value, ops, store
from spikec.ir.atomic import replace_file
from spikec.ir.layout import unfolded
from spikec.pipeline.host import computed, name_of, not_crossing
from spikec.runtime.feed import bind_inputs
from spikec.target.reach import shape_of

Numbers = NDArray[Any]
Named = dict[str, Numbers]
LIMIT, PYTHON = "SPIKEC_SANAFE_LIMIT", "SPIKEC_SANAFE_PYTHON"
"""environment variables: seconds that a run may take; the interpreter that has sanafe"""
SECONDS = 600.0
RESULTS = "results.json"
NO_SANAFE = 3
"""how the child ends where sanafe is not installed"""
INSTALL = 'pip install "spikec[sanafe]"'
_SLOW = f"give it more time ({LIMIT}, in seconds), or fewer samples"
_BROKEN = "compare its last words with its version: sanafe 2.2.9 is the one that is tested"
_SMALL = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Simulation:
    """What a chip did with some samples, and what that cost."""

    recorded: Recorded
    results: Results


def simulate(
    artifact: Artifact,
    inputs: Mapping[str, Numbers],
    *,
    limit: float | None = None,
    python: str | None = None,
    memory: float | None = None,
) -> Simulation:
    """Run an export: ``limit`` in seconds, ``python`` an interpreter, ``memory`` in GiB.

    Energies and latencies are written to ``results.json`` in its folder, too.
    """
    graphs, _ = store.load_all(artifact.folder / HOST)
    plan = json.loads((artifact.folder / PLAN).read_text("utf-8"))
    check_memory(plan["synapses"], memory)
    sizes = bind_inputs(graphs[store.MAIN], dict(inputs), plan["steps"], "float32").sizes
    first = computed(graphs.get(BEFORE), inputs, sizes)
    job = job_of(graphs[store.MAIN], plan, artifact.folder, first, sizes)
    values = _run(artifact.folder, job, python, limit)
    seen = _seen(graphs[store.MAIN], plan, values, sizes)
    last = computed(graphs[BEHIND], {**inputs, **seen.read}, sizes)
    spikes = {**not_crossing(first), **not_crossing(last), **seen.spikes}
    results = results_of(values, artifact.ways[0], plan["cores"])
    outputs = {name: last[name] for name in artifact.manifest["outputs"]}
    tool = f"{results.tool}: {results}"
    text = json.dumps(results.to_json())
    with replace_file(artifact.folder / RESULTS) as file:
        file.write(text.encode())
    return Simulation(Recorded(outputs, spikes, tool), results)


@dataclass(frozen=True)
class _Seen:
    """What came from the chip, in the layout of the graph's values."""

    spikes: Named
    """of all neurons on the chip, by name"""
    read: Named
    """what the host reads, by the names of its inputs"""


def _run(folder: Path, job: Named, python: str | None, limit: float | None) -> Named:
    """Give a job to the script of the export."""
    interpreter = python or os.environ.get(PYTHON) or sys.executable
    if shutil.which(interpreter) is None:
        what = f"no program is called {interpreter}"
        raise UsageError(what, where=PYTHON, expected="a Python interpreter that has sanafe")
    with tempfile.TemporaryDirectory() as place:
        given, results = Path(place) / "job.npz", Path(place) / "results.npz"
        np.savez(given, allow_pickle=False, **job)
        command: list[str | Path] = [interpreter, folder / SCRIPT, given, results]
        seconds = time_limit(LIMIT, limit, SECONDS)
        done = run_child(command, "SANA-FE", seconds, environment=_SMALL, remedy=_SLOW)
        if done.code == NO_SANAFE:
            raise MissingDependency(
                f"sanafe cannot be imported by {interpreter}: {done.tail}",
                expected="sanafe 2.2 or later with NumPy, which run as a program of their own",
                remedy=f"{INSTALL}, or name an interpreter that has it: {PYTHON}",
            )
        if done.code or not results.is_file():
            what = f"SANA-FE broke off (exit code {done.code})"
            where = " ".join(map(str, command))
            raise ToolFailed(what, where=where, remedy=_BROKEN, output=done.tail)
        with np.load(results) as found:
            return dict(found)


def _seen(graph: Graph, plan: Mapping[str, Any], values: Named, sizes: Sizes) -> _Seen:
    """Cut each layer's own steps out of the chip's, and give them the shape of its value."""
    named = {value.name: value for node in graph for value in node.outputs}
    spikes: Named = {}
    read: Named = {}
    for group in plan["groups"]:
        if group["kind"] == "events":
            continue
        value = named[group["name"]]
        own = values[group["key"]][:, group["depth"] : group["depth"] + sizes.steps]
        if group["kind"] == "neurons":
            rows = own * _amplitude(value)
            array = unfolded(rows, value.type, sizes).astype(np.float32)
            spikes[value.producer.name] = array
        else:
            potential = isinstance(value.producer.op, ops.Accumulator)
            rows = own if potential else np.diff(own, axis=1, prepend=0)
            array = unfolded(rows, value.type, sizes).astype(np.float32)
            if potential:
                spikes[value.producer.name] = array
        read[name_of(value)] = array
    return _Seen(spikes, read)


def _amplitude(value: Value) -> Numbers:
    signal = value.type.signal
    assert isinstance(signal, Spikes)  # of a neuron
    shape = shape_of(value.type)
    return np.broadcast_to(signal.amplitude.data.astype(np.float64), shape).ravel()
