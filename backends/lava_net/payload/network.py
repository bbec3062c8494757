"""Builds the Lava process graph of this export, runs samples back to back, and records events."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lava_shim  # noqa: F401  # before Lava
import linear
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode
from snnprocs.neurons import PROCESSES
from snnprocs.signals import Delay, Recorder, Source

Numbers = np.ndarray
Named = dict[str, Numbers]
TAGS = {"float": "floating_pt", "fixed": "fixed_pt"}
BITS = 24
"""message bits of graded events; binary ones are sent without message"""
DIGIT = 7
"""bits of a weight without its sign; wider ones are sent through several connections"""


class Network:
    """The processes of one run, in floating (``float``) or fixed point (``fixed``)."""

    def __init__(self, network: Mapping[str, Any], arrays: Mapping[str, Numbers], way: str) -> None:
        self.network, self.arrays, self.fixed = network, arrays, way == "fixed"
        self.tag = TAGS[way]
        self.out: dict[str, Any] = {}
        self.sizes: dict[str, int] = {}
        self.files: dict[str, Path] = {}

    def run(self, rows: Mapping[str, Numbers], samples: int) -> Named:
        """Give counts [samples, steps, neurons] by layer; ``rows`` by source: currents, events."""
        with tempfile.TemporaryDirectory() as folder:
            self._build(rows, samples, Path(folder))
            period, latency = self.network["period"], self.network["latency"]
            last = (samples - 1) * period + self.network["steps"] + latency
            process = next(iter(self.neurons.values()))
            try:
                condition = RunSteps(num_steps=last)
                process.run(condition=condition, run_cfg=Loihi2SimCfg(select_tag=self.tag))
            finally:
                process.stop()
            return {name: np.load(path) for name, path in self.files.items()}

    def _build(self, rows: Mapping[str, Numbers], samples: int, folder: Path) -> None:
        self.neurons: dict[str, Any] = {}
        for layer in self.network["layers"]:
            self.neurons[layer["name"]] = self._neurons(layer)
            self._record(layer, samples, folder)
        for name, table in rows.items():
            self._source(name, table)
        for index, connection in enumerate(self.network["connections"]):
            self._connect(connection, f"connection{index}")
        self._tie()

    def _tie(self) -> None:
        """Let parts that share nothing hang together, by a synapse of weight 0 each.

        Lava runs only the processes that are connected with the one that is started.
        """
        part = {name: {name} for name in (*self.neurons, *self.out)}
        for connection in self.network["connections"]:
            joint = part[connection["source"]] | part[connection["target"]]
            part.update(dict.fromkeys(joint, joint))
        first, *others = self.neurons
        for name in others:
            if name not in part[first]:
                nothing = np.zeros((self.sizes[first], self.sizes[name]))
                process = Dense(weights=self._weights(nothing))
                self.out[name].connect(process.s_in)
                process.a_out.connect(self.neurons[first].a_in)
                part.update(dict.fromkeys(joint := part[first] | part[name], joint))

    def _timing(self, depth: int) -> dict[str, int]:
        steps = self.network["steps"]
        return {"period": self.network["period"], "steps": steps, "depth": depth}

    def _neurons(self, layer: Mapping[str, Any]) -> Any:
        name, size = layer["name"], layer["size"]
        values = {key: self.arrays[f"{name}/{key}"] for key in layer["values"]}
        process = PROCESSES[layer["process"]](
            size=size,
            timing=self._timing(layer["depth"]),
            options=layer["options"],
            values=self._typed(values),
            bias=self._typed({"bias": self.arrays[f"{name}/bias"]})["bias"],
            name=name,
        )
        self.out[name], self.sizes[name] = process.s_out, size
        return process

    def _typed(self, arrays: Mapping[str, Numbers]) -> Named:
        kind = np.int64 if self.fixed else np.float64
        return {name: array.astype(kind) for name, array in arrays.items()}

    def _record(self, layer: Mapping[str, Any], samples: int, folder: Path) -> None:
        name, size = layer["name"], layer["size"]
        path = folder / f"{len(self.files)}.npy"
        kind = np.float64 if layer["analog"] and not self.fixed else np.int32
        np.lib.format.open_memmap(path, "w+", kind, (samples, self.network["steps"], size)).flush()
        timing = self._timing(layer["depth"])
        recorder = Recorder(size=size, path=str(path), timing=timing, name=f"{name}.recorder")
        self.out[name].connect(recorder.s_in)
        self.files[name] = path

    def _source(self, name: str, table: Numbers) -> None:
        """Let currents flow into their layer at once; events wait for their connections."""
        whole = np.rint(table)
        if self.fixed and not np.array_equal(whole, table):
            raise SystemExit(f"{name}: what comes in is no whole number, fixed point needs those")
        table = whole.astype(np.int32) if self.fixed else table.astype(np.float64)
        target = self.network["sources"][name]["target"]
        process = Source(
            rows=table, timing=self._timing(self._depth(target)), name=f"{name}.source"
        )
        if target:
            process.s_out.connect(self.neurons[target].a_in)
        else:
            self.out[name], self.sizes[name] = process.s_out, table.shape[-1]

    def _depth(self, layer: str) -> int:
        return next((one["depth"] for one in self.network["layers"] if one["name"] == layer), 0)

    def _connect(self, connection: Mapping[str, Any], name: str) -> None:
        out, target = self.out[connection["source"]], self.neurons[connection["target"]]
        if connection["lag"]:
            size = self.sizes[connection["source"]]
            delay = Delay(size=size, steps=connection["lag"], name=f"{name}.delay")
            out.connect(delay.s_in)
            out = delay.s_out
        bits = BITS if connection["graded"] else 0
        FORMS[connection["form"]](self, connection, (out, target.a_in), bits)

    def conv(self, form: Mapping[str, Any], ports: tuple[Any, Any], bits: int) -> None:
        """Lava's axes are x, y, channels, and its kernels are flipped."""
        out, a_in = ports
        weight = self._weights(self.arrays[f"{form['key']}/weight"])
        process = Conv(
            weight=weight.transpose(0, 3, 2, 1)[:, ::-1, ::-1],
            input_shape=tuple(form["input"][::-1]),
            padding=tuple(form["padding"][::-1]),
            stride=tuple(form["stride"][::-1]),
            dilation=tuple(form["dilation"][::-1]),
            groups=form["groups"],
            num_message_bits=bits,
        )
        out.reshape(tuple(form["input"])).transpose([2, 1, 0]).connect(process.s_in)
        process.a_out.transpose([2, 1, 0]).flatten().connect(a_in)

    def dense(self, form: Mapping[str, Any], ports: tuple[Any, Any], bits: int) -> None:
        """Connect all to all."""
        weight = self._weights(self.arrays[f"{form['key']}/weight"])
        for part, options in self._digits(weight):
            process = Dense(weights=part, num_message_bits=bits, **options)
            ports[0].connect(process.s_in)
            process.a_out.connect(ports[1])

    def sparse(self, form: Mapping[str, Any], ports: tuple[Any, Any], bits: int) -> None:
        """Connect by a list of synapses."""
        whole = linear.matrix(form, self.arrays)
        for values, options in self._digits(self._weights(whole.data)):
            part = whole.copy()
            part.data = values
            process = Sparse(weights=part, num_message_bits=bits, **options)
            ports[0].connect(process.s_in)
            process.a_out.connect(ports[1])

    def _weights(self, array: Numbers) -> Numbers:
        return array.astype(np.int32 if self.fixed else np.float64)

    def _digits(self, weight: Numbers) -> list[tuple[Numbers, dict[str, Any]]]:
        """Write whole weights as Σ_k 2^(7 k) d_k with |d_k| < 128: one connection for each k.

        Lava drops the lowest bit of weights of both signs: d stands there doubled.
        """
        if not self.fixed:
            return [(weight, {})]
        parts, rest, power = [], np.abs(weight), 0
        while power == 0 or rest.any():
            digit = np.sign(weight) * (rest % 2**DIGIT)
            options = {"weight_exp": DIGIT * power - 1, "sign_mode": SignMode.MIXED}
            parts.append((2 * digit, options))
            rest, power = rest >> DIGIT, power + 1
        return parts


FORMS = {"conv": Network.conv, "dense": Network.dense, "sparse": Network.sparse}
