"""remove-dead keeps outputs and inputs, and removes everything that no output needs."""

from __future__ import annotations

from hypothesis import given

from spikec.ir import B, Editor, Graph, TensorType, ops
from spikec.testing import graphs
from tests.passes.conftest import Golden
from tests.passes.helpers import assert_exact


def test_golden(golden: Golden) -> None:
    edit = Editor(Graph("branches"), by="test")
    x, unused = edit.input("x", TensorType((B, 2))), edit.input("unused", TensorType((B, 3)))
    used = edit.add(ops.ReLU(), x)
    edit.add(ops.Exp(), edit.add(ops.Tanh(), used))
    edit.add(ops.Neg(), unused)
    edit.output("y", used)
    golden("remove_dead", edit.graph, assert_exact("remove-dead", edit.graph))


@given(graph=graphs())
def test_of_random_graphs_exactly_what_outputs_need_stays(graph: Graph) -> None:
    after = assert_exact("remove-dead", graph)
    needed = {node.name for node in graph.inputs} | {node.name for node in graph.outputs}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed |= {value.producer.name for value in node.inputs}
    assert {node.name for node in after} == needed
