"""The simulated chip sends the runtime's events, all of them and no others."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, ops
from spikec.ir.edit import copied
from tests.backends.sanafe_chip.programs import checked, lowered, plain, residual
from tests.passes.helpers import kinds
from tests.passes.test_fold_pools import network
from tests.passes.whole_nets import ONE, STEPS, Whole, trains

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sanafe") is None, reason="sanafe is not installed"
)


def assert_equal(graph: Graph, seed: int = 0, target: str = "sanafe-loihi") -> None:
    placed = lowered(graph, target)
    check = checked(placed, trains(placed, seed))
    assert check.ok, check
    assert check.compared.unequal == 0
    assert check.compared.entries > 0
    assert check.output_difference <= 1e-5
    assert "sanafe" not in sys.modules


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 999), st.sampled_from(list(ops.Reset)))
def test_convolutions_pools_and_a_read_out(seed: int, reset: ops.Reset) -> None:
    assert_equal(plain(seed, reset), seed)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_residual_block_by_way_of_relays(seed: int) -> None:
    graph = lowered(residual(seed))
    assert [node.name for node in graph if "relay" in node.name] == ["a_relay", "a_relay_relay"]
    assert_equal(residual(seed), seed)


def test_currents_of_the_host_come_as_biases_step_by_step() -> None:
    edit = Editor(Graph("coded", Stage.SPIKING), by="test")
    rng = np.random.default_rng(0)
    x = edit.input("x", TensorType((T, B, 4)))
    whole = edit.add(ops.Round(), x)
    weights = ops.Linear(Array(rng.integers(-3, 5, (6, 4)).astype("f4")), None)
    a = edit.add(ops.IntegrateFire(Array(np.float32(6)), ONE), edit.add(weights, whole), name="a")
    last = ops.Linear(Array(rng.integers(-3, 5, (3, 6)).astype("f4")), None)
    edit.output("y", edit.add(ops.MeanReadout(), edit.add(last, a, name="last")))
    graph = lowered(edit.graph)
    data = rng.normal(0, 3, (STEPS, 2, 4)).astype(np.float32)
    check = checked(graph, {"x": data})
    assert check.ok
    assert (check.compared.unequal, check.compared.layers) == (0, 1)


def test_a_potential_is_read_as_it_is() -> None:
    net = Whole(4)
    a = net.neuron(net.linear(net.x, 5), 5, name="a")
    start = Array(np.arange(3, dtype=np.float32))
    graph = net.done(net.edit.add(ops.Accumulator(start), net.linear(a, 3), name="sums"))
    assert_equal(graph)


def ternary(seed: int) -> Graph:
    """Few inputs, weights of -1, 0 and 1: what TrueNorth can do."""
    net = Whole(12, seed=seed)
    rng = np.random.default_rng(seed)

    def weights(out: int, width: int) -> ops.Linear:
        return ops.Linear(Array(rng.integers(-1, 2, (out, width)).astype(np.float32)), None)

    a = net.neuron(net.edit.add(weights(20, 12), net.x), 2, name="a")
    return net.done(net.neuron(net.edit.add(weights(6, 20), a), 3, name="b"))


@pytest.mark.parametrize("seed", [0, 1])
def test_truenorth_sends_the_same_events(seed: int) -> None:
    graph = ternary(seed)
    above = copied(graph)
    for node in above:
        if isinstance(node.op, ops.IntegrateFire):
            node.op = ops.IntegrateFire(
                node.op.threshold, ONE, comparison=ops.Comparison.ABOVE, reset=ops.Reset.HARD
            )
    for one in (graph, copied(above)):
        assert_equal(one, seed, "truenorth")


def test_truenorth_takes_pools_that_are_folded_into_kernels() -> None:
    graph = network(2, (8, 8), (2, 2), padding=((1, 1),) * 2)
    placed = lowered(graph, "truenorth")
    assert "SumPool" not in kinds(placed)
    assert_equal(graph, 2, "truenorth")


def test_neurons_on_many_cores_send_the_same(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(
        'base = "sanafe-loihi"\n[limits]\ncores = { value = 256, source = "test" }\n'
        'neurons-per-core = { value = 10, source = "test" }\n',
        "utf-8",
    )
    assert_equal(plain(3), 3, str(path))
