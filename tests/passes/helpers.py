"""Small graphs, and what every pass promises: valid, equal where stated, done after one time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikec.ir import Array, B, Dim, Editor, Graph, TensorType, Value, ops
from spikec.ir.edit import copied
from spikec.ir.verify import verify
from spikec.pipeline import Context, Pass, parse_pipeline
from spikec.registry import pass_by_name
from spikec.testing import assert_equivalent, random_inputs


def passes(text: str) -> tuple[Pass, ...]:
    return parse_pipeline(text, pass_by_name)


def applied(text: str, graph: Graph, context: Context | None = None) -> Graph:
    """Apply a pipeline to a copy; every pass must leave a valid graph and be done."""
    work, context = copied(graph), context or Context()
    for one in passes(text):
        one(work, context)
        verify(work)
        content = str(work)
        assert one(work, context) is False, f"{one.name} changes its own result"
        assert str(work) == content
    return work


def assert_exact(text: str, graph: Graph, tolerance: float = 0.0, seed: int = 0) -> Graph:
    """Apply exact passes; give the result, whose outputs are what they were."""
    after = applied(text, graph)
    inputs = random_inputs(graph, batch=3, seed=seed)
    assert_equivalent(graph, after, inputs, tolerance, dtype="float64" if tolerance else "float32")
    return after


def kinds(graph: Graph) -> list[str]:
    return [type(node.op).__name__ for node in graph]


class Net:
    """Builds a graph from one input."""

    def __init__(self, *dims: int, seed: int = 0, name: str = "net", dyadic: bool = False) -> None:
        self.edit = Editor(Graph(name), by="test")
        self.rng = np.random.default_rng(seed)
        self.dyadic = dyadic
        sizes: tuple[Dim, ...] = (B, *dims)
        self.x = self.edit.input("x", TensorType(sizes))

    def array(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Array:
        numbers = self.rng.uniform(low, high, shape)
        if self.dyadic:
            numbers = np.round(numbers * 8) / 8
        return Array(numbers.astype(np.float32))

    def conv(self, x: Value, out: int, kernel: int = 3, padding: int = 1, groups: int = 1) -> Value:
        channels = size(x, -3)
        weight = self.array(out, channels // groups, kernel, kernel, low=-0.6, high=0.6)
        pads = ((padding, padding),) * 2
        return self.edit.add(
            ops.Conv(weight, self.array(out), (1, 1), pads, (1, 1), groups), x, name="conv"
        )

    def linear(self, x: Value, out: int) -> Value:
        weight = self.array(out, size(x, -1), low=-0.5, high=0.5)
        return self.edit.add(ops.Linear(weight, self.array(out)), x, name="linear")

    def batchnorm(self, x: Value, axis: int) -> Value:
        count = size(x, axis)
        arrays = (
            self.array(count),
            self.array(count, low=0.1, high=2),
            self.array(count),
            self.array(count),
        )
        return self.edit.add(ops.BatchNorm(*arrays, 1e-5, axis), x, name="norm")

    def relu(self, x: Value) -> Value:
        return self.edit.add(ops.ReLU(), x)

    def maxpool(self, x: Value) -> Value:
        return self.edit.add(ops.MaxPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), x)

    def flat(self, x: Value) -> Value:
        sizes = [size(x, axis) for axis in range(-x.type.rank + 1, 0)]
        return self.edit.add(ops.Reshape((B, int(np.prod(sizes)))), x)

    def done(self, *values: Value) -> Graph:
        for value in values:
            self.edit.output("y", value)
        return self.edit.graph


def size(value: Value, axis: int) -> int:
    dim = value.type.dims[axis]
    assert isinstance(dim, int)
    return dim


def mlp(*widths: int, seed: int = 0, dyadic: bool = False) -> Graph:
    """Linear maps with ReLU between them."""
    net = Net(widths[0], seed=seed, name="mlp", dyadic=dyadic)
    x = net.x
    for i, width in enumerate(widths[1:]):
        x = net.linear(net.relu(x) if i else x, width)
    return net.done(x)


def random_net(seed: int, dyadic: bool = False) -> Graph:
    """A small convolutional network of everything that becomes spiking."""
    net = Net(2, 6, 6, seed=seed, name=f"random{seed}", dyadic=dyadic)
    x = net.relu(net.conv(net.x, 3))
    blocks = (_plain, _residual, _concat, _max_inside, _average, _clipped, _leaky)
    for _ in range(net.rng.integers(1, 4)):
        x = blocks[net.rng.integers(len(blocks))](net, x)
    pool = ops.AdaptiveAvgPool((2, 2)) if net.rng.random() < 0.5 else ops.AdaptiveMaxPool((2, 2))
    hidden = net.relu(net.linear(net.flat(net.edit.add(pool, x)), 5))
    outputs = [net.linear(hidden, 4)]
    if net.rng.random() < 0.3:
        outputs.append(net.linear(hidden, 2))
    return net.done(*outputs)


def _plain(net: Net, x: Value) -> Value:
    return net.relu(net.conv(x, 4))


def _residual(net: Net, x: Value) -> Value:
    y = net.conv(net.relu(net.conv(x, size(x, -3))), size(x, -3))
    return net.relu(net.edit.add(ops.Add(), y, x))


def _concat(net: Net, x: Value) -> Value:
    both = (net.relu(net.conv(x, 2)), net.conv(x, 2))
    return net.relu(net.edit.add(ops.Concat(-3), *both))


def _max_inside(net: Net, x: Value) -> Value:
    pool = ops.MaxPool((2, 2), (1, 1), ((0, 1),) * 2, (1, 1))
    y = net.edit.add(pool, x)  # of events: x has another reader
    return net.relu(net.edit.add(ops.Add(), net.conv(y, size(x, -3)), x))


def _average(net: Net, x: Value) -> Value:
    pool = ops.AvgPool((2, 2), (1, 1), ((0, 1),) * 2, (1, 1))
    return net.relu(net.conv(net.edit.add(pool, x), 3))


def _clipped(net: Net, x: Value) -> Value:
    return net.edit.add(ops.Clip(0.0, 1.5), net.conv(x, 3))


def _leaky(net: Net, x: Value) -> Value:
    return net.edit.add(ops.LeakyReLU(0.125), net.conv(x, 3))


def calibration(graph: Graph, count: int = 64, seed: int = 7) -> dict[str, np.ndarray]:
    return random_inputs(graph, batch=count, seed=seed)


CANONICAL = "fold-constants,fold-batchnorm,split-activations,pool-before-activation,remove-dead"


def quantised(graph: Graph, levels: int, steps: int, options: Sequence[str] = ()) -> Graph:
    """Bring a network into canonical form, with quantisers for activations."""
    text = ",".join([CANONICAL, f"thresholds{{{','.join([f'levels={levels}', *options])}}}"])
    return applied(text, graph, Context(calibration=calibration(graph), steps=steps))
