"""Writes an export: numbers, manifest, and the program that runs them in Lava."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Deployable
from spikec.backends.lava_net import netx, whole
from spikec.backends.lava_net.forms import Form
from spikec.backends.lava_net.neurons import amplitude_of
from spikec.backends.lava_net.plan import Connection, Current, HostNode, Layer, Plan
from spikec.backends.lava_net.reading import read
from spikec.backends.lava_net.readme import readme
from spikec.backends.lava_net.types import described
from spikec.ir import store
from spikec.ir.layout import unit_shape
from spikec.pipeline.host import apart_from_encoder
from spikec.target.timing import depths

Numbers = NDArray[Any]
ENCODER = "encoder.spk"
"""the graph that makes events of inputs, which spikec runs: Lava reads its events"""
FLOAT, FIXED, NETX = "float", "fixed", "netx"
PAYLOAD = Path(__file__).parent / "payload"
"""files that are copied into each export; they are never imported here"""


def write(source: Deployable, folder: Path) -> Mapping[str, Any]:
    """Write all files; give the manifest's own part."""
    parts = apart_from_encoder(source.graph)
    if parts is not None:
        encoder, rest = parts
        store.save_all({store.MAIN: encoder}, folder / ENCODER)
        source = replace(source, graph=rest)
    plan = read(source)
    found = netx.fit(plan)
    kept = {FIXED: whole.reasons(plan), NETX: found.reasons}
    ways = [FLOAT, *(way for way, why in kept.items() if not why)]
    arrays = _Store()
    network = arrays.network(plan)
    if not found.reasons:
        netx.write(found, folder / "net.net")
        network["netx"] = netx.description(found)
    np.savez(folder / "weights.npz", **arrays.arrays)
    shutil.copytree(
        PAYLOAD, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*")
    )
    (folder / "README.md").write_text(
        readme(source, network, kept, encoded=parts is not None), "utf-8"
    )
    return {
        "ways": ways,
        "reasons": {way: list(why) for way, why in kept.items() if why},
        "network": network,
    }


class _Store:
    """Collects arrays under keys, and describes what they are for."""

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}

    def network(self, plan: Plan) -> dict[str, Any]:
        """Describe a plan."""
        lag = _depths(plan)
        pause = _pause(plan)
        return {
            "steps": plan.steps,
            "period": plan.steps + pause,
            "latency": max(lag.values()),
            "inputs": {
                name: {
                    "shape": _shape(x, plan.steps),
                    "timed": int(not x.is_static),
                }
                for name, x in plan.inputs.items()
            },
            "before": [self._host(node, f"before{i}") for i, node in enumerate(plan.before)],
            "sources": _sources(plan),
            "layers": [self._layer(layer, lag[layer.name]) for layer in plan.layers],
            "connections": [
                self._connection(one, i, lag) for i, one in enumerate(plan.connections)
            ],
            "behind": [self._host(node, f"behind{i}") for i, node in enumerate(plan.behind)],
            "outputs": {name: value.name for name, value in plan.outputs.items()},
            "types": _types(plan),
        }

    def _host(self, node: HostNode, key: str) -> dict[str, Any]:
        options = dict(node.options)
        if node.maps:
            maps = [self._form(form, f"{key}.{i}") for i, form in enumerate(node.maps)]
            options |= {"maps": maps, "bias": f"{key}.bias" if node.bias is not None else None}
        if node.bias is not None:
            self.arrays[f"{key}.bias"] = node.bias
        return {"name": node.name, "op": node.op, "inputs": list(node.inputs), "options": options}

    def _layer(self, layer: Layer, depth: int) -> dict[str, Any]:
        for name, array in layer.neurons.values.items():
            self.arrays[f"{layer.name}/{name}"] = _single(array)
        self.arrays[f"{layer.name}/bias"] = layer.bias
        if layer.node is not None:
            shape = unit_shape(layer.value.type)
            amplitude = np.broadcast_to(amplitude_of(layer.node), shape).reshape(-1)
            self.arrays[f"{layer.name}/amplitude"] = _single(amplitude)
        return {
            "name": layer.name,
            "process": layer.neurons.process,
            "options": dict(layer.neurons.options),
            "values": sorted(layer.neurons.values),
            "size": layer.size,
            "shape": list(unit_shape(layer.value.type)),
            "depth": depth,
            "analog": layer.analog,
            "readout": layer.node is None,
        }

    def _connection(
        self, connection: Connection, index: int, lag: Mapping[str, int]
    ) -> dict[str, Any]:
        wait = lag[connection.target] - lag[connection.source] - 1
        return {
            "source": connection.source,
            "target": connection.target,
            "lag": wait + connection.delay,
            "graded": connection.graded,
            **self._form(connection.form, f"connection{index}"),
        }

    def _form(self, form: Form, key: str) -> dict[str, Any]:
        self.arrays |= {f"{key}/{name}": array for name, array in form.arrays.items()}
        return {"form": form.kind, "key": key, **form.options}


def _types(plan: Plan) -> dict[str, Any]:
    """Describe the layout of what goes in and comes out, in the program."""
    values = [*plan.outputs.values(), *(layer.value for layer in plan.layers)]
    found = {value.name: value.type for value in values} | dict(plan.inputs)
    return {name: described(x) for name, x in found.items()}


def _depths(plan: Plan) -> dict[str, int]:
    """Give the lag of each layer: one step per connection on its longest path."""
    before: dict[str, list[str]] = {name: [] for name in plan.inputs}
    before |= {layer.name: [] for layer in plan.layers}
    for connection in plan.connections:
        before[connection.target].append(connection.source)
    return depths(before)


def _pause(plan: Plan) -> int:
    """Give the steps after which no delay of the graph's own holds events of a sample any more."""
    return max((one.delay for one in plan.connections), default=0)


def _sources(plan: Plan) -> dict[str, Any]:
    """Describe what flows in: currents by layer, and events of inputs over time."""
    found: dict[str, Any] = {
        f"{layer}.current": {"target": layer, "parts": [_part(one) for one in parts]}
        for layer, parts in plan.currents.items()
    }
    for connection in plan.connections:
        if connection.source in plan.inputs:
            name = connection.source
            found[name] = {"target": None, "parts": [], "input": name}
    return found


def _part(current: Current) -> dict[str, Any]:
    return {"value": current.value, "profile": list(current.profile), "delay": current.delay}


def _single(array: Numbers) -> Numbers:
    """Store one number where all are equal."""
    return array[:1] if array.size and bool((array == array[0]).all()) else array


def _shape(x: Any, steps: int) -> list[int]:
    lead = [] if x.is_static else [steps]
    return [*lead, *_rest(x)]


def _rest(x: Any) -> list[int]:
    """Give the sizes of one sample's step, axes of batch and time left out."""
    axes = {axis for axis in (x.time_axis, x.batch_axis) if axis is not None}
    shape = unit_shape(x)
    return [n for i, n in enumerate(shape) if i - x.rank not in axes or n != 1]
