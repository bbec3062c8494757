"""Graph to JSON and back; arrays by digest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spikec.errors import ParseError, SpikecError, TypeMismatch
from spikec.ir.array import Array
from spikec.ir.array_text import ArrayTable
from spikec.ir.codec import kind_of, record_of
from spikec.ir.edit import Editor
from spikec.ir.graph import Graph, Node, Stage, Value
from spikec.ir.kinds import Json
from spikec.ir.location import Location
from spikec.ir.ops import OPS
from spikec.ir.types import TensorType


def dump_graph(graph: Graph) -> dict[str, Json]:
    """Write everything that equality compares."""
    nodes = [_dump_node(node) for node in graph]
    return {"name": graph.name, "stage": graph.stage.value, "nodes": nodes}


def load_graph(data: Json, arrays: Iterable[Array]) -> Graph:
    """Read what ``dump_graph`` wrote: types are inferred anew and compared with those written."""
    if not isinstance(data["name"], str):
        raise ParseError("the graph has no name")
    graph = Graph(data["name"], Stage(data["stage"]))
    edit, table = Editor(graph, by="store"), ArrayTable(arrays)
    for row in data["nodes"]:
        _load_node(row, edit, table)
    graph.journal.clear()
    return graph


def _dump_node(node: Node) -> dict[str, Json]:
    try:
        fields = record_of(type(node.op)).dump(node.op)
    except SpikecError as error:
        raise TypeMismatch(error.what, where=node.place, expected=error.expected) from None
    return {
        "name": node.name,
        "op": type(node.op).__name__,
        "fields": fields,
        "inputs": [[value.producer.name, value.index] for value in node.inputs],
        "types": [_TYPE.dump(type_) for type_ in node.output_types],
        "location": _LOCATION.dump(node.location),
    }


def _load_node(row: Any, edit: Editor, table: ArrayTable) -> None:
    name, op = row["name"], row["op"]
    if op not in OPS:
        raise ParseError(f"unknown op {op!r}", where=f"%{name}")
    if name in edit.graph:
        raise ParseError(f"%{name} is defined twice")
    inputs = [_value(edit.graph, producer, index) for producer, index in row["inputs"]]
    location: Location = _LOCATION.load(row["location"], table)
    node = edit.add_node(record_of(OPS[op]).load(row["fields"], table), inputs, name, location)
    if [_TYPE.dump(type_) for type_ in node.output_types] != row["types"]:
        raise ParseError("the recorded types are not those that the op infers", where=node.place)


def _value(graph: Graph, producer: str, index: int) -> Value:
    if index < 0:
        raise ParseError(f"result {index} of %{producer}")
    return graph[producer].outputs[index]


_TYPE = kind_of(TensorType)
_LOCATION = record_of(Location)
