"""Several programs as one: side by side, each node under the name of its program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from spikec.ir import Editor, Graph, Value

Inputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class United:
    """A program, and what comes into it."""

    graph: Graph
    inputs: Inputs


def united(parts: Mapping[str, tuple[Graph, Inputs]]) -> United:
    """Put programs side by side; ``NAME.node`` was the node of the program of that name."""
    stage = next(graph.stage for graph, _ in parts.values())
    edit = Editor(Graph("united", stage), by="test")
    inputs: dict[str, NDArray[Any]] = {}
    for name, (graph, given) in parts.items():
        _add(edit, graph, f"{name}.")
        inputs |= {f"{name}.{key}": array for key, array in given.items()}
    return United(edit.graph, inputs)


def _add(edit: Editor, graph: Graph, prefix: str) -> None:
    values: dict[Value, Value] = {}
    for node in graph:
        operands = [values[value] for value in node.inputs]
        name = f"{prefix}{node.name}"
        new = edit.add_node(node.op, operands, name=name, location=node.location)
        values.update(zip(node.outputs, new.outputs, strict=True))
