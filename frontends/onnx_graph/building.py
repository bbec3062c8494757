"""The whole import: inputs, weights, nodes, outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikec.errors import Problem
from spikec.frontends.common import Refused, node_name, refuse_all
from spikec.frontends.onnx_graph.emitting import GraphEmitter
from spikec.frontends.onnx_graph.importer import Importer, Scope
from spikec.frontends.onnx_graph.reading import Source
from spikec.frontends.onnx_graph.signature import Signature, example_shapes
from spikec.ir.edit import Editor
from spikec.ir.graph import Graph
from spikec.ir.location import Location


def build(
    source: Source,
    name: str,
    example_input: Any,
    sizes: Mapping[str, int],
    *,
    dynamic_batch: bool,
) -> Graph:
    """Build the IR graph of a checked model."""
    proto = source.model.graph
    weights = {tensor.name for tensor in proto.initializer}
    infos = [info for info in proto.input if info.name not in weights]
    shapes = example_shapes([info.name for info in infos], example_input)
    signature = Signature(infos, shapes, sizes, dynamic_batch=dynamic_batch)
    types = signature.types(source.origin)

    graph = Graph(node_name(name, "onnx"))
    edit = Editor(graph, by="onnx_graph")
    ends = [*types, *(output.name for output in proto.output)]
    emitter = GraphEmitter(edit, map(node_name, ends))
    importer = Importer(source, emitter)
    scope = Scope(source.opsets)
    for label, type_ in types.items():
        scope.entries[label] = edit.input(node_name(label), type_, Location.at(onnx=label))
    importer.add_weights(proto, scope)
    importer.run(proto.node, scope)
    _add_outputs(source, edit, emitter, importer, scope)
    refuse_all(f"{source.origin}", importer.problems)
    graph.notes.update(_notes(source))
    return graph


def _add_outputs(
    source: Source, edit: Editor, emitter: GraphEmitter, importer: Importer, scope: Scope
) -> None:
    """Declare the results; one that is no value of the graph is a problem."""
    for output in source.model.graph.output:
        entry = scope.find(output.name)
        if scope.is_lost(output.name):
            continue
        where = f"output {output.name!r}"
        if entry is None:
            importer.problems.append(Problem("no node makes this result", where))
            continue
        try:
            emitter.at(output.name)
            edit.output(node_name(output.name), emitter.materialise(entry))
        except Refused as error:
            importer.problems.append(Problem(error.reason, where, "", error.remedy))


def _notes(source: Source) -> dict[str, str]:
    """Facts about where the graph came from."""
    model = source.model
    producer = f"{model.producer_name} {model.producer_version}".strip() or "unknown"
    return {"frontend": "onnx_graph", "opset": str(source.opsets[""]), "producer": producer}
