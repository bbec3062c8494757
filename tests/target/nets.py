"""Small spiking networks, and what their layers connect by brute force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, B, Editor, Graph, Node, Sizes, Stage, T, TensorType, Value, ops
from spikec.ir.dims import Dim
from spikec.target import Target

Numbers = NDArray[Any]
ONE = Array(np.float32(1))
CHIP_NEURON = ops.IntegrateFire(
    Array(np.float32(3)), ONE, reset=ops.Reset.HARD, comparison=ops.Comparison.ABOVE
)
"""a neuron that Loihi has: whole threshold, reset to 0, fires above it, events of 1"""

SOFT = ops.IntegrateFire(Array(np.float32(3)), ONE)


def spiking(
    dims: tuple[int, ...],
    body: Callable[[Editor, Value], Value],
    neuron: ops.Neuron = CHIP_NEURON,
    readout: bool = False,
) -> Graph:
    """Give input -> neurons ``first`` -> body -> neurons ``last`` (or a mean) -> output."""
    edit = Editor(Graph("net", Stage.SPIKING), by="test")
    sizes: tuple[Dim, ...] = (T, B, *dims)
    first = edit.add(neuron, edit.input("x", TensorType(sizes)), name="first")
    last = edit.add(neuron, body(edit, first), name="last")
    edit.output("y", edit.add(ops.MeanReadout(), last, name="mean") if readout else last)
    return edit.graph


def conv(
    channels: int, out: int, kernel: int = 3, stride: int = 1, padding: int = 1, **more: Any
) -> ops.Conv:
    """Give a convolution of ones, without bias."""
    groups, dilation = more.get("groups", 1), more.get("dilation", 1)
    weight = Array(np.ones((out, channels // groups, kernel, kernel), np.float32))
    pads = ((padding, padding),) * 2
    return ops.Conv(weight, None, (stride,) * 2, pads, (dilation,) * 2, groups)


def linear(inputs: int, outputs: int, weight: float = 1.0) -> ops.Linear:
    return ops.Linear(Array(np.full((outputs, inputs), weight, np.float32)))


def with_limits(target: Any, **limits: Any) -> Any:
    return replace(target, limits=replace(target.limits, **limits))


def hard_only(target: Target) -> Target:
    """Give a target whose neurons know no other reset than to zero."""
    kind = target.neurons[ops.IntegrateFire]
    options = {**kind.options, "reset": (ops.Reset.HARD,)}
    neurons = dict(target.neurons)
    neurons[ops.IntegrateFire] = replace(kind, options=options)
    return replace(target, neurons=neurons)


def reached(graph: Graph, source: str, layer: str) -> NDArray[np.bool_]:
    """Tell which elements of a source reach which neurons: [neurons, sources], by trying each."""
    start, end = graph[source], graph[layer]
    shape = tuple(start.outputs[0].type.step().shape(Sizes(1, 1)))
    count = int(np.prod(shape))
    columns = []
    for i in range(count):
        one = np.zeros(count)
        one[i] = 1
        columns.append(_current(graph, {start: one.reshape(shape)}, end).ravel() != 0)
    return np.stack(columns, axis=1)


def _current(graph: Graph, known: dict[Node, Numbers], end: Node) -> Numbers:
    """Give the current of a layer, from what its sources send; others send nothing."""
    values: dict[Value, Numbers] = {}
    for node in graph:
        if node is end:
            return values[node.inputs[0]]
        shape = node.outputs[0].type.step().shape(Sizes(1, 1)) if node.outputs else ()
        if node in known:
            values[node.outputs[0]] = known[node]
        elif isinstance(node.op, ops.Input | ops.IntegrateFire):
            values[node.outputs[0]] = np.zeros(shape)
        elif isinstance(node.op, ops.Delay):
            values[node.outputs[0]] = values[node.inputs[0]]
        else:
            operands = tuple(values[value] for value in node.inputs)
            values[node.outputs[0]] = np.asarray(node.op.run(operands, Sizes(1, 1))[0])
    raise AssertionError(end)
