"""Networks and comparisons for the tests of the layerwise engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, B, Editor, Graph, Op, Stage, T, TensorType, Value, ops
from spikec.runtime import trace
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import Simulation, simulate

Numbers = NDArray[Any]
REPEAT = ops.Repeat()
Neuron = Callable[[np.random.Generator], Op]


def dyadic(rng: np.random.Generator, *shape: int) -> Array:
    """Draw multiples of 1/8: sums of their products are exact in any order."""
    return Array((rng.integers(-8, 9, shape) / 8).astype(np.float32))


def whole(rng: np.random.Generator, *shape: int) -> Array:
    """Draw integers of a byte."""
    return Array(rng.integers(-128, 128, shape).astype(np.float32))


def integrate_fire(rng: np.random.Generator) -> Op:
    return ops.IntegrateFire(Array(np.float32(0.5)), levels=int(rng.integers(1, 4)))


def residual_net(
    seed: int,
    neuron: Neuron = integrate_fire,
    source: Op = REPEAT,
    weights: Callable[..., Array] = dyadic,
) -> Graph:
    """Convolutions of all sorts with neurons between, a residual branch, pools, a read-out."""
    rng = np.random.default_rng(seed)
    edit = Editor(Graph(f"net{seed}", Stage.SPIKING), by="test")

    def conv(x: Value, out: int, stride: int = 1, groups: int = 1, size: int = 3) -> Value:
        channels = x.type.dims[-3]
        assert isinstance(channels, int)
        pads = ((size // 2, (size - 1) // 2),) * 2
        weight = weights(rng, out, channels // groups, size, size)
        op = ops.Conv(weight, weights(rng, out), (stride,) * 2, pads, (1, 1), groups)
        return edit.add(op, x)

    x = edit.input("x", TensorType((B, 3, 9, 9)))
    a = edit.add(neuron(rng), edit.add(source, conv(x, 8)))
    b = edit.add(neuron(rng), conv(a, 8, size=2))
    c = edit.add(neuron(rng), edit.add(ops.Add(), conv(b, 8, groups=8), a))
    d = edit.add(neuron(rng), conv(c, 16, stride=2))
    pooled = edit.add(ops.SumPool((5, 5), (5, 5), ((0, 0), (0, 0)), (1, 1)), d)
    flat = edit.add(ops.Reshape((T, B, 16)), pooled)
    y = edit.add(ops.Linear(weights(rng, 5, 16), weights(rng, 5)), flat)
    edit.output("mean", edit.add(ops.MeanReadout(), y))
    edit.output("last", edit.add(ops.LastStep(-3), edit.add(neuron(rng), y)))
    return edit.graph


def images(seed: int, batch: int, *shape: int) -> Numbers:
    """Draw multiples of 1/8."""
    rng = np.random.default_rng(seed)
    return (rng.integers(-16, 17, (batch, *(shape or (3, 9, 9)))) / 8).astype(np.float32)


def names(graph: Graph) -> frozenset[str]:
    """Give the names of all values."""
    return frozenset(value.name for node in graph for value in node.outputs)


def everything(
    graph: Graph, x: object, steps: int | None, dtype: str = "float32", memory: int | None = None
) -> Simulation:
    """Run through the layerwise engine and keep all values, and counts of all events."""
    spikes = frozenset(v.name for n in graph for v in n.outputs if v.type.is_spikes)
    feed = bind_inputs(graph, x, steps, dtype)
    return simulate(graph, feed, names(graph), counted=spikes, memory=memory)


def assert_same(left: dict[str, Numbers], right: dict[str, Numbers]) -> None:
    """Compare values by name, exactly."""
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert value.dtype == right[name].dtype, name
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def assert_engines_agree(
    graph: Graph, x: object, steps: int | None, dtype: str = "float32"
) -> dict[str, Numbers]:
    """Compare all values of both engines, exactly; give them."""
    reference = trace(graph, x, "reference", steps=steps, dtype=dtype).values
    assert_same(reference, everything(graph, x, steps, dtype).values)
    outputs = trace(graph, x, "layerwise", record=(), steps=steps, dtype=dtype).outputs
    for node, output in zip(graph.outputs, outputs, strict=True):  # values that nobody keeps
        np.testing.assert_array_equal(output, reference[node.inputs[0].name])
    return reference
