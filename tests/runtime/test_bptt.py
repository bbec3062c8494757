"""Backpropagation through time, against plain loops in float64 and against the engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import spikec
from spikec.errors import UnsupportedModel
from spikec.ir import Array, B, Editor, Graph, Op, Stage, T, TensorType, ops
from spikec.ir.ops import Comparison, Decision, Firing, Leak, Negative, Reset
from spikec.runtime import trace
from spikec.runtime.bptt import Network, check_differentiable
from spikec.runtime.bptt.fused import is_plain
from spikec.runtime.bptt.neurons import Setting, stepped
from spikec.runtime.gradient import Parameters
from spikec.runtime.surrogate import ATan, Rectangle, Sigmoid, Surrogate, Triangle
from spikec.testing import random_inputs
from tests.passes.helpers import random_net
from tests.pipeline.kinds_of_nets import KINDS
from tests.runtime.plain_loop import plain_loop

F64 = np.dtype(np.float64)
SURROGATES = (Triangle(0.7), ATan(1.5), Sigmoid(3.0), Rectangle(1.2))


def one_neuron(op: Op, rank: int = 2) -> Graph:
    edit = Editor(Graph("one", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, *(3,) * (rank - 1))))
    edit.output("y", edit.add(op, x, name="n"))
    return edit.graph


@st.composite
def neurons(draw: st.DrawFn) -> ops.IntegrateFire:
    """An integrate-and-fire neuron with any options that go together; no tie can occur."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def number(low: float, high: float) -> Array:
        shape = draw(st.sampled_from([(), (3,)]))
        return Array(rng.uniform(low, high, shape))

    reset, leak = draw(st.sampled_from(Reset)), draw(st.sampled_from(Leak))
    negative = draw(st.sampled_from(Negative))
    two_sided = negative in (Negative.FREE, Negative.MEMORY)
    tau = leak is Leak.DECAY_INPUT
    return ops.IntegrateFire(
        threshold=number(0.5, 1.5),
        amplitude=draw(st.sampled_from([None, number(0.5, 1.5)])),
        levels=1 if reset is Reset.HARD else draw(st.integers(1, 3)),
        v0=draw(st.sampled_from([None, number(-0.5, 0.5)])),
        reset=reset,
        reset_potential=number(-0.5, 0.5) if reset is Reset.HARD else None,
        leak=leak,
        leak_constant=None if leak is Leak.NONE else number(1.1, 3) if tau else number(0.5, 0.95),
        rest_potential=None if leak is Leak.NONE else number(-0.2, 0.2),
        negative=negative,
        negative_threshold=number(0.5, 1.5) if two_sided else None,
        comparison=draw(st.sampled_from(Comparison)),
        decision=draw(st.sampled_from(Decision)),
    )


def currents(seed: int, steps: int = 6) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(0.4, 0.8, (steps, 4, 3))


@given(op=neurons(), seed=st.integers(0, 2**32 - 1))
def test_events_are_those_of_the_reference(op: ops.IntegrateFire, seed: int) -> None:
    graph, x = one_neuron(op), currents(seed)
    wanted = trace(graph, x, "reference", dtype="float64").outputs[0]
    network = Network(graph, Setting(Parameters(dtype=F64), Triangle()))
    with torch.no_grad():
        given_ = network.outputs({"x": torch.from_numpy(x)}, len(x))
    np.testing.assert_array_equal(given_.numpy(), wanted)


@given(
    op=neurons(),
    seed=st.integers(0, 2**32 - 1),
    surrogate=st.sampled_from(SURROGATES),
    detached=st.booleans(),
)
def test_derivatives_are_those_of_a_plain_loop(
    op: ops.IntegrateFire, seed: int, surrogate: Surrogate, detached: bool
) -> None:
    found = []
    for way in ("graph", "steps", "loop"):
        arrays = list({id(a): a for a in op.arrays.values()}.values())
        known = Parameters(arrays, F64)
        x = torch.from_numpy(currents(seed)).requires_grad_()
        setting = Setting(known, surrogate, detached)
        if way == "graph":
            y = Network(one_neuron(op), setting).outputs({"x": x}, len(x))
        elif way == "steps":
            y = stepped(op, x, setting)
        else:
            y = plain_loop(op, x, known, (surrogate, detached))
        weights = torch.from_numpy(np.random.default_rng(1).normal(size=y.shape))
        (y * weights).sum().backward()  # type: ignore[no-untyped-call]  # torch declares none
        learned = [t.grad for a, t in known.learned if a in (op.threshold, op.amplitude)]
        leak = [t.grad for a, t in known.learned if a is op.leak_constant]
        found.append((y.detach(), x.grad, *learned, *leak))
    for other in found[1:]:
        for ours, theirs in zip(found[0], other, strict=True):
            assert (ours is None) == (theirs is None)
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_both_ways_are_taken() -> None:
    assert is_plain(ops.IntegrateFire(Array(1.0)))
    assert not is_plain(ops.IntegrateFire(Array(1.0), negative=Negative.MEMORY))


