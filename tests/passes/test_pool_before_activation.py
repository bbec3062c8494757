"""pool-before-activation swaps max-pools and activations where the results stay the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.ir import Graph, Op, ops
from spikec.testing import graphs
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, assert_exact, kinds

POOL = ops.MaxPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1))


def test_golden(golden: Golden) -> None:
    net = Net(1, 4, 4)
    graph = net.done(net.edit.add(POOL, net.relu(net.x)))
    golden("pool_before_activation", graph, assert_exact("pool-before-activation", graph))


@pytest.mark.parametrize("activation", [ops.ReLU(), ops.Clip(0.0, 0.5), ops.Clip(-0.5, None)])
@pytest.mark.parametrize(
    "pool",
    [
        POOL,
        ops.MaxPool((3, 2), (1, 2), ((1, 1), (0, 1)), (1, 1)),
        ops.AdaptiveMaxPool((2, 3)),
        ops.ReduceMax((-2, -1), True),
    ],
    ids=lambda op: type(op).__name__,
)
def test_every_max_moves_in_front_of_every_ramp(pool: Op, activation: Op) -> None:
    net = Net(2, 5, 6)
    graph = net.done(net.edit.add(pool, net.edit.add(activation, net.x)))
    after = assert_exact("pool-before-activation", graph)
    assert kinds(after)[1:3] == [type(pool).__name__, type(activation).__name__]


def test_a_pool_passes_several_activations_and_pools() -> None:
    net = Net(1, 8, 8)
    x = net.edit.add(ops.Clip(-0.5, 1.0), net.x)
    x = net.edit.add(POOL, net.edit.add(POOL, net.relu(x)))
    after = assert_exact("pool-before-activation", net.done(x))
    assert kinds(after)[1:5] == ["MaxPool", "MaxPool", "Clip", "ReLU"]


@pytest.mark.parametrize("op", [ops.AvgPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), ops.Neg()])
def test_other_neighbours_stay(op: Op) -> None:
    net = Net(1, 4, 4)
    graph = net.done(net.edit.add(op, net.relu(net.x)))
    assert kinds(assert_exact("pool-before-activation", graph)) == kinds(graph)


def test_an_activation_with_another_reader_stays() -> None:
    net = Net(1, 4, 4)
    active = net.relu(net.x)
    graph = net.done(net.edit.add(POOL, active), active)
    assert kinds(assert_exact("pool-before-activation", graph)) == kinds(graph)


@given(graph=graphs(), seed=st.integers(0, 99))
def test_random_graphs_compute_the_same_to_the_bit(graph: Graph, seed: int) -> None:
    assert_exact("pool-before-activation", graph, seed=seed)
