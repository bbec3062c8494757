"""Reads ``nir.NIRGraph`` objects; arrays may be NumPy's or PyTorch's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikec.errors import BadFile
from spikec.frontends.nir_graph.raw import Edge, Field, RawGraph, RawNode, Source, version_of
from spikec.frontends.nir_graph.reading import DEEPEST

NUMBERS = "biuf"
TYPES = {"Input": "input_type", "Output": "output_type", "Flatten": "input_type"}
"""where objects keep what files call ``shape`` (Flatten: ``input_type``)"""


def from_object(model: Any) -> Source:
    """Read a graph object; its equations are those of the package that has made it."""
    version = str(getattr(sys.modules.get("nir"), "version", ""))
    graph = _graph(model, "the graph", 0)
    return Source(graph, f"a {type(model).__qualname__}", version_of(version))


def _graph(model: Any, where: str, depth: int) -> RawGraph:
    if depth > DEEPEST:
        raise BadFile(f"graphs nested more than {DEEPEST} deep", where=where)
    nodes: dict[str, RawNode | RawGraph] = {}
    for name, node in model.nodes.items():
        inner = f"{where}, node {name}"
        kind = type(node).__name__
        nodes[str(name)] = (
            _graph(node, inner, depth + 1) if kind == "NIRGraph" else _node(kind, node, inner)
        )
    edges = tuple(_edge(edge, where) for edge in model.edges)
    return RawGraph(nodes, edges, _metadata(model))


def _edge(edge: Any, where: str) -> Edge:
    if not (isinstance(edge, tuple | list) and len(edge) == 2):
        raise BadFile(f"an edge {edge!r}", where=where, expected="a pair of names")
    return str(edge[0]), str(edge[1])


def _node(kind: str, node: Any, where: str) -> RawNode:
    own = {n: v for n, v in vars(node).items() if n not in ("input_type", "output_type")}
    own.pop("metadata", None)
    fields = {name: _value(v, f"{where}.{name}") for name, v in own.items() if v is not None}
    if kind in TYPES:
        shape = next(iter((getattr(node, TYPES[kind], None) or {}).values()), None)
        if shape is not None:
            name = "input_type" if kind == "Flatten" else "shape"
            fields[name] = _value(shape, f"{where}.{name}")
    return RawNode(kind, fields, _metadata(node))


def _metadata(node: Any) -> Mapping[str, Field]:
    """Take what is plain: text and numbers."""
    found = getattr(node, "metadata", None)
    plain: dict[str, Field] = {}
    for name, value in found.items() if isinstance(found, Mapping) else ():
        text = _text(value)
        array = np.asarray(value)
        if text is not None:
            plain[str(name)] = text
        elif array.dtype.kind in NUMBERS:
            plain[str(name)] = array
    return plain


def _text(value: Any) -> str | None:
    """Give a text; ``nir.read`` leaves those of metadata in bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _value(value: Any, where: str) -> Field:
    text = _text(value)
    if text is not None:
        return text
    if hasattr(value, "detach"):  # a tensor of PyTorch
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind not in NUMBERS:
        raise BadFile(f"elements of type {array.dtype}", where=where, expected="numbers")
    return array
