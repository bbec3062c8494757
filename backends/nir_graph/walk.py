"""Walks a graph, node by node; collects everything that cannot be written."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from spikec.backends.nir_graph.emitter import Emitter
from spikec.backends.nir_graph.forms import Form, Part, Refused
from spikec.backends.nir_graph.layout import sample_of
from spikec.backends.nir_graph.net import NirNode
from spikec.backends.nir_graph.neurons import Style
from spikec.backends.nir_graph.rules import RULES
from spikec.errors import Problem
from spikec.ir import Node, Value


def emitted(
    nodes: Collection[Node], sent: Mapping[Value, str], style: Style, unit: bool | None
) -> Emitter:
    """Write nodes, in order; what cannot be written stands among the problems."""
    writer = Emitter(style, unit)
    for value, name in sent.items():
        try:
            shape = sample_of(value.type)
            port = NirNode("Input", {"shape": np.array(shape, np.int64)})
            writer.forms[value] = Form(shape, (Part(writer.net.add(name, port)),))
        except Refused as refused:
            _report(writer, value.producer, refused)
    for node in nodes:
        if any(value not in writer.forms for value in node.inputs):
            continue  # hangs on a node that was refused
        try:
            for value in node.outputs:
                sample_of(value.type)
            writer.forms[node.outputs[0]] = RULES[type(node.op)](node.op, node, writer)
        except Refused as refused:
            _report(writer, node, refused)
    return writer


def _report(writer: Emitter, node: Node, refused: Refused) -> None:
    name = type(node.op).__name__
    what = f"{name}: {refused.what}"
    writer.problems.append(Problem(what, node.place, refused.expected, refused.remedy))
