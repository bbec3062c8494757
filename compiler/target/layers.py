"""Layers of neurons and the connections between them, read off a graph."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from spikec.ir import Family, Graph, Node, Op, Value, ops
from spikec.target.axes import Counts
from spikec.target.reach import Reach, Shape, everywhere, itself, shape_of, through

SYNAPTIC = (
    *(ops.Linear, ops.Conv, ops.ConvTranspose, ops.DeformConv, ops.Scale),
    *(ops.AvgPool, ops.SumPool, ops.AdaptiveAvgPool, ops.ReduceSum, ops.ReduceMean),
    *(ops.Mul, ops.Div),
)
"""Ops that multiply or add up what events bring: each is a set of synapses."""


@dataclass(frozen=True)
class Kernel:
    """Weights that a convolution uses at every position."""

    per_channel: int
    axis: int
    """the channels' axis (negative)"""


@dataclass(frozen=True, eq=False)
class Path:
    """What leads from a source to a value: linear ops in between."""

    source: Value
    reach: Reach
    delay: int = 0
    """steps of Delay on the way"""
    kernel: Kernel | None = None
    """where a convolution (alone) leads here"""
    weights: tuple[Op, ...] = ()
    """the weights on the way, in their order"""

    @property
    def weighted(self) -> bool:
        """Whether anything multiplies or adds up what the source sends."""
        return bool(self.weights)


@dataclass(frozen=True, eq=False)
class Connection:
    """Synapses from a source (a layer, or what the host sends) to a layer."""

    path: Path
    target: Node

    @property
    def source(self) -> Value:
        return self.path.source

    @property
    def synapses(self) -> int:
        """Number of synapses."""
        return int(self.path.reach.fan_in().sum())


@dataclass(frozen=True, eq=False)
class Layer:
    """Neurons that stand together: a neuron node, or a current that the host reads."""

    node: Node
    shape: Shape
    inputs: tuple[Connection, ...]

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def neurons(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def synapses(self) -> int:
        return sum(connection.synapses for connection in self.inputs)

    def fan_in(self) -> Counts:
        """Number of synapses per neuron."""
        total = np.zeros(self.shape, np.int64)
        for connection in self.inputs:
            total += connection.path.reach.fan_in()
        return total


def layers_of(graph: Graph, chip: Collection[Node]) -> tuple[Layer, ...]:
    """Give the layers of the nodes on the chip, sources before targets.

    Analog values from the host that reach neurons without weights are biases, no synapses.  An
    analog value over time that the host reads is a layer of accumulators.
    """
    paths: dict[Value, list[Path]] = {}
    layers: list[Layer] = []
    for node in graph:
        if node not in chip or not node.outputs:
            continue
        if node.op.family is Family.NEURON:
            layers.append(_layer(node, _incoming(paths, node, 0)))
            continue
        found = _onwards(paths, node)
        for value in node.outputs:
            single = len(node.outputs) == 1
            paths[value] = found if single else [_anywhere(path, value) for path in found]
        if found and _is_read(node, chip):
            layers.append(_layer(node, found))
    return tuple(layers)


def _layer(node: Node, paths: list[Path]) -> Layer:
    synapses = tuple(Connection(path, node) for path in paths if not _is_bias(path))
    return Layer(node, shape_of(node.outputs[0].type), synapses)


def _is_bias(path: Path) -> bool:
    return not path.source.type.is_spikes and not path.weighted


def _is_read(node: Node, chip: Collection[Node]) -> bool:
    """Tell whether the host reads an analog value here."""
    value = node.outputs[0]
    if value.type.is_spikes or value.type.is_static:
        return False
    return any(user not in chip for user in value.users) or not value.users


def _incoming(paths: dict[Value, list[Path]], node: Node, position: int) -> list[Path]:
    """Give the paths to an operand; a value without any is a source itself."""
    value = node.inputs[position]
    if isinstance(value.producer.op, ops.Constant):
        return []
    return paths.get(value) or [Path(value, itself(value))]


def _onwards(paths: dict[Value, list[Path]], node: Node) -> list[Path]:
    found = []
    for position in range(len(node.inputs)):
        for path in _incoming(paths, node, position):
            found.append(_after(path, node, position))
    return found


def _anywhere(path: Path, value: Value) -> Path:
    """Let a source reach all of a value: one of several results, which no axes tell apart."""
    return replace(path, reach=everywhere(path.reach.sources, shape_of(value.type)))


def _after(path: Path, node: Node, position: int) -> Path:
    reach = through(node, position, path.reach)
    op = node.op
    weighs = isinstance(op, SYNAPTIC)
    kernel = None if weighs or reach.shape != path.reach.shape else path.kernel
    if isinstance(op, ops.Conv | ops.ConvTranspose) and not path.weighted:
        kernel = Kernel(op.weight.size // op.channels[1], -len(op.kernel) - 1)
    delay = path.delay + (op.steps if isinstance(op, ops.Delay) else 0)
    weights = (*path.weights, op) if weighs else path.weights
    return replace(path, reach=reach, delay=delay, kernel=kernel, weights=weights)


def sources_of(layers: tuple[Layer, ...]) -> dict[str, tuple[str, ...]]:
    """Give the names of each layer's sources, one per connection; what the host sends has none."""
    found = {layer.name: tuple(c.source.producer.name for c in layer.inputs) for layer in layers}
    roots = {name: () for names in found.values() for name in names if name not in found}
    return {**roots, **found}
