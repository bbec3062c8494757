"""The neurons of an export do what those of the graph do, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.backends.lava_net.neurons import amplitude_of, neurons_of, problem_of
from spikec.ir import Array, B, Editor, Graph, Node, Sizes, Stage, T, TensorType, ops
from spikec.testing.draft import Draft
from spikec.testing.draw_spiking import accumulator, neuron
from tests.backends.lava_net.payload import clock, equations
from tests.backends.lava_net.random_nets import SUPPORTED

STEPS = 12


def one_neuron(seed: int) -> Node | None:
    """Draw a layer of neurons, one in ten of them accumulators."""
    d = Draft(np.random.default_rng(seed), Stage.SPIKING, smooth=False)
    sizes = (d.integer(1, 3), d.integer(1, 2), d.integer(1, 2))
    d.values.append(d.edit.input("x", TensorType((T, B, *sizes))))
    (accumulator if d.chance(0.1) else neuron)(d)
    node = d.values[-1].producer
    return node if isinstance(node.op, (*SUPPORTED, ops.Accumulator)) else None


@given(st.integers(0, 2**31))
def test_random_neurons_send_the_same_events(seed: int) -> None:
    node = one_neuron(seed)
    if node is None:
        return
    rng = np.random.default_rng(seed)
    shape = node.input_types[0].shape(Sizes(1, 1))
    currents = rng.normal(0.2, 1, (STEPS, *shape))
    made = neurons_of(node)
    size = int(np.prod(shape))
    values = {p: np.broadcast_to(made.values.get(p, 0.0), (size,)) for p in equations.PARAMETERS}
    equation = equations.KINDS[made.process](values, made.options)
    state = node.op.initial(node.input_types, Sizes(1, 1), np.dtype(np.float64))  # type: ignore[attr-defined]
    mine = equation.begin()
    amplitude = np.broadcast_to(amplitude_of(node), shape).reshape(-1)
    for time, x in enumerate(currents, start=1):
        state, (y,) = node.op.step(state, (x,), time)  # type: ignore[attr-defined]
        mine, counts = equation.step(mine, x.reshape(-1), time)
        assert np.array_equal(counts * amplitude, y.reshape(-1))


@given(
    st.integers(1, 40),
    st.integers(1, 3),
    st.sampled_from(["soft", "hard"]),
    st.sampled_from([member.value for member in ops.Comparison]),
    st.integers(0, 2**31),
)
def test_whole_numbers_and_floating_point_agree(
    theta: int, levels: int, reset: str, comparison: str, seed: int
) -> None:
    options = {
        "levels": 1 if reset == "hard" else levels,
        "largest": False,
        "reset": reset,
        "leak": "none",
        "negative": "memory",
        "comparison": comparison,
        "decision": "after-input",
    }
    currents = np.random.default_rng(seed).integers(-50, 80, (STEPS, 5))
    trains = []
    for kind in (np.int64, np.float64):
        values = dict.fromkeys(equations.PARAMETERS, np.zeros(5, kind))
        values |= dict.fromkeys(("threshold", "negative_threshold"), np.full(5, theta, kind))
        equation = equations.IntegrateFire(values, options)
        state, train = equation.begin(), []
        for time, x in enumerate(currents.astype(kind), start=1):
            state, counts = equation.step(state, x, time)
            train.append(counts)
        trains.append(np.array(train))
    assert np.array_equal(trains[0], trains[1])


def test_neurons_that_are_no_process_are_told_with_what_is() -> None:
    edit = Editor(Graph("g", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 2)))
    node = edit.add(ops.SigmaDelta(Array(np.float32(1)), 3), x).producer
    problem = problem_of(node)
    assert problem is not None
    assert "SigmaDelta" in problem.what
    assert "IntegrateFire" in problem.expected
    assert problem.remedy


@pytest.mark.parametrize(("period", "depth"), [(4, 0), (5, 2), (7, 11)])
def test_a_clock_counts_samples_and_steps(period: int, depth: int) -> None:
    found = [clock.Clock(period, 4, depth).local(time) for time in range(1, 3 * period + depth + 1)]
    assert all(time < 1 for _, time in found[:depth])
    wanted = [(sample, step + 1) for sample in range(3) for step in range(period)]
    assert found[depth:] == wanted
