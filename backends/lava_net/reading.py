"""Reads a spiking graph into a plan; everything that Lava cannot do stands in one error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Deployable
from spikec.backends.lava_net.cutting import DRIVES, Cut, cut
from spikec.backends.lava_net.forms import form_of, identity
from spikec.backends.lava_net.host import host_node
from spikec.backends.lava_net.neurons import (
    READOUT,
    amplitude_of,
    is_graded,
    neurons_of,
    problem_of,
)
from spikec.backends.lava_net.paths import Path, Refused, is_linear, paths_to, refusal
from spikec.backends.lava_net.plan import Connection, Current, HostNode, Layer, Plan
from spikec.errors import Problem, UnsupportedModel, UsageError
from spikec.ir import Family, Node, Sizes, Stage, TensorType, Value, ops
from spikec.ir.layout import elements, folded
from spikec.pipeline.extract import extract
from spikec.runtime import run

Numbers = NDArray[Any]


def read(source: Deployable) -> Plan:
    """Give the plan of a program."""
    graph = source.graph
    if graph.stage is Stage.ANALOG or not any(n.op.family is Family.NEURON for n in graph):
        raise UsageError(
            f"{graph.name!r} holds no neurons",
            expected="a spiking program",
            remedy="spikec convert makes one",
        )
    reader = _Reader(cut(graph), source.steps)
    plan = reader.plan()
    if reader.problems:
        problems = list(dict.fromkeys(reader.problems))
        raise UnsupportedModel(
            f"{graph.name!r} cannot be written for Lava",
            expected="linear maps between neurons that are processes of this backend",
            problems=problems,
        )
    return plan


@dataclass
class _Reader:
    cut: Cut
    steps: int
    problems: list[Problem] = field(default_factory=list)

    def plan(self) -> Plan:
        graph = self.cut.graph
        self.problems += list(_shapes(self.cut))
        before = tuple(self._host(node) for node in self.cut.before)
        behind = tuple(self._host(node) for node in self.cut.behind)
        layers, connections, maps = [], [], []
        currents: dict[str, tuple[Current, ...]] = {}
        for layer in self._layers():
            paths = self._paths(layer)
            layers.append(layer)
            if self.problems:
                continue
            connections += [_connection(layer, p) for p in paths if not _is_current(p)]
            started = [path for path in paths if _is_current(path)]
            driving = [_current(layer, p, i, self.steps) for i, p in enumerate(started)]
            maps += [node for _, node in driving if node]
            if driving:
                currents[layer.name] = tuple(current for current, _ in driving)
        return Plan(
            self.steps,
            {node.name: node.outputs[0].type for node in graph.inputs},
            (*(node for node in before if node), *maps),
            tuple(layers),
            tuple(connections),
            currents,
            tuple(node for node in behind if node),
            {node.name: node.inputs[0] for node in graph.outputs},
        )

    def _host(self, node: Node) -> HostNode | None:
        try:
            return host_node(node)
        except Refused as refused:
            self.problems += refused.problems
            return None

    def _layers(self) -> Iterator[Layer]:
        nodes = [n for n in self.cut.graph if n.op.family is Family.NEURON]
        for node, current in zip(nodes, self.cut.wanted, strict=False):
            problem = problem_of(node)
            if problem:
                self.problems.append(problem)
                continue
            value, neurons = node.outputs[0], neurons_of(node)
            analog = isinstance(node.op, ops.Accumulator)
            bias = self._bias(current)
            size = elements(value.type)
            yield Layer(node.name, value, node, neurons, size, bias, analog)
        for value in self.cut.wanted[len(nodes) :]:
            bias = self._bias(value)
            size = elements(value.type)
            yield Layer(value.name, value, None, READOUT, size, bias, analog=True)

    def _paths(self, layer: Layer) -> tuple[Path, ...]:
        wanted = layer.value if layer.node is None else layer.node.inputs[0]
        try:
            return paths_to(wanted, self.cut.sources.keys())
        except Refused as refused:
            self.problems += refused.problems
            return ()

    def _bias(self, wanted: Value) -> Numbers:
        """Give the current that comes where nothing is sent: [R, elements], the last row stays."""
        try:
            rows = _alone(self.cut, wanted, self.steps)
        except Refused as refused:
            self.problems += refused.problems
            return np.zeros((1, elements(wanted.type)))
        last = len(rows)
        while last > 1 and np.array_equal(rows[last - 1], rows[last - 2]):
            last -= 1
        return rows[:last]


def _alone(cut_: Cut, wanted: Value, steps: int) -> Numbers:
    """Run what lies between sources and a current, with zeros from all sources."""
    piece = extract(cut_.graph, wanted, cut_.sources.keys())
    strange = [
        refusal(node)
        for node in piece
        if node.inputs
        and not (is_linear(node) or isinstance(node.op, (*DRIVES, ops.Output)))
        and not node.outputs[0].type.is_static
    ]
    if strange:
        raise Refused(*strange)
    count = min(steps, 1 + sum(_transient(node) for node in piece))
    sizes = Sizes(1, count)
    feed = {n.name: _zeros(n.outputs[0].type, sizes) for n in piece.inputs}
    result = run(piece, feed, "reference", steps=count, dtype="float64")
    assert not isinstance(result, tuple)  # a piece has one output
    return folded(result, wanted.type, sizes).reshape(count, -1)


def _zeros(x: TensorType, sizes: Sizes) -> Numbers:
    return np.zeros(x.shape(sizes), x.dtype.numpy)


def _transient(node: Node) -> int:
    """Give the steps after which what a node does by itself stays the same."""
    return node.op.steps if isinstance(node.op, ops.Delay | ops.Impulse) else 0


def _is_current(path: Path) -> bool:
    """Tell whether a path starts from a static value of the host."""
    node = path.source.producer
    return path.source.type.is_static or isinstance(node.op, DRIVES)


def _connection(layer: Layer, path: Path) -> Connection:
    source = path.source.producer
    form = form_of(path, amplitude_of(source))
    form = identity(layer.size) if form.kind == "same" else form
    return Connection(source.name, layer.name, form, path.delay, is_graded(source))


def _current(layer: Layer, path: Path, number: int, steps: int) -> tuple[Current, HostNode | None]:
    """Give a current, and what the host has to do where weights stand on its way."""
    node, origin = path.source.producer, path.source
    profile: tuple[float, ...] = (1.0,)
    if isinstance(node.op, DRIVES):
        (origin,) = node.inputs
    if isinstance(node.op, ops.Impulse):
        profile = (1 / node.op.steps,) * min(node.op.steps, steps) + (0.0,)
    form = form_of(path, np.ones(()))
    if form.kind == "same":
        return Current(origin.name, profile, path.delay, (origin, form)), None
    name = f"{layer.name}<-{path.source.name}:{number}"
    mapped = HostNode(name, "affine", (origin.name,), {}, (form,))
    return Current(name, profile, path.delay, (origin, form)), mapped


def _shapes(cut_: Cut) -> Iterator[Problem]:
    """Refuse values that have no samples, or another rate than the program's."""
    for value in cut_.sources:
        if value.type.batch_axis is None:
            what = "a value without batch axis"
            yield Problem(what, value.producer.place, "samples on an axis of their own")
        if isinstance(value.producer.op, DRIVES) and value.producer.inputs[0].producer in cut_.late:
            what = "a current that depends on what neurons have sent over all steps"
            yield Problem(what, value.producer.place, "currents that depend on inputs alone")
    for node in cut_.graph:
        if any(value.type.rate != 1 for value in node.outputs):
            what = f"a value at another rate, {node.outputs[0].type}"
            remedy = "do without what mixes steps: all of a chip's neurons run at every step"
            yield Problem(what, node.place, "rate 1", remedy)
    for node in cut_.graph.inputs:
        kind: TensorType = node.outputs[0].type
        if not kind.dtype.is_float:
            yield Problem(f"an input of {kind.dtype.value}", node.place, "floating point")
