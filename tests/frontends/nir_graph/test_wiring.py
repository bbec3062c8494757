"""Graphs within graphs, values that meet, and what is wrong with edges: all of it at once."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import pytest

from spikec.errors import UnsupportedModel
from spikec.ir import ops
from tests.frontends.nir_graph.nets import (
    SIZE,
    chain,
    currents,
    fired,
    graph,
    imported,
    outputs,
    stepped,
    uniform,
)

A, C = uniform(0, SIZE, SIZE, low=-1), uniform(1, SIZE, SIZE, low=-1)
ONE = np.ones(SIZE, np.float32)


def ends(**nodes: Any) -> dict[str, Any]:
    size = np.array([SIZE])
    return {"input": nir.Input(size), "output": nir.Output(size), **nodes}


def neuron() -> Any:
    return nir.IF(ONE, ONE)


def test_edges_into_one_node_add_up() -> None:
    nodes = ends(a=nir.Linear(A), b=nir.Linear(C), n=neuron())
    edges = [
        ("input", "a"),
        ("input", "b"),
        ("a", "n"),
        ("b", "n"),
        ("input", "n"),
        ("n", "output"),
    ]
    x = currents()
    total = x.astype(np.float64) @ (A + C).T + x
    expected = stepped(total, lambda v, i: fired(v + i, ONE, ONE * 0))
    assert 0.05 < expected.mean() < 0.95
    np.testing.assert_array_equal(outputs(imported(graph(nodes, edges)), x), expected)


def test_a_block_with_a_way_around_it() -> None:
    nodes = ends(a=nir.Linear(A), n=neuron(), b=nir.Linear(C), m=neuron())
    edges = [("input", "a"), ("a", "n"), ("n", "b"), ("b", "m"), ("n", "m"), ("m", "output")]
    x = currents()
    inner = stepped(x @ A.T, lambda v, i: fired(v + i, ONE, ONE * 0))
    outer = inner @ C.T.astype(np.float64) + inner
    expected = stepped(outer, lambda v, i: fired(v + i, ONE, ONE * 0))
    np.testing.assert_array_equal(outputs(imported(graph(nodes, edges)), x), expected)


def test_a_graph_within_a_graph_is_put_in_line() -> None:
    deep = chain(neuron())
    inner = graph(
        ends(w=nir.Linear(A), deep=deep), [("input", "w"), ("w", "deep"), ("deep", "output")]
    )
    outer = graph(
        ends(block=inner, b=nir.Linear(C)),
        [
            ("input", "block"),
            ("block", "b"),
            ("b", "output"),
        ],
    )
    flat = chain(nir.Linear(A), neuron(), nir.Linear(C))
    found, x = imported(outer), currents()
    assert "block.deep.n0" in [node.name for node in found]
    np.testing.assert_array_equal(outputs(found, x), outputs(imported(flat), x))


def test_the_order_of_nodes_and_edges_is_free() -> None:
    source = chain(nir.Linear(A), neuron(), nir.Linear(C))
    turned = graph(dict(reversed(source.nodes.items())), source.edges[::-1])
    x = currents()
    np.testing.assert_array_equal(outputs(imported(turned), x), outputs(imported(source), x))


def test_several_inputs_and_outputs() -> None:
    nodes = ends(second=nir.Input(np.array([SIZE])), a=nir.Linear(A), n=neuron())
    nodes["spikes"] = nir.Output(np.array([SIZE]))
    edges = [("input", "a"), ("a", "n"), ("second", "n"), ("n", "spikes"), ("a", "output")]
    found = imported(graph(nodes, edges))
    assert {node.name for node in found.inputs} == {"input", "second"}
    assert {node.name for node in found.outputs} == {"output", "spikes"}


def told(source: Any) -> set[str]:
    with pytest.raises(UnsupportedModel) as caught:
        imported(source)
    found = caught.value
    return {problem.what for problem in found.problems} or {found.what}


def test_everything_that_is_wrong_with_edges_stands_in_one_error() -> None:
    nodes = ends(a=nir.Linear(A), n=neuron())
    edges = [("input", "n"), ("input", "n"), ("n", "nowhere"), ("n", "output")]
    assert told(graph(nodes, edges)) == {
        "the edge stands there 2 times",
        "no node is called 'nowhere'",
        "nothing leads to this Linear",
    }


def test_every_node_that_cannot_be_imported_stands_in_one_error() -> None:
    nodes = ends(a=nir.Scale(np.ones(3)), n=nir.LIF(ONE, ONE, ONE, ONE), b=nir.Linear(A[:, :2]))
    edges = [("input", name) for name in "anb"] + [(name, "output") for name in "anb"]
    found = told(graph(nodes, edges))
    assert sorted(what.split(":")[0] for what in found) == ["LIF", "Linear", "Scale"]


def test_a_loop_is_refused_with_its_nodes() -> None:
    nodes = ends(a=neuron(), b=nir.Linear(A))
    edges = [("input", "a"), ("a", "b"), ("b", "a"), ("a", "output")]
    with pytest.raises(UnsupportedModel, match="recurrent") as caught:
        imported(graph(nodes, edges))
    assert "a -> b" in caught.value.where or "b -> a" in caught.value.where


def test_a_graph_without_outputs_is_refused() -> None:
    nodes = {"input": nir.Input(np.array([SIZE])), "n": neuron()}
    assert told(graph(nodes, [("input", "n")])) == {"no Output: the graph gives nothing"}


def test_a_block_without_a_way_in_is_refused() -> None:
    block = graph({"n": neuron(), "output": nir.Output(np.array([SIZE]))}, [("n", "output")])
    source = graph(ends(block=block), [("input", "block"), ("block", "output")])
    assert told(source) == {
        "the graph 'block' has 0 nodes of class Input",
        "nothing leads to this IF",
    }


def test_an_input_that_nothing_feeds_within_a_block_is_refused() -> None:
    block = chain(neuron())
    source = graph(ends(block=block), [("block", "output")])
    assert told(source) == {"nothing leads to this Input"}


def test_values_of_two_shapes_do_not_meet() -> None:
    nodes = ends(a=nir.Linear(A[:2]), n=neuron())
    edges = [("input", "a"), ("a", "n"), ("input", "n"), ("n", "output")]
    (what,) = told(graph(nodes, edges))
    assert "shapes (2,) and (5,)" in what or "shapes (5,) and (2,)" in what


def test_an_unknown_class_is_named() -> None:
    class Quantum(nir.NIRNode):  # type: ignore[misc]  # nir has no types
        def __init__(self) -> None:
            self.input_type: dict[str, Any] = {}
            self.output_type: dict[str, Any] = {}

    (what,) = told(graph(ends(q=Quantum()), [("input", "q"), ("q", "output")]))
    assert what == "Quantum: spikec does not know this class"


@pytest.mark.parametrize("shape", [(0,), (-1, 2), (2**16, 2**16)])
def test_an_input_of_an_impossible_size_is_refused(shape: tuple[int, ...]) -> None:
    source = graph(
        {"input": nir.Input(np.array(shape)), "output": nir.Output(np.array(shape))},
        [("input", "output")],
    )
    (what,) = told(source)
    assert "a shape of" in what


def test_what_comes_out_is_what_the_output_declares() -> None:
    with pytest.raises(UnsupportedModel, match=r"declared to be \[4\]"):
        imported(chain(nir.Linear(A), out=(4,)))


def test_nothing_is_named_twice() -> None:
    nodes = ends(**{"a.b": nir.Linear(A), "a_b": nir.Linear(C), "a": chain(nir.Linear(A))})
    edges = [("input", "a.b"), ("a.b", "a_b"), ("a_b", "a"), ("a", "output")]
    found = imported(graph(nodes, edges))
    assert sum(isinstance(node.op, ops.Linear) for node in found) == 3
    assert len({node.name for node in found}) == len(found.nodes)
