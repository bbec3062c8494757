"""Graphs change through the editor only: types follow, names stay unique, the journal knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pytest
from hypothesis import given

from spikec.errors import GraphError, TypeMismatch
from spikec.ir import (
    Array,
    B,
    DType,
    Edit,
    Editor,
    Graph,
    Location,
    Op,
    Sizes,
    Spikes,
    Stage,
    T,
    TensorType,
    ops,
)
from spikec.ir.op import Types, Values
from spikec.ir.verify import verify
from spikec.testing import graphs
from tests.ir.examples import small_graph


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph]


def chain() -> tuple[Graph, Editor]:
    """Give x -> relu -> softmax -> y, and an editor with an empty journal."""
    edit = Editor(Graph("chain"), by="frontend")
    h = edit.input("x", TensorType((B, 4)))
    h = edit.add(ops.ReLU(), h, location=Location.at("act", "net.py", 2))
    h = edit.add(ops.Softmax(-1), h)
    edit.output("y", h)
    edit.graph.journal.clear()
    return edit.graph, Editor(edit.graph, by="pass")


# ---- adding -----------------------------------------------------------------------------------


def test_a_node_is_named_after_its_op_and_names_stay_unique() -> None:
    graph, edit = chain()
    x = graph["x"].outputs[0]
    assert edit.add(ops.ReLU(), x).name == "relu_2"
    assert edit.add(ops.ReLU(), x).name == "relu_3"
    assert edit.add(ops.ReLU(), x, name="relu_2").name == "relu_2_2"
    assert edit.add(ops.ReLU(), x, name="free").name == "free"


@pytest.mark.parametrize("name", ["1a", "a b", "a/b", "a#1", "%a", "ä", "a\n"])
def test_a_name_that_text_could_not_hold_is_refused(name: str) -> None:
    _, edit = chain()
    with pytest.raises(GraphError, match="is no node name"):
        edit.unique(name)


def test_types_are_inferred_at_once_and_a_mistake_names_the_node() -> None:
    graph, edit = chain()
    x = graph["x"].outputs[0]
    assert edit.add(ops.Reshape((B, 2, 2)), x).type == TensorType((B, 2, 2))
    weight = ops.Linear(Array(np.zeros((2, 5))))
    with pytest.raises(TypeMismatch, match="5 features") as caught:
        edit.add(weight, x, name="head", location=Location.at("fc", "net.py", 7))
    assert caught.value.where == "%head = Linear from fc (net.py:7)"
    assert "f32[B, 4]" in caught.value.what
    assert "head" not in graph
    verify(graph)


def test_a_wrong_number_of_operands_is_refused() -> None:
    graph, edit = chain()
    x = graph["x"].outputs[0]
    with pytest.raises(TypeMismatch, match="1 operands") as caught:
        edit.add(ops.Add(), x)
    assert caught.value.expected == "2"
    with pytest.raises(TypeMismatch, match="0 operands"):
        edit.add(ops.Concat(-1))


@dataclass(frozen=True)
class Careless(Op):
    """An op that divides by a field without looking at it."""

    parts: int

    def infer(self, inputs: Types) -> Types:
        return (inputs[0].with_dims((B, 4 // self.parts)),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return inputs


def test_fields_that_make_no_sense_are_a_type_mismatch() -> None:
    graph, edit = chain()
    with pytest.raises(TypeMismatch, match=r"make no sense \(ZeroDivisionError") as caught:
        edit.add(Careless(0), graph["x"].outputs[0])
    assert caught.value.where == "%careless = Careless"
    verify(graph)


def test_a_node_can_be_put_in_front_of_another() -> None:
    graph, edit = chain()
    edit.add(ops.Tanh(), graph["x"].outputs[0], before=graph["softmax"])
    assert names(graph) == ["x", "relu", "tanh", "softmax", "y"]
    edit.add(ops.Sigmoid(), graph["x"].outputs[0], before=graph["y"])
    assert names(graph) == ["x", "relu", "tanh", "softmax", "sigmoid", "y"]
    verify(graph)


def test_a_node_of_another_graph_is_no_place_to_insert() -> None:
    graph, edit = chain()
    other, _ = chain()
    with pytest.raises(GraphError, match="is not in the graph"):
        edit.add(ops.Tanh(), graph["x"].outputs[0], before=other["softmax"])
    verify(graph)
    assert names(graph) == ["x", "relu", "softmax", "y"]


def test_places_of_the_sources_are_merged() -> None:
    graph, edit = chain()
    sources = (graph["relu"], graph["softmax"], graph["relu"])
    place = Location.at("new")
    value = edit.add(ops.Tanh(), graph["x"].outputs[0], location=place, sources=sources)
    assert str(value.producer.location) == "new + act (net.py:2)"


def test_an_op_with_several_results_needs_add_node() -> None:
    graph, edit = chain()
    node = edit.add_node(ops.TopK(2, -1), graph["relu"].outputs)
    assert [v.name for v in node.outputs] == ["topk", "topk#1"]
    assert [v.type.dtype for v in node.outputs] == [DType.F32, DType.I64]
    with pytest.raises(GraphError, match="has 2 results; use add_node"):
        edit.add(ops.TopK(2, -1), graph["relu"].outputs[0])


# ---- changing ---------------------------------------------------------------------------------


def test_replace_moves_every_reader_and_spares_the_new_producer() -> None:
    graph, edit = chain()
    relu = graph["relu"].outputs[0]
    edit.add(ops.Add(), relu, relu, before=graph["y"])
    new = edit.add(ops.Tanh(), relu, before=graph["softmax"])
    edit.replace(relu, new)
    assert [user.name for user in relu.users] == ["tanh"]
    assert graph["softmax"].inputs == (new,)
    assert graph["add"].inputs == (new, new)
    verify(graph)


def test_new_types_travel_downstream() -> None:
    graph, edit = chain()
    wide = edit.input("wide", TensorType((B, 7)))
    edit.rewire(graph["relu"], (wide,))
    assert graph["softmax"].outputs[0].type == TensorType((B, 7))
    edit.change_op(graph["relu"], ops.Cast(DType.F64))
    assert graph["softmax"].outputs[0].type == TensorType((B, 7), DType.F64)


def test_a_change_that_does_not_fit_downstream_names_the_node_that_it_breaks() -> None:
    graph, edit = chain()
    with pytest.raises(TypeMismatch, match="operand i64"):
        edit.change_op(graph["relu"], ops.Cast(DType.I64))
    graph, edit = chain()
    with pytest.raises(GraphError, match="changed its number of results"):
        edit.change_op(graph["relu"], ops.TopK(1, -1))


def test_a_node_can_be_removed_once_nobody_reads_it() -> None:
    graph, edit = chain()
    with pytest.raises(GraphError, match=r"ReLU from act \(net.py:2\) is still read by softmax"):
        edit.remove(graph["relu"])
    edit.replace(graph["relu"].outputs[0], graph["x"].outputs[0])
    edit.remove(graph["relu"])
    assert names(graph) == ["x", "softmax", "y"]
    assert [user.name for user in graph["x"].outputs[0].users] == ["softmax"]
    verify(graph)


def test_the_journal_tells_who_did_what_from_what() -> None:
    graph, edit = chain()
    x, relu = graph["x"].outputs[0], graph["relu"]
    new = edit.add(ops.Tanh(), x, sources=(relu,), before=graph["softmax"])
    edit.replace(relu.outputs[0], new)
    edit.remove(relu)
    edit.change_op(new.producer, ops.Sigmoid())
    assert graph.journal == [
        Edit("pass", "add", "tanh", ("relu",)),
        Edit("pass", "rewire", "softmax"),
        Edit("pass", "remove", "relu"),
        Edit("pass", "change", "tanh"),
    ]


def test_the_stage_is_changed_by_the_editor() -> None:
    graph, edit = chain()
    edit.stage(Stage.SPIKING)
    assert graph.stage is Stage.SPIKING


# ---- reading ----------------------------------------------------------------------------------


def test_a_graph_gives_nodes_by_name_and_order() -> None:
    graph = small_graph()
    assert len(graph) == len(graph.nodes) == 11
    assert [n.name for n in graph.inputs] == ["x"]
    assert [n.name for n in graph.outputs] == ["value", "index"]
    assert "conv" in graph
    assert "cnov" not in graph
    with pytest.raises(GraphError, match="'small' has no node %cnov"):
        graph["cnov"]


def test_equality_compares_content_and_not_history() -> None:
    graph = small_graph()
    graph.journal.clear()
    graph.notes.clear()
    assert graph == small_graph()
    assert graph != "small"
    changes: tuple[Callable[[Graph], None], ...] = (
        lambda g: setattr(g, "name", "other"),
        lambda g: setattr(g, "stage", Stage.SPIKING),
        lambda g: setattr(g["conv"], "location", Location()),
        lambda g: setattr(g["clip"], "op", ops.Clip(0.0, 6.5)),
        lambda g: Editor(g, "test").rewire(g["add"], g["add"].inputs[::-1]),
        lambda g: Editor(g, "test").remove(g["index"]),
    )
    for change in changes:
        changed = small_graph()
        change(changed)
        assert changed != graph


def test_all_arrays_are_found_those_of_types_too() -> None:
    signal = Spikes(Array([0.25, 0.5]))
    edit = Editor(Graph("g", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 2), DType.F32, signal))
    edit.add(ops.IntegrateFire(Array([1.0]), v0=Array([0.5])), x)
    expected = (signal.amplitude, Array([1.0]), Array([0.5]))
    assert edit.graph.arrays() == {array.digest: array for array in expected}


def test_the_networkx_view_holds_nodes_edges_and_operand_positions() -> None:
    graph = small_graph()
    view = graph.to_networkx()
    assert list(nx.lexicographical_topological_sort(view, key=names(graph).index)) == names(graph)
    assert view.nodes["conv"]["node"] is graph["conv"]
    assert view.edges["clip", "add", 0] == {"value": graph["clip"].outputs[0], "position": 0}
    assert [d["value"].name for _, _, d in view.out_edges("topk", data=True)] == ["topk", "topk#1"]
    twice = Editor(graph, by="test").add(ops.Add(), *graph["x"].outputs * 2)
    assert graph.to_networkx().number_of_edges("x", twice.name) == 2


@given(graphs())
def test_random_graphs_are_acyclic_and_in_order(graph: Graph) -> None:
    view = graph.to_networkx()
    assert nx.is_directed_acyclic_graph(view)
    place = {node.name: index for index, node in enumerate(graph)}
    assert all(place[a] < place[b] for a, b in view.edges())
    assert all(node.output_types for node in graph if node not in graph.outputs)
    assert all(t.shape(Sizes(2)) for node in graph.inputs for t in node.output_types)
