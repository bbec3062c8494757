"""relay-paths makes all paths equally long, and changes no event."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.errors import UnsupportedModel
from spikec.ir import Array, Graph, ops
from spikec.ir.edit import copied
from spikec.passes.relay_paths import RelayPaths
from spikec.pipeline import Context
from spikec.target import Rule, check, layers_of, load_target
from spikec.target.layers import sources_of
from spikec.target.timing import waits
from tests.passes.conftest import Golden
from tests.passes.helpers import applied
from tests.passes.whole_nets import Whole, assert_same_events

PASS = "relay-paths{target=sanafe-loihi}"


def residual(depth: int, seed: int = 0, levels: int = 1) -> Graph:
    """A block of so many layers, with a way around it."""
    net = Whole(2, 5, 5, seed=seed)
    first = net.neuron(net.conv(net.x, 3), name="first", levels=levels)
    y = first
    for number in range(depth):
        y = net.neuron(net.conv(y, 3), name=f"inner{number}", levels=levels)
    total = net.edit.add(ops.Add(), net.conv(y, 3), first)
    return net.done(net.neuron(total, name="last"))


def held_back(graph: Graph) -> set[int]:
    layers = layers_of(graph, set(graph.nodes) - set(graph.inputs))
    return {wait for each in waits(sources_of(layers)).values() for wait in each}


@given(st.integers(0, 3), st.integers(0, 99), st.integers(1, 3))
def test_events_are_the_same_and_nobody_waits(depth: int, seed: int, levels: int) -> None:
    graph = residual(depth, seed, levels)
    after = applied(PASS, graph)
    assert_same_events(graph, after, seed)
    assert held_back(after) == {0}
    relays = [node for node in after if node.name.startswith("first_relay")]
    assert len(relays) == depth


def test_a_block_within_a_block_shares_its_relays() -> None:
    net = Whole(4)
    a = net.neuron(net.linear(net.x, 4), name="a")
    b = net.neuron(net.linear(a, 4), name="b")
    c = net.neuron(net.edit.add(ops.Add(), net.linear(b, 4), a), name="c")
    d = net.neuron(net.edit.add(ops.Sub(), net.linear(c, 4), a), name="d")
    graph = net.done(d)
    after = applied(PASS, graph)
    assert_same_events(graph, after)
    assert held_back(after) == {0}
    assert [node.name for node in after if "relay" in node.name] == ["a_relay", "a_relay_relay"]


def test_signed_and_valued_events_pass_a_relay_as_they_are() -> None:
    net = Whole(4)
    size = Array(np.array([0.3, 0.7, 1.9, 1.1], np.float32))
    signed = {"negative": ops.Negative.FREE, "levels": 3, "amplitude": size}
    a = net.neuron(net.linear(net.x, 4), 2, name="a", **signed)
    b = net.neuron(net.linear(a, 4), 2, name="b", **signed)
    graph = net.done(net.neuron(net.edit.add(ops.Add(), net.linear(b, 4), a), 2, name="c"))
    after = copied(graph)
    RelayPaths("sanafe-loihi")(after, Context())
    assert_same_events(graph, after)


def test_nothing_is_done_where_events_can_be_held_back_or_paths_are_equal() -> None:
    graph = residual(1)
    assert str(applied("relay-paths{target=loihi1}", graph)) == str(graph)
    assert str(applied("relay-paths{target=onnx}", graph)) == str(graph)
    assert str(applied(PASS, residual(0))) == str(residual(0))


def test_a_way_that_layers_of_different_depths_share_is_told() -> None:
    net = Whole(4)
    a = net.neuron(net.linear(net.x, 4), name="a")
    shared = net.edit.add(ops.Neg(), a, name="shared")
    b = net.neuron(net.edit.add(ops.Add(), shared, net.linear(a, 4)), name="b")
    graph = net.done(net.neuron(net.edit.add(ops.Add(), net.linear(b, 4), shared), name="c"))
    with pytest.raises(UnsupportedModel) as caught:
        RelayPaths("sanafe-loihi")(copied(graph), Context())
    (problem,) = caught.value.problems
    assert problem.where == "%shared = Neg"


def test_the_checker_has_no_complaint_about_delays_afterwards() -> None:
    target = load_target("sanafe-loihi")
    before = check(residual(2), target)
    after = check(applied(PASS, residual(2)), target)
    assert Rule.DELAY in {violation.rule for violation in before}
    assert Rule.DELAY not in {violation.rule for violation in after}


def test_golden(golden: Golden) -> None:
    net = Whole(2)
    a = net.neuron(net.linear(net.x, 2), name="a")
    b = net.neuron(net.linear(a, 2), name="b")
    graph = net.done(net.neuron(net.edit.add(ops.Add(), net.linear(b, 2), a), name="c"))
    golden("relay_paths", graph, applied(PASS, graph))
