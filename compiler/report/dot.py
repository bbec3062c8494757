"""A graph as Graphviz text: one box a node, one arrow an operand."""

from __future__ import annotations

from spikec.ir import Family, Graph, Node


def to_dot(graph: Graph) -> str:
    """Write the graph in the DOT language.

    >>> from spikec.ir import B, Editor, Graph, TensorType, ops
    >>> edit = Editor(Graph("tiny"), by="example")
    >>> edit.output("y", edit.add(ops.ReLU(), edit.input("x", TensorType((B, 4)))))
    >>> print(to_dot(edit.graph).splitlines()[-2])
      "relu" -> "y" [label="f32[B, 4]"];
    """
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        "  rankdir=TB;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=10];',
        '  edge [fontname="Helvetica", fontsize=8];',
        *(_node(node) for node in graph),
        *(line for node in graph for line in _edges(node)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _node(node: Node) -> str:
    label = f"{node.name}\n{type(node.op).__name__}"
    if node.op.params:
        label += f"\n{node.op.params:,} params"
    colour, tip = _COLOURS[node.op.family], str(node.location) or node.name
    attributes = f"label={_quoted(label)}, fillcolor={_quoted(colour)}, tooltip={_quoted(tip)}"
    return f"  {_quoted(node.name)} [{attributes}];"


def _edges(node: Node) -> list[str]:
    return [
        f"  {_quoted(value.producer.name)} -> {_quoted(node.name)} "
        f"[label={_quoted(str(value.type))}];"
        for value in node.inputs
    ]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


_COLOURS: dict[Family, str] = {
    Family.BOUNDARY: "#e0e0e0",
    Family.AFFINE: "#bbdefb",
    Family.NORM: "#d1c4e9",
    Family.ACTIVATION: "#ffe0b2",
    Family.POOL: "#c8e6c9",
    Family.SHAPE: "#f5f5f5",
    Family.MERGE: "#b2dfdb",
    Family.REDUCE: "#dcedc8",
    Family.LOGIC: "#eeeeee",
    Family.NEURON: "#ffcdd2",
    Family.CODING: "#f8bbd0",
    Family.TEMPORAL: "#fff9c4",
}
