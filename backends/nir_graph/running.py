"""Runs an export: the host's part in front, the file by whatever reads it, the part behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Artifact, Recorded
from spikec.backends.nir_graph.players import Played, Player, Task, play
from spikec.backends.nir_graph.writing import BEFORE, BEHIND, FILE, HOST
from spikec.ir import Family, Graph, Sizes, Spikes, Value, store
from spikec.ir.layout import folded, unfolded
from spikec.pipeline.host import computed, name_of
from spikec.runtime.feed import bind_inputs
from spikec.target.reach import shape_of

Numbers = NDArray[Any]
Named = dict[str, Numbers]


def run(
    artifact: Artifact,
    inputs: Mapping[str, Numbers],
    reader: Callable[..., Graph] | None,
    players: tuple[Player, ...],
) -> Recorded:
    """Run a file on inputs of the program."""
    graphs, _ = store.load_all(artifact.folder / HOST)
    graph, manifest = graphs[store.MAIN], artifact.manifest
    sizes = bind_inputs(graph, dict(inputs), manifest["steps"], "float32").sizes
    first = computed(graphs.get(BEFORE), inputs, sizes)
    values = {name_of(value): value for node in graph for value in node.outputs}
    task = Task(
        path=artifact.folder / FILE,
        inputs={
            node: _given(values[name], first[name], sizes)
            for name, node in manifest["inputs"].items()
        },
        neurons=tuple(manifest["neurons"].values()),
        outputs=tuple(manifest["results"].values()),
        dt=manifest["dt"],
    )
    played = play(task, reader, players)
    spikes = {
        name: _train(graph[name].outputs[0], played.values[node], sizes)
        for name, node in manifest["neurons"].items()
    }
    read = _read(manifest, values, played, sizes) | {
        name_of(graph[name].outputs[0]): train for name, train in spikes.items()
    }
    last = computed(graphs[BEHIND], {**inputs, **read}, sizes)
    outputs = {name: last[name] for name in manifest["outputs"]}
    host = {**first, **last}
    own = {n.name: host[n.name] for n in graph if n.op.family is Family.NEURON and n.name in host}
    return Recorded(outputs, {**own, **spikes}, played.tool)


def _given(value: Value, array: Numbers, sizes: Sizes) -> Numbers:
    """Lay a value out as [steps, samples, elements …]; one without time comes at every step."""
    rows = folded(array, value.type, sizes)
    if value.type.is_static:
        rows = np.repeat(rows[:, np.newaxis], sizes.steps, axis=1)
    rows = np.broadcast_to(rows, (sizes.batch, *rows.shape[1:]))
    return np.moveaxis(rows, 0, 1).reshape(sizes.steps, sizes.batch, *_sample(value))


def _sample(value: Value) -> tuple[int, ...]:
    """Give the sizes of a sample: NIR knows neither batch nor time, which lead."""
    shape = shape_of(value.type)
    return shape[sum(not isinstance(dim, int) for dim in value.type.dims) :]


def _read(
    manifest: Mapping[str, Any], values: Mapping[str, Value], played: Played, sizes: Sizes
) -> Named:
    return {
        name: _taken(values[name], played.values[node], sizes)
        for name, node in manifest["results"].items()
    }


def _taken(value: Value, array: Numbers, sizes: Sizes) -> Numbers:
    """Lay [steps, samples, elements …] out as the value's type says."""
    rows = np.moveaxis(array.reshape(sizes.steps, sizes.batch, -1), 0, 1)
    if value.type.is_static:
        rows = rows[:, 0]
    if value.type.batch_axis is None:
        rows = rows[0]
    return unfolded(rows, value.type, sizes).astype(np.float32)


def _train(value: Value, array: Numbers, sizes: Sizes) -> Numbers:
    """Give events their value."""
    signal = value.type.signal
    train = _taken(value, array, sizes)
    if isinstance(signal, Spikes):
        train = train * signal.amplitude.data.astype(np.float32)
    return train
