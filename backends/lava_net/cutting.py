"""Cuts a graph into what the host computes before, what stands in Lava, and what comes behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spikec.backends.lava_net.gains import GAINS
from spikec.backends.lava_net.paths import is_linear
from spikec.ir import Family, Graph, Node, Value, ops

DRIVES = (ops.Repeat, ops.Impulse)
"""ops that turn a static value of the host into a current over time"""


@dataclass(frozen=True, eq=False)
class Cut:
    """Where each part of a graph is computed."""

    graph: Graph
    before: tuple[Node, ...]
    """static nodes that depend on inputs, inputs left out"""
    sources: Mapping[Value, None]
    """what connections and currents start from: neurons, inputs over time, currents of the host"""
    wanted: tuple[Value, ...]
    """currents of neurons, in the order of the graph, then those that the host reads"""
    behind: tuple[Node, ...]
    """nodes that decode, Output nodes left out"""


def cut(graph: Graph) -> Cut:
    """Cut a graph; nothing is refused yet."""
    fed = _fed(graph)
    before = tuple(n for n in graph if n in fed and n.inputs and _is_static(n) and not _ends(n))
    work = _Behind(graph, fed)
    neurons = [n for n in graph if n.op.family is Family.NEURON]
    currents = (*(n.inputs[0] for n in neurons), *work.read)
    leading = _static_reading(graph, fed, work.nodes)
    sources = [
        *(n.outputs[0] for n in neurons),
        *(n.outputs[0] for n in graph.inputs if not n.outputs[0].type.is_static),
        *(n.outputs[0] for n in graph if isinstance(n.op, DRIVES) and n in fed),
        *leading,
    ]
    nodes = tuple(n for n in graph if n in work.nodes and not isinstance(n.op, ops.Output))
    # a static network decodes nothing: its outputs stand among what comes before
    return Cut(graph, before, dict.fromkeys(sources), tuple(currents), nodes)


def _fed(graph: Graph) -> set[Node]:
    """Give the nodes that depend on inputs."""
    found: set[Node] = set()
    for node in graph:
        if isinstance(node.op, ops.Input) or any(v.producer in found for v in node.inputs):
            found.add(node)
    return found


def _is_static(node: Node) -> bool:
    values = [*node.inputs, *node.outputs]
    return all(value.type.is_static for value in values)


def _ends(node: Node) -> bool:
    return isinstance(node.op, ops.Output)


def _static_reading(graph: Graph, fed: set[Node], behind: set[Node]) -> list[Value]:
    """Give static values of the host that connections add to what comes over time."""
    return [
        value
        for node in graph
        for value in node.outputs
        if node in fed
        and value.type.is_static
        and any(
            not isinstance(user.op, (*DRIVES, ops.Output)) and not _is_static(user)
            for user in value.users
            if user not in behind
        )
    ]


@dataclass
class _Behind:
    """The nodes that decode; from each value that they read, elementwise ops are taken over."""

    graph: Graph
    fed: set[Node]
    nodes: set[Node] = field(default_factory=set)
    read: list[Value] = field(default_factory=list)

    def __post_init__(self) -> None:
        leads = _leading_to_neurons(self.graph)
        for node in self.graph:
            if node in leads or node not in self.fed or _is_static(node):
                continue
            after = any(value.producer in self.nodes for value in node.inputs)
            if after or _ends(node) or not (is_linear(node) or isinstance(node.op, DRIVES)):
                self.nodes.add(node)
        for node in [n for n in self.graph if n in self.nodes]:
            for value in node.inputs:
                self._boundary(value, leads)

    def _boundary(self, value: Value, leads: set[Node]) -> None:
        node = value.producer
        if node in self.nodes or node not in self.fed or value.type.is_static:
            return
        if node.op.family is Family.NEURON or value in self.read:
            return
        moving = [v for v in node.inputs if not isinstance(v.producer.op, ops.Constant)]
        alone = len(moving) == 1 and type(node.op) in GAINS and not isinstance(node.op, ops.Delay)
        if alone and node not in leads and set(value.users) <= self.nodes:
            self.nodes.add(node)
            self._boundary(moving[0], leads)
        else:
            self.read.append(value)


def _leading_to_neurons(graph: Graph) -> set[Node]:
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        users = (user for value in node.outputs for user in value.users)
        if node.op.family is Family.NEURON or any(user in found for user in users):
            found.add(node)
    return found
