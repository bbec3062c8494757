"""Cuts a piece out of a graph: what lies between values that are known and one that is wanted."""

from __future__ import annotations

from collections.abc import Collection

from spikec.ir import Editor, Graph, Node, Value


def extract(graph: Graph, wanted: Value, known: Collection[Value]) -> Graph:
    """Give a graph whose inputs are those known values that ``wanted`` depends on.

    Inputs carry the names of their values' nodes, so that arrays are fed by these names.
    """
    needed = between(wanted, frozenset(known))
    edit = Editor(Graph(graph.name, graph.stage), by="extract")
    value: dict[Value, Value] = {}
    for node in graph:
        for result in node.outputs:
            if result in known and _read(result, needed, wanted):
                value[result] = edit.input(node.name, result.type)
        if node in needed:
            operands = [value[operand] for operand in node.inputs]
            new = edit.add_node(node.op, operands, node.name, node.location)
            value.update(zip(node.outputs, new.outputs, strict=True))
    edit.output("wanted", value[wanted])
    return edit.graph


def between(wanted: Value, known: frozenset[Value]) -> set[Node]:
    """Give the nodes that compute ``wanted`` from known values."""
    found: set[Node] = set()
    waiting = [] if wanted in known else [wanted.producer]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(v.producer for v in node.inputs if v not in known)
    return found


def _read(value: Value, needed: set[Node], wanted: Value) -> bool:
    return value is wanted or any(user in needed for user in value.users)
