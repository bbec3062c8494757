"""whole-weights: counts and whole weights, the same events in all engines, int8 units in use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikec
from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Array, Editor, Graph, ops
from spikec.ir.op import Family
from spikec.ir.types import Spikes
from spikec.pipeline import Context
from spikec.pipeline.recipe import Rounding
from spikec.runtime import run, trace
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import integers
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, applied, calibration, quantised, random_net

CODES = {
    "spike-rate": 4,
    "spike-rate{signed=true}": 4,
    "spike-graded{n=2}": 12,
    "spike-phased{window=4}": 4,
}
"""pass -> levels of the quantisers in front of it, for four steps"""
STEPS = 4
needs_int8 = pytest.mark.skipif(
    not integers.works(integers.Shape((16, 16), ()), 0),
    reason="this processor or build has no exact int8",
)


def both(code: str, graph: Graph, bits: int = 8) -> tuple[Graph, Graph]:
    """Give the spiking network before and after."""
    context = Context(steps=STEPS)
    before = applied(f"{code},remove-dead", quantised(graph, CODES[code], STEPS), context)
    return before, applied(f"whole-weights{{bits={bits}}},remove-dead", before, context)


def steps_of(graph: Graph) -> int:
    return STEPS * (1 + sum(node.op.family is Family.NEURON for node in graph))


def last(graph: Graph, data: dict[str, np.ndarray]) -> np.ndarray:
    result = run(graph, data, "layerwise", steps=steps_of(graph))
    first = result[0] if isinstance(result, tuple) else result
    return np.asarray(first[-1])


@settings(max_examples=10)
@pytest.mark.parametrize("code", CODES)
@given(seed=st.integers(0, 10**6))
def test_reference_and_layerwise_emit_identical_events(code: str, seed: int) -> None:
    _, graph = both(code, random_net(seed))
    data = calibration(graph, 3, seed)
    names = [node.name for node in graph if node.op.family is Family.NEURON]
    first, second = (
        trace(graph, data, engine, record=names, steps=12).values
        for engine in ("reference", "layerwise")
    )
    for name in names:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("seed", range(3))
def test_weights_behind_neurons_fit_their_bits_and_events_are_counts(code: str, seed: int) -> None:
    _, graph = both(code, random_net(seed))
    for node in graph:
        signal = node.outputs[0].type.signal if node.outputs else None
        if node.op.family is Family.NEURON and isinstance(signal, Spikes):
            assert signal.amplitude.data == 1
        if isinstance(node.op, ops.Conv | ops.Linear) and not node.inputs[0].type.is_static:
            assert np.abs(node.op.weight.data).max() == 127
            for array in node.op.arrays.values():
                assert (array.data == np.round(array.data)).all()


@pytest.mark.parametrize("code", CODES)
def test_the_error_falls_with_the_bits(code: str) -> None:
    error = {3: 0.0, 10: 0.0}
    for seed in range(3):
        for bits in error:
            before, after = both(code, random_net(seed), bits)
            data = calibration(before, 16, seed)
            wanted, found = last(before, data), last(after, data)
            error[bits] += float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    assert error[10] < error[3] / 3


@needs_int8
@pytest.mark.parametrize("code", CODES)
def test_all_weights_behind_neurons_run_on_int8_units(code: str) -> None:
    net = Net(2, 6, 6)
    x = net.relu(net.conv(net.x, 4))
    x = net.relu(net.edit.add(ops.Add(), net.conv(x, 4), x))
    graph = net.done(net.linear(net.flat(net.relu(net.conv(x, 3))), 2))
    before, after = both(code, graph)
    data = calibration(graph, 2)
    used = [
        len(integers.integer_nodes(g, bind_inputs(g, data, STEPS, "float32")))
        for g in (before, after)
    ]
    assert used == [0, 3]


def test_golden(golden: Golden) -> None:
    net = Net(2, name="layer", dyadic=True)
    hidden = net.relu(net.linear(net.relu(net.linear(net.x, 2)), 2))
    before, after = both("spike-rate", net.done(net.linear(hidden, 1)))
    golden("whole_weights", before, after)


def test_golden_from_the_first_layer_on(golden: Golden) -> None:
    net = Net(2, name="layer", dyadic=True)
    hidden = net.relu(net.linear(net.relu(net.linear(net.x, 2)), 2))
    before, _ = both("spike-rate", net.done(net.linear(hidden, 1)))
    text = "quantise-input{step=0.03125},whole-weights{sign=mixed-even,per=layer},remove-dead"
    golden("whole_weights_exact", before, applied(text, before, Context(steps=STEPS)))


def test_real_thresholds_are_kept_on_request() -> None:
    before, after = both("spike-rate", random_net(2))
    kept = applied("whole-weights{whole-thresholds=false},remove-dead", before, Context())
    inner = [node.name for node in after if isinstance(node.op, ops.IntegrateFire)][1:]
    for name in inner:  # the first layer sees the input alone
        whole, real = (graph[name].op.arrays["threshold"].data for graph in (after, kept))
        assert (whole == np.round(whole)).all()
        assert (real != np.round(real)).any()
        np.testing.assert_allclose(whole, real, rtol=0.02, atol=0.5)


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ("bits=1", {-1, 0, 1}),
        ("bits=3", set(range(-3, 4))),
        ("bits=9,per=layer", set(range(-255, 256))),
        ("bits=8,sign=mixed-even,shortcuts=true", set(range(-254, 255, 2))),
    ],
)
def test_weights_are_those_of_the_format(options: str, allowed: set[int]) -> None:
    data = calibration(random_net(4))
    context = Context(steps=STEPS, calibration=data)
    before = applied("spike-rate,remove-dead", quantised(random_net(4), 4, STEPS), context)
    after = applied(f"quantise-input,whole-weights{{{options}}},remove-dead", before, context)
    seen: set[int] = set()
    for node in after:
        if isinstance(node.op, ops.Conv | ops.Linear):
            seen |= {int(w) for w in node.op.weight.data.flat}
    assert seen <= allowed
    assert max(seen) == max(allowed)


def test_one_grid_per_layer_makes_one_scale_of_all_channels() -> None:
    before, _ = both("spike-rate", random_net(2))
    after = applied("whole-weights{per=layer},remove-dead", before, Context(steps=STEPS))
    scales = [node.op.scale.data for node in after if isinstance(node.op, ops.Scale)]
    assert scales
    assert all((scale == scale[0]).all() for scale in scales)


def test_channels_without_weights_keep_their_bias_beside_their_threshold() -> None:
    net = Net(3)
    hidden = net.relu(net.linear(net.relu(net.linear(net.x, 4)), 3))
    graph = net.done(net.linear(hidden, 2))
    for node in list(graph):
        if node.name == "linear_2":
            weight = node.op.arrays["weight"].data.copy()
            weight[0] = 0
            bias = np.array([0.3, 0.1, 40.0], np.float32)  # of the last one nothing else is left
            weight[2] *= 1e-7
            op = ops.Linear(Array(weight), Array(bias))
            Editor(graph, by="test").change_op(node, op)
    before, after = both("spike-rate", graph)
    data = calibration(before, 8)
    name = [node.name for node in before if isinstance(node.op, ops.IntegrateFire)][1]
    wanted, found = (trace(g, data, record=[name], steps=20).values[name] for g in (before, after))
    quantum = before[name].op.arrays["threshold"].data
    np.testing.assert_array_equal(np.round(wanted / quantum)[..., [0, 2]], found[..., [0, 2]])
    silent = np.array(after["linear_2"].op.arrays["weight"].data[0])
    assert not silent.any()


def test_a_narrow_accumulator_is_told_with_places() -> None:
    before, _ = both("spike-graded{n=2}", random_net(0))
    with pytest.raises(UnsupportedModel, match="too large") as caught:
        applied("whole-weights{accumulator=10}", before, Context(steps=STEPS))
    assert all("below 512" in problem.expected for problem in caught.value.problems)


def test_neurons_of_other_kinds_are_refused_with_their_places() -> None:
    net = Net(2)
    graph = net.done(net.linear(net.relu(net.linear(net.x, 2)), 1))
    sums = applied("spike-sum", quantised(graph, 4, STEPS), Context(steps=STEPS))
    with pytest.raises(UnsupportedModel, match="cannot be rounded") as caught:
        applied("whole-weights", sums, Context())
    assert "BipolarIF" in caught.value.problems[0].what


@pytest.mark.parametrize("recipe", ["rate", "signed", "percentile", "phased", "graded"])
def test_every_recipe_takes_weight_bits_and_says_so(recipe: str) -> None:
    graph = random_net(3)
    program = spikec.convert(graph, calibration(graph)["x"], STEPS, recipe, weight_bits=8)
    assert "whole-weights{bits=8}" in spikec.recipes()[recipe]().pipeline(STEPS, Rounding(8))
    assert "whole-weights" in program.recipe
    plain = spikec.convert(graph, calibration(graph)["x"], STEPS, recipe)
    x = calibration(graph)["x"]
    assert np.abs(program.run(x).output - plain.run(x).output).mean() < 0.2


def test_lossless_has_its_own_bits() -> None:
    recipe = spikec.recipes()["lossless"]()
    assert recipe.pipeline(4, Rounding(8)) == recipe.pipeline(4)
    with pytest.raises(UsageError, match="weights of 4 bits"):
        recipe.pipeline(4, Rounding(4))
    with pytest.raises(UsageError, match="per=layer"):
        recipe.pipeline(4, Rounding(8, None, "per=layer"))


def test_counts_with_weights_that_are_not_whole_are_no_finished_work() -> None:
    net = Net(2)
    graph = net.done(net.linear(net.relu(net.linear(net.x, 2)), 1))
    before, _ = both("spike-rate", graph)
    (neuron,) = [node for node in before if node.op.family is Family.NEURON]
    unit = replace(neuron.op, amplitude=Array(np.float32(1)))  # type: ignore[call-arg]
    Editor(before, by="test").change_op(neuron, unit)
    after = applied("whole-weights", before, Context())
    weight = [node.op.weight.data for node in after if isinstance(node.op, ops.Linear)][-1]
    assert (weight == np.round(weight)).all()
