"""What the host computes, before the chip and behind it: two graphs, and how they are run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from spikec.ir import Editor, Family, Graph, Node, Sizes, Value, ops
from spikec.ir.encoding import encodes
from spikec.ir.ops import Input
from spikec.pipeline.extract import between
from spikec.runtime import trace
from spikec.target.partition import Partition

Named = dict[str, NDArray[Any]]


def before(graph: Graph, cut: Partition) -> Graph | None:
    """Give the graph from the inputs to the values that go to the chip; None if there are none."""
    sent = [v for v in cut.sent if not isinstance(v.producer.op, ops.Constant)]
    prefix = set(cut.prefix)
    kept = [n for n in graph if n in prefix or isinstance(n.op, Input | ops.Constant)]
    return _part(graph, kept, {}, {name_of(v): v for v in sent}) if sent else None


def behind(graph: Graph, cut: Partition) -> Graph:
    """Give the graph from what is read from the chip (and the inputs) to the outputs."""
    read = {v: name_of(v) for v in cut.read if not isinstance(v.producer.op, ops.Constant)}
    chip = set(cut.chip)
    kept = [n for n in graph if (n not in chip or isinstance(n.op, ops.Constant)) and n.outputs]
    return _part(graph, kept, read, {n.name: n.inputs[0] for n in graph.outputs})


def apart_from_encoder(graph: Graph) -> tuple[Graph, Graph] | None:
    """Cut behind the encoders: a graph that makes events of the inputs, and one that reads them.

    Encoders are ops that make events of values, and neurons that see an input part by part.  Inputs
    that other nodes read as well are inputs of both.  None where there are no encoders, or neurons
    that nothing reads.
    """
    sent = {node.name: node.outputs[0] for node in graph if encodes(node)}
    if not sent:
        return None
    encoder = _part(graph, graph, {}, sent)
    given = {value: name for name, value in sent.items()}
    rest = _part(graph, graph, given, {n.name: n.inputs[0] for n in graph.outputs})
    if any(n.fires and n.name not in encoder and n.name not in rest for n in graph):
        return None
    edit = Editor(rest, by="host")
    for node in [node for node in rest.inputs if not node.outputs[0].users]:
        edit.remove(node)
    return encoder, rest


CROSSING = "crossing."


def name_of(value: Value) -> str:
    """Give a value that crosses the border a name as input or output of a graph."""
    return f"{CROSSING}{value.name.replace('#', '.')}"


def _part(
    graph: Graph, kept: Iterable[Node], given: Mapping[Value, str], wanted: Mapping[str, Value]
) -> Graph:
    """Copy the nodes that lead to the wanted values; given ones become inputs."""
    known = frozenset(given)
    needed = {node for value in wanted.values() for node in between(value, known)}
    edit = Editor(Graph(graph.name, graph.stage), by="host")
    values: dict[Value, Value] = {}
    for value, name in given.items():
        if value in wanted.values() or any(user in needed for user in value.users):
            values[value] = edit.input(name, value.type, value.producer.location)
    for node in kept:
        if isinstance(node.op, Input) or node in needed:
            operands = [values[value] for value in node.inputs]
            new = edit.add_node(node.op, operands, name=node.name, location=node.location)
            values.update(zip(node.outputs, new.outputs, strict=True))
    for name, value in wanted.items():
        edit.output(name, values[value])
    return edit.graph


def computed(graph: Graph | None, given: Mapping[str, NDArray[Any]], sizes: Sizes) -> Named:
    """Run a graph of the host; give its outputs and the events of its neurons, by name."""
    if graph is None:
        return {}
    own = {node.name: given[node.name] for node in graph.inputs}
    names = [node.name for node in graph if node.op.family is Family.NEURON]
    timed = any(not value.type.is_static for node in graph for value in node.outputs)
    steps = sizes.steps if timed else None
    found = trace(graph, own, "layerwise", record=names, steps=steps)
    outputs = zip((node.name for node in graph.outputs), found.outputs, strict=True)
    return {**found.values, **dict(outputs)}


def not_crossing(host: Named) -> Named:
    """Give the host's own neurons and outputs, without what crosses the border."""
    return {name: array for name, array in host.items() if not name.startswith(CROSSING)}
