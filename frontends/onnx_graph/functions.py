"""Ops that are functions: the model's own, and those that the ONNX standard defines by others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, TypeProto, helper

from spikec.frontends.onnx_graph.entries import Entry, Known, Ramp, Spread, dims_of
from spikec.ir.dims import SymbolicDim
from spikec.ir.graph import Value


@dataclass(frozen=True)
class Body:
    """A function that stands for a node: its nodes, and the opsets that they are written in."""

    function: FunctionProto
    opsets: dict[str, int]
    defaults: dict[str, AttributeProto]
    """values of attributes that the caller leaves out"""

    def nodes(self, call: NodeProto) -> Iterator[NodeProto]:
        """Give the function's nodes with the caller's attributes put in."""
        given = {attribute.name: attribute for attribute in call.attribute}
        for node in self.function.node:
            yield _bound(node, {**self.defaults, **given})


def local_functions(model: ModelProto) -> dict[tuple[str, str], Body]:
    """Give the functions that a model brings along."""
    return {
        (f.domain, f.name): Body(f, _opsets(f), {a.name: a for a in f.attribute_proto})
        for f in model.functions
    }


def standard_body(node: NodeProto, opset: int, operands: tuple[Entry | None, ...]) -> Body | None:
    """Give the standard's own definition of a node by other ops, if there is one."""
    try:
        schema: Any = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    content = _definition(schema, node, opset, operands)
    function = FunctionProto()
    try:
        function.ParseFromString(content)
    except DecodeError:
        return None
    defaults = {n: a.default_value for n, a in schema.attributes.items() if a.default_value.type}
    opsets = _opsets(function) or {"": opset}
    return Body(function, opsets, defaults) if function.node else None


def _definition(
    schema: Any, node: NodeProto, opset: int, operands: tuple[Entry | None, ...]
) -> bytes:
    """Give the definition for an opset, or the first one there is for this meaning of the op."""
    if schema.has_context_dependent_function:
        version = _nearest(schema.context_dependent_function_opset_versions, opset)
        types = [b"" if entry is None else _type(entry) for entry in operands]
        content: bytes = schema.get_context_dependent_function_with_opset_version(
            version, node.SerializeToString(), types
        )
        return content
    if schema.has_function:
        version = _nearest(schema.function_opset_versions, opset)
        content = schema.get_function_with_opset_version(version)
        return content
    return b""


def _nearest(versions: list[int], opset: int) -> int:
    older = [version for version in versions if version <= opset]
    return max(older) if older else min(versions)


def _opsets(function: FunctionProto) -> dict[str, int]:
    return {entry.domain: entry.version for entry in function.opset_import}


def _type(entry: Entry) -> bytes:
    """Describe an operand to the standard's function builder."""
    if isinstance(entry, Value):
        dtype = np.dtype(entry.type.dtype.numpy)
    elif isinstance(entry, Spread | Ramp):
        dtype = entry.base.dtype
    elif isinstance(entry, Known):
        dtype = entry.array.dtype
    else:
        dtype = np.dtype(np.int64)
    shape = [str(d) if isinstance(d, SymbolicDim) else d for d in dims_of(entry)]
    proto: TypeProto = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(dtype), shape)
    content: bytes = proto.SerializeToString()
    return content


def _bound(node: NodeProto, given: dict[str, AttributeProto]) -> NodeProto:
    """Copy a node with references to the function's attributes replaced by what was given."""
    result = NodeProto()
    result.CopyFrom(node)
    del result.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            result.attribute.append(attribute)
        elif attribute.ref_attr_name in given:
            bound = AttributeProto()
            bound.CopyFrom(given[attribute.ref_attr_name])
            bound.name = attribute.name
            result.attribute.append(bound)
    for attribute in result.attribute:
        for nested in (attribute.g, *attribute.graphs):
            for index, inner in enumerate(nested.node):
                nested.node[index].CopyFrom(_bound(inner, given))
    return result
