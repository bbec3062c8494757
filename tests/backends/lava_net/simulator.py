"""Does what Lava does with an export, in NumPy: one step per connection, samples back to back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Artifact, Recorded
from spikec.backends.lava_net.running import (
    encoded_by,
    given_samples,
    recorded,
    with_events,
)
from tests.backends.lava_net.payload import clock, equations, host, linear, run_lava

Numbers = NDArray[Any]


class SimulatedLava:
    """Stands in Lava's place: writes as the backend does, runs without Lava."""

    def __init__(self, exporter: Any) -> None:
        self.exporter = exporter

    @property
    def write(self) -> Any:
        return self.exporter.write

    def run(self, artifact: Artifact, inputs: Mapping[str, Numbers], way: str) -> Recorded:
        network = artifact.manifest["network"]
        inputs, encoded = encoded_by(artifact.folder, inputs, network)
        samples, sizes = given_samples(network, inputs)
        found = recorded(network, simulate(artifact.folder, samples), sizes, "NumPy")
        return with_events(encoded, found)


def simulate(folder: Path, inputs: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Give what run_lava.py gives."""
    network = json.loads((folder / "manifest.json").read_text("utf-8"))["network"]
    with np.load(folder / "weights.npz") as stored:
        arrays = dict(stored)
    values = run_lava.flattened(network, inputs)
    count = len(next(iter(values.values())))
    host.compute(network["before"], values, arrays)
    rows = {name: run_lava.table(one, values) for name, one in network["sources"].items()}
    trains = _run(network, arrays, rows, count)
    for layer in network["layers"]:
        values[layer["name"]] = run_lava.sent(layer, trains[layer["name"]], arrays)
    host.compute(network["behind"], values, arrays)
    spikes = {
        f"spikes/{layer['name']}": values[layer["name"]]
        for layer in network["layers"]
        if not layer["readout"]
    }
    return {**spikes, **{f"outputs/{n}": values[v] for n, v in network["outputs"].items()}}


def _run(
    network: Mapping[str, Any], arrays: Mapping[str, Numbers], rows: Any, count: int
) -> dict[str, Numbers]:
    last = (count - 1) * network["period"] + network["steps"] + network["latency"]
    layers = {layer["name"]: Neurons(layer, network, arrays, count) for layer in network["layers"]}
    driven = {one["target"]: rows[name] for name, one in network["sources"].items()}
    sent: dict[str, list[Numbers]] = {name: [] for name in layers}
    for name, one in network["sources"].items():
        if one["target"] is None:
            first = _clock(network, 0)
            sent[name] = [_row(rows[name], first, time) for time in range(1, last + 1)]
    for time in range(1, last + 1):
        for name, layer in layers.items():
            current = np.zeros(layer.size)
            for one in network["connections"]:
                before = time - 1 - one["lag"]
                if one["target"] == name and before >= 1:
                    current += linear.apply(one, arrays, sent[one["source"]][before - 1])
            if name in driven:
                current += _row(driven[name], layer.clock, time)
            sent[name].append(layer.step(current, time))
    return {name: layer.train for name, layer in layers.items()}


def _clock(network: Mapping[str, Any], depth: int) -> Any:
    return clock.Clock(network["period"], network["steps"], depth)


def _row(table: Numbers, at: Any, time_step: int) -> Numbers:
    sample, time = at.local(time_step)
    if not at.within(time) or sample >= len(table):
        return np.zeros(table.shape[2])
    return np.asarray(table[sample, min(time, table.shape[1]) - 1])


class Neurons:
    """One layer."""

    def __init__(self, layer: Any, network: Any, arrays: Mapping[str, Numbers], count: int) -> None:
        self.size = layer["size"]
        self.clock = _clock(network, layer["depth"])
        values = dict.fromkeys(equations.PARAMETERS, np.zeros(self.size))
        for key in layer["values"]:
            array = arrays[f"{layer['name']}/{key}"].astype(float)
            values[key] = np.broadcast_to(array, (self.size,))
        self.equation = equations.KINDS[layer["process"]](values, layer["options"])
        self.bias = arrays[f"{layer['name']}/bias"]
        self.state = self.equation.begin()
        self.train = np.zeros((count, network["steps"], self.size))

    def step(self, current: Numbers, time_step: int) -> Numbers:
        sample, time = self.clock.local(time_step)
        if not self.clock.within(time):
            return np.zeros(self.size)
        if time == 1:
            self.state = self.equation.begin()
        x = current + self.bias[min(time, len(self.bias)) - 1]
        self.state, out = self.equation.step(self.state, x, time)
        if sample < len(self.train):
            self.train[sample, time - 1] = out
        return np.asarray(out)