@pytest.mark.parametrize("firing", list(Firing))
@pytest.mark.parametrize("negative", list(Negative))
def test_several_thresholds(firing: Firing, negative: Negative) -> None:
    op = ops.MultiThreshold(Array(1.3), 3, Array(0.1), firing, negative)
    graph, x = one_neuron(op), currents(3)
    known = Parameters([op.threshold], F64)
    wanted = trace(graph, x, "reference", dtype="float64").outputs[0]
    inputs = torch.from_numpy(x).requires_grad_()
    y = Network(graph, Setting(known, Triangle())).outputs({"x": inputs}, len(x))
    np.testing.assert_array_equal(y.detach().numpy(), wanted)
    y.sum().backward()  # type: ignore[no-untyped-call]  # torch declares none
    assert inputs.grad is not None
    assert inputs.grad.abs().sum() > 0
    assert known.learned[0][1].grad is not None


SCANS: list[Op] = [
    *(ops.CumulativeSum(), ops.Difference(), ops.TimeScale(1), ops.TimeScale(-1)),
    *(ops.Delay(1), ops.Delay(9), ops.MeanReadout(), ops.MeanReadout(2), ops.MeanReadout(9)),
    *(ops.DifferentialReadout(), ops.Accumulator(Array(0.3))),
    ops.Accumulator(leak=Leak.DECAY, leak_constant=Array(0.8), rest_potential=Array(0.1)),
    *(ops.LastStep(-3), ops.SumOverTime(-3), ops.MeanOverTime(-3)),
]


@pytest.mark.parametrize("op", SCANS, ids=lambda op: type(op).__name__)
def test_other_ops_over_time(op: Op) -> None:
    edit = Editor(Graph("one", Stage.SPIKING), by="test")
    edit.output("y", edit.add(op, edit.input("x", TensorType((T, B, 3)))))
    x = currents(0)
    wanted = trace(edit.graph, x, "reference", dtype="float64").outputs[0]
    inputs = torch.from_numpy(x).requires_grad_()
    network = Network(edit.graph, Setting(Parameters(dtype=F64), Triangle()))
    y = network.outputs({"x": inputs}, len(x))
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-13, atol=1e-15)
    assert torch.autograd.gradcheck(
        lambda x: network.outputs({"x": x}, len(x)), (inputs,), check_undefined_grad=False
    )


@pytest.mark.parametrize("recipe", ["rate", "signed", "percentile", "graded", "balanced"])
@pytest.mark.parametrize("kind", [*KINDS, "random 0", "random 1"])
def test_programs_send_the_events_of_the_engine(recipe: str, kind: str) -> None:
    graph = KINDS[kind]() if kind in KINDS else random_net(int(kind.split()[1]))
    x = random_inputs(graph, batch=12, seed=0)
    program = spikec.convert(graph, x, 6, recipe)
    check_differentiable(program.graph)
    run = program.run(x)
    network = Network(program.graph, Setting(Parameters(), Triangle()))
    inputs = {k: torch.from_numpy(v) for k, v in program.inputs(x).items()}
    with torch.no_grad():
        found = network.values(inputs, 6)
    for name in program.neurons:
        events = found[program.graph[name].outputs[0]].numpy()
        np.testing.assert_array_equal(events, run.spikes[name])
    last = network.outputs(inputs, 6)
    np.testing.assert_allclose(last.detach().numpy(), run.output_by_step, rtol=1e-5, atol=1e-5)


def test_what_has_no_derivative_is_listed_all_at_once() -> None:
    graph = KINDS["line"]()
    x = random_inputs(graph, batch=12, seed=0)
    program = spikec.convert(graph, x, 5, "lossless")
    with pytest.raises(UnsupportedModel) as caught:
        check_differentiable(program.graph)
    assert len(caught.value.problems) >= 2
    assert "rate, balanced" in str(caught.value)
