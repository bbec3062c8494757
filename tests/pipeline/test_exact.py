"""Whole numbers from the first layer on: the same bits in every engine, precision and batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import spikec
from spikec.errors import UnsupportedModel
from spikec.ir import Editor, Graph, Node, ops
from spikec.ir.edit import copied
from spikec.ir.op import Family
from spikec.ir.ops import IntegrateFire, Leak
from spikec.pipeline import Context
from spikec.pipeline.bounds import EXACT
from spikec.pipeline.exact import inexact
from spikec.registry import pass_by_name
from spikec.runtime import trace
from tests.passes.chained_nets import chained_net
from tests.passes.helpers import applied, calibration, mlp, quantised, random_net
from tests.passes.test_whole_weights import CODES, last
from tests.passes.test_whole_weights import STEPS as CODE_STEPS
from tests.pipeline.kinds_of_nets import KINDS
from tests.pipeline.test_recipes import refusable

Numbers = NDArray[Any]
RECIPES = {
    "rate": 6,
    "signed": 6,
    "graded{n=2}": 3,
    "phased": 3,
    "percentile{per=channel,v0=0.5}": 6,
    "balanced{reset=hard}": 6,
    "lossless": 6,
}
OPTIONS = ("", "per=layer", "sign=mixed-even,shortcuts=true", "per=layer,accumulator=18")
EACH = pytest.mark.parametrize("recipe", RECIPES)


def whole(graph: Graph, recipe: str, bits: int = 8, options: str = "") -> spikec.Program:
    """Convert into whole numbers, or take another example where they grow too large."""
    lossless = recipe == "lossless"
    rounding: dict[str, Any] = {} if lossless else {"weight_bits": bits, "weight_options": options}
    with refusable(bits):
        data = calibration(graph)
        return spikec.convert(graph, data, RECIPES[recipe], recipe, input_bits=8, **rounding)


def small(seed: int) -> Graph:
    """A network of one of several makes."""
    kinds = [*KINDS.values()]
    return kinds[seed % len(kinds)]() if seed % 4 == 0 else random_net(seed)


def all_values(program: spikec.Program, data: Mapping[str, Numbers], **options: Any) -> Any:
    """Give every value that the engines can record, and the outputs."""
    names = [node.name for node in program.graph if node.op.family is not Family.BOUNDARY]
    return trace(program.graph, data, record=names, steps=program.steps, **options)


def exact_names(graph: Graph) -> list[str]:
    """Names of all values behind a rounded input, but for what decoders give."""
    found: set[Node] = set()
    for node in graph:
        reached = any(value.producer in found for value in node.inputs)
        decoded = node.op.family is Family.CODING and not _feeds(node)
        if isinstance(node.op, ops.Quantise) or (reached and not decoded):
            found.add(node)
    return [n.name for n in graph if n in found and not isinstance(n.op, ops.Output | ops.Scale)]


def _feeds(node: Node) -> bool:
    """Tell whether neurons or weights stand behind."""
    waiting = list(node.outputs[0].users)
    while waiting:
        user = waiting.pop()
        if user.op.family is Family.NEURON or isinstance(user.op, ops.Linear | ops.Conv):
            return True
        waiting.extend(u for value in user.outputs for u in value.users)
    return False


@EACH
@settings(max_examples=4)
@given(seed=st.integers(0, 10**6))
def test_engines_and_precisions_compute_the_same_bits(recipe: str, seed: int) -> None:
    program = whole(small(seed), recipe)
    data = {name: x[:3] for name, x in calibration(program.graph, 3, seed).items()}
    assert inexact(program.graph) == []
    first = all_values(program, data, engine="reference", dtype="float32")
    second = all_values(program, data, engine="layerwise", dtype="float32")
    third = all_values(program, data, engine="layerwise", dtype="float64")
    names = exact_names(program.graph)
    assert names
    for name in names:
        one = first.values[name]
        np.testing.assert_array_equal(one, second.values[name], err_msg=name)
        np.testing.assert_array_equal(one, third.values[name], err_msg=name)
        assert (one == np.round(one)).all(), name
        assert np.abs(one).max() < EXACT, name
    for a, b, c in zip(first.outputs, second.outputs, third.outputs, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-6)  # scaled and divided in double precision


@EACH
def test_splitting_a_batch_changes_no_bit(recipe: str) -> None:
    program = whole(random_net(5), recipe)
    x = calibration(program.graph, 6, 1)["x"]
    together = program.run(x)
    alone = [program.run(x[i : i + 1]) for i in range(len(x))]
    for name in program.neurons:
        parts = np.concatenate([run.spikes[name] for run in alone], axis=1)
        np.testing.assert_array_equal(together.spikes[name], parts)
    outputs = np.concatenate([run.output_by_step for run in alone], axis=1)
    np.testing.assert_array_equal(together.output_by_step, outputs)


@pytest.mark.parametrize("options", OPTIONS)
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), bits=st.sampled_from([1, 2, 4, 8, 9]))
def test_any_format_is_whole_and_a_second_time_changes_nothing(
    options: str, seed: int, bits: int
) -> None:
    program = whole(small(seed), "rate", bits, options)
    assert inexact(program.graph) == []
    work = copied(program.graph)
    context = Context(steps=program.steps)
    for name in ("quantise-input", "whole-weights"):
        again = pass_by_name(name)
        assert again()(work, context) is False
    assert str(work) == str(program.graph)


@pytest.mark.parametrize("code", CODES)
def test_more_bits_of_inputs_and_weights_decode_closer_to_the_program_before(code: str) -> None:
    error = {4: 0.0, 8: 0.0}
    for seed in (0, 2, 3):
        data = calibration(random_net(seed))
        context = Context(steps=CODE_STEPS, calibration=data)
        before = quantised(random_net(seed), CODES[code], CODE_STEPS)
        before = applied(f"{code},remove-dead", before, context)
        wanted = last(before, data)
        for bits in error:
            text = f"quantise-input{{bits={bits}}},whole-weights{{bits={bits}}},remove-dead"
            found = last(applied(text, before, Context(steps=CODE_STEPS, calibration=data)), data)
            error[bits] += float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    assert error[8] < error[4] / 2
    assert error[8] < 3 * 0.12


def test_a_linear_map_decodes_within_the_bound_of_its_grids() -> None:
    """|g n - (W x + b)| <= s Σ |W| + g / 2 (Σ |k| + 1), with counts k of the input, currents n.

    Inputs are off by s / 2, at the upper end of their range by s; weights and biases by g / 2.
    """
    graph = mlp(6, 4, 3)
    x = calibration(graph, 200)["x"]
    program = spikec.convert(graph, x, 16, "percentile", weight_bits=8, input_bits=8)
    entrance, whole_map = program.graph["x_rounded"].op, program.graph["linear"].op
    analog = program.reference["linear"].op
    assert isinstance(entrance, ops.Quantise)
    assert isinstance(whole_map, ops.Linear)
    assert isinstance(analog, ops.Linear)
    assert whole_map.bias is not None
    assert analog.bias is not None
    weight, step = analog.weight.data.astype(np.float64), float(entrance.step.data)
    grid = np.abs(weight).max(axis=1) * step / 127
    k = np.clip(np.round(x / step), entrance.low, entrance.high)
    found = grid * (k @ whole_map.weight.data.T + whole_map.bias.data)
    wanted = x @ weight.T + analog.bias.data
    sizes = np.abs(k).sum(axis=1, keepdims=True) + 1
    bound = step * np.abs(weight).sum(axis=1) + grid / 2 * sizes
    assert (np.abs(found - wanted) <= bound * (1 + 1e-6)).all()
    assert (np.abs(found - wanted) > bound / 50).any()


def test_a_leak_and_a_real_input_are_named_as_what_is_not_exact() -> None:
    graph = mlp(4, 5, 3)
    data = calibration(graph)["x"]
    real = spikec.convert(graph, data, 4, "rate", weight_bits=8)
    (first, *_) = inexact(real.graph)
    assert "what comes in" in first.what
    assert "--input-bits" in first.remedy
    leaky = spikec.convert(graph, data, 4, "balanced{leak=0.9}", weight_bits=8, input_bits=8)
    assert any("leak" in problem.what for problem in inexact(leaky.graph))
    assert leaky.record["whole-weights"] == {"exact": False}


def test_a_potential_that_may_leave_the_exact_range_is_refused() -> None:
    graph = mlp(16, 8, 3)
    data = calibration(graph)["x"]
    with pytest.raises(UnsupportedModel, match="too large to be exact") as caught:
        spikec.convert(graph, data, 5000, "percentile", weight_bits=12, input_bits=8)
    assert any("sums over 5000 steps" in problem.what for problem in caught.value.problems)


def test_sums_that_would_leave_their_range_are_coarsened_where_no_neuron_notices() -> None:
    """Rounding moves a potential by less than a quantum in 16 steps, so a count by at most one.

    By a count the weights move a current by ``HARMLESS / 2 = 1/64`` of a quantum at most, all
    together; in 16 steps that is a quarter of a spike.  Which step a spike comes at is no matter.
    """
    graph = mlp(16, 8, 3)
    data = calibration(graph)["x"]
    fine, coarse = (
        spikec.convert(
            graph, data, 16, "percentile", weight_bits=12, input_bits=8, weight_options=options
        )
        for options in ("", "accumulator=18")
    )
    largest = [
        np.abs(program.graph["linear"].op.arrays["weight"].data).max() for program in (fine, coarse)
    ]
    assert largest[1] < largest[0] / 4
    counts = [program.run(data).spikes["relu"].sum(axis=0) for program in (fine, coarse)]
    assert np.abs(counts[0] - counts[1]).max() <= 1
    assert counts[0].any()


def test_v0_rounded_down_fires_at_the_same_steps_as_a_fraction() -> None:
    program = whole(random_net(2), "rate")
    data = calibration(program.graph, 8, 3)
    exact = trace(program.graph, data, record=program.neurons, steps=12).values
    work = copied(program.graph)
    edit = Editor(work, by="test")
    for node in list(work):
        op = node.op
        if isinstance(op, IntegrateFire) and op.v0 is not None and op.leak is Leak.NONE:
            higher = (op.v0.data + np.float32(0.5)).astype(np.float32)
            edit.change_op(node, replace(op, v0=type(op.v0)(higher)))
    fractions = trace(work, data, record=program.neurons, steps=12).values
    for name in program.neurons:
        np.testing.assert_array_equal(exact[name], fractions[name])


@pytest.mark.parametrize("seed", [0, 1])
def test_chains_of_weights_behind_a_rounded_input_get_their_quantisers(seed: int) -> None:
    program = whole(chained_net(seed), "lossless")
    assert inexact(program.graph) == []
    x = calibration(program.graph, 2)
    settled = trace(program.graph, x, record=(), steps=400).outputs[0][-1]
    assert program.quantised is not None
    np.testing.assert_array_equal(settled, trace(program.quantised, x).outputs[0])
