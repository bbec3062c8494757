"""From a path, bytes or a ModelProto to a checked model with all of its weights in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
)

from spikec.errors import BadFile, UnsupportedModel, UsageError
from spikec.frontends.common import read_file
from spikec.frontends.onnx_graph.external import load_external

OLDEST_OPSET = 8
DEPRECATED = ("GroupNormalization", "Upsample")
"""Ops whose deprecated versions (GroupNormalization 18, Upsample 10) are imported all the same."""

_FOREIGN = (
    (b"PK\x03\x04", "a zip archive (perhaps .pt, .pt2 or .npz)"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x89HDF", "an HDF5 file"),
)


@dataclass(frozen=True)
class Source:
    """A model that is ready to be imported, and how it is called in messages."""

    model: ModelProto
    origin: str
    opsets: dict[str, int]


def read_model(source: str | os.PathLike[str] | bytes | ModelProto) -> Source:
    """Read, load external data, and check; every defect is a SpikecError."""
    if isinstance(source, ModelProto):
        model, origin, folder = ModelProto(), "the ModelProto", None
        model.CopyFrom(source)
    elif isinstance(source, bytes):
        model, origin, folder = _parse(source, "the bytes given"), "the bytes given", None
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        model, origin, folder = (
            _parse(read_file(path, "an .onnx file"), str(path)),
            str(path),
            path.parent,
        )
    else:
        raise UsageError(
            f"cannot read an ONNX model from {type(source).__name__}",
            expected="a path, the bytes of a file, or an onnx.ModelProto",
        )
    opsets = _check_header(model, origin)
    _check_names(model, origin)
    load_external(tensors_of(model), folder, origin)
    _check(model, origin)
    return Source(model, origin, opsets)


def _parse(content: bytes, origin: str) -> ModelProto:
    """Decode the protobuf message."""
    expected, remedy = "a binary ONNX model (protobuf)", "export or download the model again"
    if not content:
        raise BadFile("the file is empty", where=origin, expected=expected, remedy=remedy)
    for magic, name in _FOREIGN:
        if content.startswith(magic):
            raise BadFile(f"this is {name}, not ONNX", where=origin, expected=expected)
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise BadFile(
            "the file is truncated or damaged, or no ONNX model",
            where=origin,
            expected=expected,
            remedy=remedy,
        ) from None
    return model


def _check_header(model: ModelProto, origin: str) -> dict[str, int]:
    """Check what must be there, and the versions; give domain -> opset."""
    if not model.HasField("graph") or not model.opset_import or model.ir_version <= 0:
        raise BadFile(
            "the file holds no complete ONNX model",
            where=origin,
            expected="a graph, an IR version and an opset import",
            remedy="export or download the model again",
        )
    opsets = {_domain(entry.domain): entry.version for entry in model.opset_import}
    newest = onnx.defs.onnx_opset_version()
    inner = (e.version for f in model.functions for e in f.opset_import if not _domain(e.domain))
    version = max(opsets.get("", 0), *inner, 0)
    if version > newest or model.ir_version > onnx.IR_VERSION:
        raise UnsupportedModel(
            f"the model uses opset {version} and IR version {model.ir_version}",
            where=origin,
            expected=f"opset {OLDEST_OPSET} to {newest} and IR version up to {onnx.IR_VERSION}, "
            f"which is what the installed onnx {onnx.__version__} knows",
            remedy="update the package onnx, or export the model with an older opset",
        )
    if version < OLDEST_OPSET:
        raise UnsupportedModel(
            f"the model uses opset {version} of the standard operators",
            where=origin,
            expected=f"opset {OLDEST_OPSET} to {newest}",
            remedy="export the model again with a newer opset",
        )
    return opsets


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _check_names(model: ModelProto, origin: str) -> None:
    """Refuse names that are no text (the protobuf library hands damaged ones out as bytes)."""
    names: list[object] = [model.graph.name]
    names += [info.name for info in (*model.graph.input, *model.graph.output)]
    names += [tensor.name for tensor in tensors_of(model)]
    for node in nodes_of(model):
        names += (node.name, node.op_type, node.domain, *node.input, *node.output)
        names += (attribute.name for attribute in node.attribute)
    if not all(isinstance(name, str) for name in names):
        raise BadFile(
            "the model holds names that are no text",
            where=origin,
            remedy="export or download the model again",
        )


def _check(model: ModelProto, origin: str) -> None:
    """Let the ONNX checker look at everything but the contents of the weights.

    The weights are declared as inputs for that, so that models beyond protobuf's two gigabytes can
    be checked too; ``spikec.frontends.onnx_graph.tensors`` checks the weights themselves.
    """
    try:
        onnx.checker.check_model(_without_weights(model))
    except (onnx.checker.ValidationError, ValueError, DecodeError) as error:
        raise BadFile(
            "the ONNX checker rejects the model",
            where=origin,
            expected=str(error).strip().splitlines()[0],
            remedy="export or download the model again",
        ) from None


def _without_weights(model: ModelProto) -> ModelProto:
    """Copy a model: weights become inputs, and what needs no check is mended."""
    skeleton = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    skeleton.functions.extend(model.functions)
    source, graph = model.graph, skeleton.graph
    graph.name = "checked"
    graph.node.extend(source.node)
    graph.input.extend(source.input)
    graph.output.extend(source.output)
    graph.sparse_initializer.extend(source.sparse_initializer)
    declared = {info.name for info in source.input}
    graph.input.extend(_info(t) for t in source.initializer if t.name not in declared)
    for output in graph.output:
        # types of results are inferred, so that a file may leave them out
        if output.type.WhichOneof("value") in (None, "tensor_type"):
            output.type.tensor_type.elem_type = output.type.tensor_type.elem_type or 1
            output.type.tensor_type.shape.SetInParent()
    for node in graph.node:
        if node.op_type in DEPRECATED and node.input:
            # the checker refuses them from some opset on; files that hold them are still around
            node.op_type, first = "Identity", node.input[0]
            del node.attribute[:], node.input[:]
            node.input.append(first)
    return skeleton


def _info(tensor: TensorProto) -> ValueInfoProto:
    return onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))


def nodes_of(model: ModelProto) -> Iterator[NodeProto]:
    """Give every node of a model: in subgraphs and functions too."""
    for body in (model.graph, *model.functions):
        yield from _nodes(body)


def _nodes(body: GraphProto | FunctionProto) -> Iterator[NodeProto]:
    for node in body.node:
        yield node
        for attribute in node.attribute:
            for graph in _graphs(attribute):
                yield from _nodes(graph)


def _graphs(attribute: AttributeProto) -> tuple[GraphProto, ...]:
    return (attribute.g, *attribute.graphs) if attribute.HasField("g") else (*attribute.graphs,)


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """Give every tensor of a model: initializers and attributes, in subgraphs and functions too."""
    yield from _initializers(model.graph)
    for node in nodes_of(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in _graphs(attribute):
                yield from _initializers(graph)


def _initializers(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def node_name(node: NodeProto) -> str:
    """Name a node in messages: its own name, else by what it makes."""
    if node.name:
        return node.name
    outputs = ", ".join(output for output in node.output if output)
    return f"(unnamed, makes {outputs})"
