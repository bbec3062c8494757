"""Populations: as an op, as layers of binary neurons, and as what a budget is spent on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spikec
from spikec.errors import TypeMismatch, UsageError
from spikec.evaluation import neurons_in
from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, ops
from spikec.ir.ops import IntegrateFire, Leak, Population
from spikec.passes.split_populations import SplitPopulations
from spikec.pipeline.known import answer
from spikec.runtime import trace
from spikec.testing import random_inputs
from tests.passes.helpers import random_net
from tests.pipeline.kinds_of_nets import KINDS

CURRENT = TensorType((T, B, 3))


def population(seed: int) -> Population:
    """One of dyadic numbers, so that no potential is rounded."""
    rng = np.random.default_rng(seed)
    members = rng.choice([1, 2, 4], 3)
    theta = 0.25 * 2.0 ** rng.integers(0, 3, 3)
    return Population(
        Array(theta, "float32"),
        levels=int(members.max()),
        v0=Array(rng.integers(-4, 5, 3) / 16, "float32"),
        members=Array(members),
    )


@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 12))
def test_members_send_what_the_population_does(seed: int, steps: int) -> None:
    """Step by step, whatever currents come, negative ones and bursts included."""
    op, rng = population(seed), np.random.default_rng(seed)
    x = (rng.integers(-40, 60, (steps, 5, 3)) / 16).astype(np.float32)
    channel, binary = op.binary(3)
    assert binary.levels == 1
    assert len(channel) == op.members.data.sum()
    wide = TensorType((T, B, len(channel)))
    events = answer(binary, wide, x[..., channel])
    assert binary.amplitude is not None
    assert set(np.unique(events / binary.amplitude.data)) <= {0, 1}
    summed = np.stack([events[..., channel == c].sum(axis=-1) for c in range(3)], axis=-1)
    np.testing.assert_array_equal(summed, answer(op, CURRENT, x))


@given(seed=st.integers(0, 2**32 - 1))
def test_engines_agree(seed: int) -> None:
    edit = Editor(Graph("one", Stage.SPIKING), by="test")
    edit.output("y", edit.add(population(seed), edit.input("x", CURRENT), name="n"))
    x = np.random.default_rng(seed).normal(0.5, 1, (7, 4, 3)).astype(np.float32)
    for dtype in ("float32", "float64"):
        one, other = (
            trace(edit.graph, x, engine, dtype=dtype).outputs[0]
            for engine in ("reference", "layerwise")
        )
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": Array(np.array([0, 1, 2]))}, "numbers above 0"),
        ({"members": Array(np.array([1.0, 2.0, 2.0]))}, "whole numbers"),
        ({"levels": 3}, "as many levels"),
        ({"leak": Leak.DECAY, "leak_constant": Array(0.5)}, "soft reset, no leak"),
    ],
)
def test_what_is_no_population(changes: dict[str, Any], message: str) -> None:
    given_ = {"levels": 2, "members": Array(np.array([1, 2, 2])), **changes}
    with pytest.raises(TypeMismatch, match=message):
        Population(Array(1.0), **given_).infer((CURRENT,))


@pytest.mark.parametrize("kind", [*KINDS, "random 0", "random 1", "random 2"])
def test_programs_are_binary_and_keep_to_the_budget(kind: str) -> None:
    graph = KINDS[kind]() if kind in KINDS else random_net(int(kind.split()[1]))
    x = random_inputs(graph, batch=40, seed=0)
    plain = spikec.convert(graph, x, 4, "rate")
    grown = spikec.convert(graph, x, 4, "rate{fission=2}")
    neurons = [node.op for node in grown.graph if isinstance(node.op, ops.Neuron)]
    assert all(type(op) is IntegrateFire and op.levels == 1 for op in neurons)
    sizes = [sum(neurons_in(p.graph, name) for name in p.neurons) for p in (plain, grown)]
    assert sizes[0] < sizes[1] <= 2 * sizes[0]
    note = grown.record["form-populations"]
    assert (note["neurons_before"], note["neurons"]) == tuple(sizes)
    wanted = spikec.runtime.run(graph, x, "layerwise")
    first = wanted[0] if isinstance(wanted, tuple) else wanted
    errors = [np.square(p.run(x).output - first).mean() for p in (plain, grown)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("kind", [*KINDS, "random 0", "random 1", "random 2"])
def test_splitting_changes_no_output(kind: str) -> None:
    """Populations of 2 and 4 on layers of a spiking program; the outputs stay what they are."""
    graph = KINDS[kind]() if kind in KINDS else random_net(int(kind.split()[1]))
    x = random_inputs(graph, batch=6, seed=0)
    program = spikec.convert(graph, x, 4, "rate")
    edit = Editor(program.graph, by="test")
    for place, node in enumerate(n for n in program.graph.nodes if type(n.op) is IntegrateFire):
        op = node.op
        assert isinstance(op, IntegrateFire)
        k = np.array([1, 2, 4])[np.arange(place, place + op.threshold.size) % 3]
        wide = k.reshape(op.threshold.shape)
        parts: dict[str, Any] = {n: Array(a.data / wide, "float32") for n, a in op.arrays.items()}
        edit.change_op(node, Population(**parts, levels=int(k.max()), members=Array(wide)))
    before = program.run(x)
    SplitPopulations()(program.graph)
    after = program.run(x)
    np.testing.assert_allclose(after.output_by_step, before.output_by_step, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("text", ["rate{fission=0.5}", "rate{fission=65}", "rate{fission=x}"])
def test_a_budget_that_makes_no_sense(text: str) -> None:
    graph = KINDS["line"]()
    with pytest.raises(UsageError, match="fission"):
        spikec.convert(graph, random_inputs(graph, batch=8), 4, text)
