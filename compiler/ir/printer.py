"""Graph to text, one line a node; ``spikec.ir.parser`` reads it back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from spikec.errors import SpikecError, TypeMismatch
from spikec.ir.array_text import ArrayTable
from spikec.ir.codec import kind_of, record_of
from spikec.ir.graph import Graph, Node
from spikec.ir.kinds import quoted
from spikec.ir.location import Location, Place
from spikec.ir.tokens import WORD
from spikec.ir.types import TensorType

ONNX = "onnx"
"""The word in front of an ONNX node's name."""


def print_graph(graph: Graph, remarks: Mapping[str, str] = {}) -> str:
    """Write a graph: everything that equality compares; remarks on nodes are comments.

    >>> from spikec.ir import B, Editor, Location, ops
    >>> edit = Editor(Graph("tiny"), by="example")
    >>> x = edit.input("x", TensorType((B, 4)))
    >>> y = edit.add(ops.Softmax(axis=-1), x, location=Location.at("head", "net.py", 3))
    >>> edit.output("y", y)
    >>> print(print_graph(edit.graph))
    analog graph "tiny" {
      %x = Input(type=f32[B, 4]) : f32[B, 4]
      %softmax = Softmax(%x; axis=-1) : f32[B, 4]  @ head ("net.py":3)
      %y = Output(%softmax)
    }
    <BLANKLINE>
    """
    digits = ArrayTable(graph.arrays().values()).digits()
    lines = [_line(node_text(node, digits), remarks.get(node.name, "")) for node in graph]
    return f"{graph.stage.value} graph {quoted(graph.name)} {{\n{''.join(lines)}}}\n"


def _line(text: str, remark: str) -> str:
    comment = "  // " + remark.replace("\n", " ") if remark else ""
    return f"  {text}{comment}\n"


def fingerprint(graph: Graph) -> str:
    """Give a digest of everything that equality compares."""
    return hashlib.sha256(print_graph(graph).encode()).hexdigest()


def node_text(node: Node, digits: int) -> str:
    """Write one node: ``%name = Op(operands; fields) : result types  @ places``."""
    operands = ", ".join(f"%{value.name}" for value in node.inputs)
    try:
        fields = record_of(type(node.op)).fields_text(node.op, digits)
        types = ", ".join(kind_of(TensorType).text(type_, digits) for type_ in node.output_types)
    except SpikecError as error:
        raise TypeMismatch(error.what, where=node.place, expected=error.expected) from None
    inside = "; ".join(part for part in (operands, fields) if part)
    text = f"%{node.name} = {type(node.op).__name__}({inside})"
    if types:
        text += f" : {types}"
    return f"{text}  @ {location_text(node.location)}" if node.location else text


def location_text(location: Location) -> str:
    """Write all places: ``layer1.conv ("net.py":12) + onnx "/fc/Gemm"``."""
    return " + ".join(map(_place_text, location.places))


def _place_text(place: Place) -> str:
    parts = []
    if place.module:
        bare = WORD.fullmatch(place.module) and place.module != ONNX
        parts.append(place.module if bare else quoted(place.module))
    if place.file or place.line:
        line = f":{place.line}" if place.line else ""
        parts.append(f"({quoted(place.file)}{line})")
    if place.onnx:
        parts.append(f"{ONNX} {quoted(place.onnx)}")
    return " ".join(parts) or '""'
