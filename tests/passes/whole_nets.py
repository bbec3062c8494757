"""Spiking networks in whole numbers, whose inputs are events, and trains for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, B, Dim, Editor, Graph, Spikes, Stage, T, TensorType, Value, ops
from spikec.runtime import trace

Body = Callable[["Whole", Value], Value]
ONE = Array(np.float32(1))
STEPS, BATCH = 9, 3


class Whole:
    """Builds a spiking graph with random whole weights."""

    def __init__(self, *dims: int, seed: int = 0, levels: int = 1, low: int = -3) -> None:
        self.edit = Editor(Graph("whole", Stage.SPIKING), by="test")
        self.rng = np.random.default_rng(seed)
        self.low = low
        sizes: tuple[Dim, ...] = (T, B, *dims)
        events = TensorType(sizes, signal=Spikes(ONE, levels=levels))
        self.x = self.edit.input("x", events)

    def array(self, *shape: int) -> Array:
        return Array(self.rng.integers(self.low, 5, shape).astype(np.float32))

    def linear(self, x: Value, out: int, name: str = "linear") -> Value:
        width = x.type.dims[-1]
        assert isinstance(width, int)
        return self.edit.add(ops.Linear(self.array(out, width), self.array(out)), x, name=name)

    def conv(self, x: Value, out: int, kernel: int = 3, name: str = "conv") -> Value:
        channels = x.type.dims[-3]
        assert isinstance(channels, int)
        weight = self.array(out, channels, kernel, kernel)
        pads = ((kernel // 2, kernel // 2),) * 2
        op = ops.Conv(weight, self.array(out), (1, 1), pads, (1, 1))
        return self.edit.add(op, x, name=name)

    def neuron(self, x: Value, threshold: float = 4, name: str = "", **options: Any) -> Value:
        op = ops.IntegrateFire(Array(np.float32(threshold)), ONE)
        return self.edit.add(replace(op, **options), x, name=name)

    def done(self, y: Value) -> Graph:
        self.edit.output("y", y)
        return self.edit.graph


def trains(graph: Graph, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Give events for all inputs."""
    rng = np.random.default_rng(seed)
    found = {}
    for node in graph.inputs:
        signal = node.outputs[0].type.signal
        assert isinstance(signal, Spikes)
        shape = [STEPS, BATCH, *(dim for dim in node.outputs[0].type.dims if isinstance(dim, int))]
        found[node.name] = rng.integers(0, signal.levels + 1, shape).astype(np.float32)
    return found


def assert_same_events(before: Graph, after: Graph, seed: int = 0) -> None:
    """Compare outputs, and the trains of all neurons that both have."""
    inputs = trains(before, seed)
    names = [n.name for n in before if isinstance(n.op, ops.Neuron) and n.name in after]
    old, new = (trace(g, inputs, "reference", record=names) for g in (before, after))
    for one, other in zip(old.outputs, new.outputs, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in names:
        np.testing.assert_array_equal(old.values[name], new.values[name])
    assert sum(np.count_nonzero(old.values[name]) for name in names) > 0
