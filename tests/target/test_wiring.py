"""Edges are the current: applied to events they give what the ops themselves give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikec.errors import UnsupportedModel
from spikec.ir import Array, Editor, Graph, Value, ops
from spikec.runtime import trace
from spikec.target.edges import Edges
from spikec.target.wiring import ALWAYS, Current, Source, wire
from tests.target.nets import conv, linear, spiking
from tests.target.test_resources import BODIES

Body = Callable[[Editor, Value], Value]
STEPS = 5


def drawn(op: ops.Op, seed: int = 0) -> ops.Op:
    """Give an op with whole weights, some of them 0, and a bias."""
    assert isinstance(op, ops.Conv | ops.ConvTranspose | ops.Linear)
    rng = np.random.default_rng(seed)
    weight = rng.integers(-3, 4, op.weight.shape).astype(np.float32)
    outputs = op.weight.shape[0] if isinstance(op, ops.Linear) else op.channels[1]
    return replace(op, weight=Array(weight), bias=Array(rng.integers(-3, 4, outputs).astype("f4")))


def current_over_time(current: Current, events: dict[str, np.ndarray]) -> np.ndarray:
    """Apply edges to events [T, elements], by source."""
    total = np.zeros((STEPS, current.size))
    for source, edges in current.edges.items():
        late = np.zeros((STEPS, edges.sources))
        late[source.delay :] = events[source.value.name][: STEPS - source.delay]
        total += edges.apply(late)
    for steps, constant in current.constants.items():
        total[: steps or STEPS] += constant
    return total


def assert_wired(graph: Graph) -> dict[str, Current]:
    """Compare the current of every layer with the engine's, for random events."""
    (node,) = graph.inputs
    shape = [STEPS, 1, *(dim for dim in node.outputs[0].type.dims if isinstance(dim, int))]
    x = np.random.default_rng(1).integers(0, 9, shape).astype(np.float32)
    seen = trace(graph, x, "reference").values
    timed = (node for node in graph if node.outputs and not node.outputs[0].type.is_static)
    events = {n.name: seen[n.name].reshape(STEPS, -1).astype(float) for n in timed}
    found = wire(graph, set(graph.nodes) - set(graph.inputs))
    for name, current in found.items():
        layer = graph[name]
        value = layer.inputs[0] if isinstance(layer.op, ops.Neuron) else layer.outputs[0]
        expected = events[value.name]
        np.testing.assert_allclose(current_over_time(current, events), expected, atol=1e-4)
    return found


def delayed(edit: Editor, x: Value) -> Value:
    """Two paths that differ by two steps."""
    late = edit.add(ops.Delay(2), x)
    return edit.add(ops.Sub(), edit.add(drawn(conv(3, 3)), x), late)


def scaled(edit: Editor, x: Value) -> Value:
    factor = edit.add(ops.Constant(Array(np.arange(5, dtype=np.float32))))
    shift = edit.add(ops.Constant(Array(np.arange(6, dtype=np.float32).reshape(6, 1))))
    vector = Array(np.array([2, 0, -1], np.float32))
    y = edit.add(ops.Add(), edit.add(ops.Mul(), x, factor), shift)
    return edit.add(ops.Neg(), edit.add(ops.Scale(vector, vector, -3), y))


def kicked(edit: Editor, x: Value) -> Value:
    """A constant that comes at the first two steps alone, and one that stays."""
    constant = edit.add(ops.Constant(Array(np.arange(5, dtype=np.float32))))
    kick = edit.add(ops.Impulse(2), edit.add(ops.Reshape((1, 1, 1, 5)), constant))
    stay = edit.add(ops.Repeat(), edit.add(ops.Reshape((1, 1, 1, 5)), constant))
    return edit.add(ops.Add(), edit.add(ops.Add(), x, kick), stay)


MORE: dict[str, Body] = {
    "delayed": delayed,
    "scaled": scaled,
    "kicked": kicked,
    "average without padding": lambda e, x: e.add(
        ops.AvgPool((2, 3), (2, 2), ((1, 0), (0, 1)), (1, 1), True, False), x
    ),
    "padded sums": lambda e, x: e.add(ops.SumPool((3, 3), (2, 1), ((1, 1),) * 2, (1, 1)), x),
    "conv of a pool": lambda e, x: e.add(
        drawn(conv(3, 2, 2, 1, 0)), e.add(ops.SumPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), x)
    ),
    "a sum that cancels": lambda e, x: e.add(ops.Sub(), x, x),
    "linear on rows": lambda e, x: e.add(drawn(linear(5, 4)), x),
    "summed rows": lambda e, x: e.add(ops.ReduceSum((-2,), True), x),
}


@pytest.mark.parametrize("body", BODIES | MORE)
def test_edges_give_the_current_of_every_kind_of_path(body: str) -> None:
    assert_wired(spiking((3, 6, 5), (BODIES | MORE)[body]))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.sampled_from([2, 4]), st.integers(3, 6), st.integers(3, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.integers(0, 1),
)
def test_edges_give_convolutions_of_all_options(
    dims: tuple[int, int, int],
    options: tuple[int, int, int, int],
    groups: int,
    transposed: bool,
    extra: int,
) -> None:
    kernel, stride, padding, dilation = options
    span = dilation * (kernel - 1) + 1
    if min(dims[1:]) + 2 * padding < span or (transposed and span + extra <= 2 * padding):
        return
    op: ops.Op = drawn(conv(dims[0], 4, kernel, stride, padding, groups=groups, dilation=dilation))
    if transposed:
        assert isinstance(op, ops.Conv)
        turned = op.weight.data.reshape(dims[0], -1, kernel, kernel)
        op = ops.ConvTranspose(
            *(Array(turned), None, op.stride, op.padding, (extra,) * 2, op.dilation, groups)
        )
    assert_wired(spiking(dims, lambda edit, x: edit.add(op, x)))


def test_a_network_without_events_on_its_first_neurons_has_currents_from_the_host() -> None:
    graph = spiking((3, 6, 5), BODIES["residual"])
    found = assert_wired(graph)
    (source,) = found["first"].edges
    assert source == Source(graph["x"].outputs[0])
    assert len(found["first"].edges[source]) == 3 * 6 * 5
    assert ALWAYS not in found["last"].constants


def written_out(matrix: NDArray[np.float64]) -> Edges:
    rows, columns = np.nonzero(matrix)
    return Edges(rows, columns, matrix[rows, columns], len(matrix), matrix.shape[1])


def test_edges_behind_edges_multiply_like_matrices() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.integers(-1, 2, shape).astype(float) for shape in ((4, 5), (5, 6)))
    outer, inner = (written_out(matrix) for matrix in (a, b))
    product = outer.behind(inner)
    dense = np.zeros((4, 6))
    np.add.at(dense, (product.target, product.source), product.weight)
    assert (dense == a @ b).all()
    assert len(product) == np.count_nonzero(a @ b)


def test_what_is_no_synapse_is_listed_with_its_place() -> None:
    def body(edit: Editor, x: Value) -> Value:
        y = edit.add(ops.CumulativeSum(), x, name="summed")
        return edit.add(ops.ReLU(), y, name="rectified")

    graph = spiking((3,), body)
    with pytest.raises(UnsupportedModel) as caught:
        wire(graph, set(graph.nodes) - set(graph.inputs))
    assert [p.where.split()[0] for p in caught.value.problems] == ["%summed", "%rectified"]
