"""Writes a program into a folder: the NIR file, what the host computes, how to run both."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikec.artifact import Deployable
from spikec.backends.nir_graph.emitter import Emitter
from spikec.backends.nir_graph.forms import Refused
from spikec.backends.nir_graph.net import Field, NirNode
from spikec.backends.nir_graph.neurons import Kind, Style
from spikec.backends.nir_graph.walk import emitted
from spikec.errors import Problem, UnsupportedModel, UsageError
from spikec.ir import Family, Graph, Node, Stage, Value, ops, store
from spikec.pipeline.host import before, behind, name_of
from spikec.target import Partition, examine, load_target

TARGET, WAY = "nir", "nir"
FILE, HOST = "net.nir", "host.spk"
BEFORE, BEHIND = "before", "behind"

README = """\
# {name} as NIR

Written by spikec {version}: {steps} steps of dt = {dt:g}, recipe `{recipe}`.

- `net.nir`: {nodes} nodes, for whatever reads NIR (nir 1.0.4 to 1.0.8). Values have neither batch
  nor time; an input that does not change is given at every step.
- `host.spk`: what is computed in front of the network and behind it.

Inputs are to be preprocessed as `x' = (scale x - mean) / std` with {preprocess}.
{ends}
Fields of NIR have no room for these; they stand in the metadata of each neuron, and readers do not
look there: `reset` (`subtract`, or `v_reset`), `comparison` (`>=`, where it is not NIR's `>`), and
`v_init`, the potential before the first step. `docs/nir.md` of spikec says what to set in which
framework. `spikec verify PROGRAM.spk --on nir_graph --artifact .` runs the file.
"""


def write(
    source: Deployable,
    folder: Path,
    *,
    dt: float = 1.0,
    neurons: str = "IF",
    unit_thresholds: bool | None = None,
) -> Mapping[str, Any]:
    """Write all files; give the manifest's own part."""
    style = _style(dt, neurons)
    graph = source.graph
    if graph.stage is Stage.ANALOG or not any(n.op.family is Family.NEURON for n in graph):
        raise UsageError(
            f"{graph.name!r} holds no neurons",
            expected="a spiking program",
            remedy="spikec convert makes one",
        )
    made = _made(graph, style, unit_thresholds)
    net = made.emitter.net
    net.write(folder / FILE, _metadata(source, style))
    _write_host(graph, made.cut, folder)
    (folder / "README.md").write_text(_readme(source, style, made), "utf-8")
    return {
        "ways": [WAY],
        "dt": dt,
        "nodes": {kind: _count(made.emitter, kind) for kind in sorted(_kinds(made.emitter))},
        "inputs": made.inputs,
        "results": made.results,
        "neurons": made.emitter.neurons,
        "outputs": [node.name for node in graph.outputs],
    }


@dataclass(frozen=True, eq=False)
class _Made:
    """What came of a graph."""

    emitter: Emitter
    cut: Partition
    inputs: Mapping[str, str]
    """Inputs of the file, by the name of the value that they are given"""
    results: Mapping[str, str]
    """Outputs of the file, by the name of the value that they give"""


def _style(dt: float, neurons: str) -> Style:
    known = ", ".join(kind.value for kind in Kind)
    if neurons not in [kind.value for kind in Kind]:
        raise UsageError(f"neurons = {neurons!r}", expected=known)
    if isinstance(dt, bool) or not isinstance(dt, int | float) or not 0 < dt < float("inf"):
        raise UsageError(f"dt = {dt!r}", expected="a positive number, in the file's unit of time")
    return Style(Kind(neurons), float(dt))


def _made(graph: Graph, style: Style, unit: bool | None) -> _Made:
    """Write the chip's part of a graph as nodes; all that cannot be written is one error."""
    found = examine(graph, load_target(TARGET))
    cut = found.partition
    problems = [violation.problem for violation in found.violations]
    wrong = {problem.where for problem in problems}
    chip = set(cut.chip)
    nodes = [
        node for node in graph if (node in chip or _is_read(node, chip)) and node.place not in wrong
    ]
    sent = [v for v in cut.sent if not isinstance(v.producer.op, ops.Constant)]
    inputs = {v: "input" if len(sent) == 1 else v.name for v in sent}
    emitter = emitted(nodes, inputs, style, unit)
    results = {} if emitter.problems else _outputs(emitter, cut, problems)
    problems += emitter.problems
    if problems:
        what = f"{graph.name!r} cannot be written as NIR"
        raise UnsupportedModel(what, problems=problems)
    given = {name_of(v): part.source for v in sent for part in emitter.form(v).parts}
    return _Made(emitter, cut, {n: str(s) for n, s in given.items()}, results)


def _outputs(emitter: Emitter, cut: Partition, problems: list[Problem]) -> dict[str, str]:
    """Add an Output for each value that is read; neurons give the number of their events."""
    read = [v for v in cut.read if v in emitter.forms and not _is_constant(v.producer)]
    found: dict[str, str] = {}
    for value in read:
        wanted = "output" if len(read) == 1 else f"{value.name}_output"
        try:
            names = _sources(emitter, value)
        except Refused as refused:
            problems.append(
                Problem(refused.what, value.producer.place, refused.expected, refused.remedy)
            )
            continue
        shape = np.array(emitter.form(value).shape, np.int64)
        found[name_of(value)] = emitter.net.add(wanted, NirNode("Output", {"shape": shape}), names)
    return found


def _sources(emitter: Emitter, value: Value) -> list[str]:
    neuron = emitter.neurons.get(value.producer.name)
    return [neuron] if neuron else emitter.names(emitter.form(value), value.producer.name)


def _is_read(node: Node, chip: Collection[Node]) -> bool:
    """Tell whether a constant, wherever it stands, is an operand on the chip."""
    return _is_constant(node) and any(user in chip for user in node.outputs[0].users)


def _is_constant(node: Node) -> bool:
    return isinstance(node.op, ops.Constant)


def _kinds(emitter: Emitter) -> set[str]:
    return {node.kind for node in emitter.net.nodes.values()}


def _count(emitter: Emitter, kind: str) -> int:
    return sum(node.kind == kind for node in emitter.net.nodes.values())


def _metadata(source: Deployable, style: Style) -> dict[str, Field]:
    from spikec import __version__

    return {
        "spikec_version": __version__,
        "spikec_recipe": source.recipe,
        "spikec_steps": source.steps,
        "spikec_preprocess": json.dumps(dict(source.preprocess), sort_keys=True),
        "dt": np.array(style.dt),
    }


def _write_host(graph: Graph, cut: Partition, folder: Path) -> None:
    """Save the program, and the host's share of it."""
    first, last = before(graph, cut), behind(graph, cut)
    graphs = {store.MAIN: graph, BEHIND: last} | ({} if first is None else {BEFORE: first})
    store.save_all(graphs, folder / HOST)


def _readme(source: Deployable, style: Style, made: _Made) -> str:
    from spikec import __version__

    crossing = {name_of(value): value for value in (*made.cut.sent, *made.cut.read)}
    rows = [
        f"- `{node}` {verb} %{crossing[name].name}: {crossing[name].type}"
        for verb, ends in (("takes", made.inputs), ("gives", made.results))
        for name, node in ends.items()
    ]
    return README.format(
        name=source.graph.name,
        version=__version__,
        steps=source.steps,
        dt=style.dt,
        recipe=source.recipe,
        nodes=len(made.emitter.net.nodes),
        preprocess=json.dumps(dict(source.preprocess)),
        ends="\n" + "\n".join(rows) + "\n",
    )
