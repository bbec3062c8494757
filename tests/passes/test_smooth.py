"""Smooth functions between neurons: exact functions of what has been decoded, at every step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import spikec
from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Array, Graph, Location, Op, Stage, Value, ops
from spikec.ir.op import Family
from spikec.pipeline import Context
from spikec.pipeline.extract import extract
from spikec.pipeline.operands import dense_operands
from spikec.runtime import run, trace
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import simulate
from tests.passes.conftest import Golden
from tests.passes.helpers import CANONICAL, Net, applied, assert_exact, calibration, kinds
from tests.passes.smooth_nets import MODULES, SMOOTH, smooth_net

STEPS = 5
QUANTISED = (
    f"{CANONICAL},clip-before-activation,thresholds{{levels=64}},quantise-operands{{levels=15}}"
)
SPIKING = "spike-differential{n=3,signed=4},remove-dead"
SEEDS = st.integers(0, 9999)


def both(seed: int) -> tuple[Graph, Graph, dict[str, NDArray[np.float64]]]:
    """Give a network with its quantisers, its program, and samples."""
    graph = smooth_net(seed)
    context = Context(calibration=calibration(graph), steps=STEPS)
    analog = applied(QUANTISED, graph, context)
    return analog, applied(SPIKING, analog, context), calibration(graph, 4, seed)


def decoded(train: NDArray[np.float64]) -> NDArray[np.float64]:
    times = np.arange(1, len(train) + 1).reshape(-1, *(1,) * (train.ndim - 1))
    return np.asarray((train / times).cumsum(axis=0))


@settings(max_examples=25)
@given(seed=SEEDS)
def test_at_every_step_neurons_and_outputs_see_functions_of_decoded_values(seed: int) -> None:
    analog, graph, data = both(seed)
    sites = [node for node in analog if isinstance(node.op, ops.QuantReLU)]
    names = [node.name for node in sites]
    currents = {name: graph[name].inputs[0].name for name in names}
    wanted = [*names, *currents.values()]
    seen = trace(graph, data, record=wanted, steps=STEPS, dtype="float64")
    known = [value for node in (*sites, *analog.inputs) for value in node.outputs]
    places = [(node.inputs[0], decoded(seen.values[currents[node.name]])) for node in sites]
    places.append((analog.outputs[0].inputs[0], seen.outputs[0]))
    for value, found in places:
        piece = extract(analog, value, known)
        for t in range(STEPS):
            given_now = {n: decoded(seen.values[n])[t] for n in names} | data
            feed = {node.name: given_now[node.name] for node in piece.inputs}
            exact = run(piece, feed, dtype="float64")
            assert np.abs(found[t] - exact).max() <= 1e-9 * max(1, np.abs(exact).max())


@settings(max_examples=10)
@given(seed=SEEDS)
def test_engines_blocks_and_memory_change_no_event(seed: int) -> None:
    """In double precision: products of decoded values are rounded, in orders that differ."""
    _, graph, data = both(seed)
    neurons = [node.name for node in graph if node.op.family is Family.NEURON]
    slow = trace(graph, data, "reference", record=neurons, steps=STEPS, dtype="float64")
    fast = trace(graph, data, "layerwise", record=neurons, steps=STEPS, dtype="float64")
    feed = bind_inputs(graph, data, STEPS, "float64")
    cut = simulate(graph, feed, frozenset(neurons), memory=1 << 17)
    for name in neurons:
        assert np.array_equal(slow.values[name], fast.values[name])
        assert np.array_equal(slow.values[name], cut.values[name])


@settings(max_examples=25)
@given(seed=SEEDS)
def test_all_weights_but_the_first_and_all_products_read_events(seed: int) -> None:
    analog, graph, _ = both(seed)
    assert graph.stage is Stage.SPIKING
    assert not dense_operands(analog)
    for node in graph:
        if isinstance(node.op, ops.Linear) and not node.inputs[0].type.is_static:
            assert made_of(node.inputs[0]) <= {"Sub", "ReduceMax"}
        if isinstance(node.op, ops.Matmul | ops.Einsum):
            assert sum(value.type.is_spikes for value in node.inputs) == 1


def made_of(value: Value) -> set[str]:
    """Give the kinds of nodes between neurons and a value, without those that only code."""
    if value.type.is_spikes or value.type.is_static:
        return set()
    node = value.producer
    kind = set() if node.op.family in (Family.CODING, Family.TEMPORAL) else {type(node.op).__name__}
    return kind.union(*map(made_of, node.inputs))


def test_constants_come_once() -> None:
    graph = both(1)[1]
    sources = [node for node in graph if isinstance(node.op, ops.Repeat | ops.Impulse)]
    assert all(isinstance(node.op, ops.Impulse) for node in sources)
    biased = [
        node
        for node in graph
        if isinstance(node.op, ops.Linear) and not node.inputs[0].type.is_static
    ]
    assert all(node.op.bias is None for node in biased if isinstance(node.op, ops.Linear))
    assert biased


@settings(max_examples=25)
@given(seed=SEEDS, signed=st.booleans(), count=st.integers(1, 6))
def test_at_rest_the_decoded_mean_comes_as_near_as_the_last_level(
    seed: int, signed: bool, count: int
) -> None:
    """|m[T] - z| <= 3/4 θ / 2^(n-1) / T when z has been there long enough."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(-1 if signed else 0, 1, (1, 50))
    neuron = ops.Differential(Array(1.0), count, rectify=not signed)
    net = Net(50)
    net.edit.stage(Stage.SPIKING)
    train = net.edit.add(neuron, net.edit.add(ops.Impulse(), net.x))
    graph = net.done(net.edit.add(ops.DifferentialReadout(), train))
    steps = 24
    found = np.asarray(run(graph, {"x": z}, steps=steps, dtype="float64"))[-1]
    assert np.abs(found - z).max() <= 0.75 * 0.5 ** (count - 1) / steps + 1e-9


@pytest.mark.parametrize("name", MODULES)
def test_networks_come_near_to_pytorch(name: str) -> None:
    torch.manual_seed(5)
    model = MODULES[name]().eval()
    rng = np.random.default_rng(0)
    shape = (2, 6, 6) if name == "pictures" else (6, 5)
    x = rng.normal(size=(48, *shape)).astype(np.float32)
    wanted = model(torch.from_numpy(x)).detach().numpy()
    program = spikec.convert(model, x, 16, "differential")
    kept = np.asarray(run(program.reference, x))
    assert np.abs(kept - wanted).max() <= 1e-5 * np.abs(wanted).max()
    by_step = program.run(x).output_by_step
    errors = [np.linalg.norm(by_step[t - 1] - wanted) / np.linalg.norm(wanted) for t in (2, 4, 16)]
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.02


def test_bounds_hold_for_neurons_that_have_none() -> None:
    """What lies far above h has to come as h: within 3/4 of the smallest level, as at one step."""
    net = Net(1)
    graph = net.done(net.edit.add(ops.Clip(0.0, 1.0), net.x))
    x = np.linspace(-8, 8, 60, dtype=np.float32)[:, None]
    program = spikec.convert(graph, x, 16, "differential")
    assert np.abs(np.asarray(program.run(x).output) - np.clip(x, 0, 1)).max() < 0.1


def test_golden(golden: Golden) -> None:
    net = Net(2, name="smooth", dyadic=True)
    hidden = net.edit.add(ops.SiLU(), net.linear(net.x, 2), name="silu")
    weighted = net.linear(hidden, 2)
    graph = net.done(net.linear(net.edit.add(ops.Tanh(), weighted, name="tanh"), 1))
    data = {"x": np.linspace(-2, 2, 64, dtype=np.float32).reshape(-1, 2)}
    quantised = applied("quantise-operands{levels=4}", graph, Context(calibration=data))
    golden("quantise_operands", graph, quantised)
    golden("spike_differential_smooth", quantised, applied(SPIKING, quantised, Context(steps=4)))


def test_golden_of_bounds(golden: Golden) -> None:
    net = Net(2, name="bounded")
    graph = net.done(net.relu(net.edit.add(ops.Clip(0.0, 6.0), net.x, name="six")))
    golden("clip_before_activation", graph, assert_exact("clip-before-activation", graph))


def test_operands_that_are_events_already_get_no_neurons() -> None:
    net = Net(3, 4, 4)
    x = net.relu(net.conv(net.x, 4))
    y = net.edit.add(ops.Add(), x, net.relu(net.conv(net.maxpool(x), 4, padding=2, kernel=3)))
    graph = net.done(net.linear(net.flat(net.edit.add(ops.AdaptiveAvgPool((1, 1)), y)), 2))
    assert dense_operands(graph) == []
    assert applied("quantise-operands", graph) == graph


def test_signed_neurons_need_calibration_data() -> None:
    net = Net(3)
    graph = net.done(net.linear(net.edit.add(ops.GELU(), net.linear(net.x, 3)), 2))
    with pytest.raises(UsageError, match="needs calibration data"):
        applied("quantise-operands", graph)


@pytest.mark.parametrize("op", [*SMOOTH, ops.Softmax(-1)], ids=lambda op: type(op).__name__)
def test_functions_are_accepted_where_the_code_carries_them(op: Op) -> None:
    net = Net(3)
    graph = net.done(net.linear(net.edit.add(op, net.linear(net.x, 3)), 2))
    applied("check-convertible{functions=true}", graph)
    with pytest.raises(UnsupportedModel, match=type(op).__name__) as caught:
        applied("check-convertible", graph)
    assert "differential" in caught.value.problems[0].remedy


def test_weights_that_depend_on_data_are_refused_all_the_same() -> None:
    net = Net(2, 4, 4)
    x = net.relu(net.conv(net.x, 2))
    options = ((1, 1), ((1, 1),) * 2, (1, 1), 1, 1)
    deform = ops.DeformConv(net.array(3, 2, 3, 3), None, *options)
    y = net.edit.add(deform, x, net.conv(x, 18), location=Location.at("deform", "net.py", 3))
    with pytest.raises(UnsupportedModel, match="DeformConv") as caught:
        applied("check-convertible{functions=true}", net.done(y))
    assert caught.value.problems[0].where == "deform (net.py:3)"


def test_what_no_other_code_carries_is_refused_by_its_rewrite() -> None:
    net = Net(3)
    smooth = net.edit.add(ops.GELU(), net.linear(net.relu(net.x), 3))
    graph = net.done(net.linear(net.relu(net.linear(smooth, 3)), 2))
    analog = applied("thresholds{levels=4}", graph, Context(calibration=calibration(graph)))
    with pytest.raises(UnsupportedModel, match="GELU"):
        applied("spike-rate", analog, Context(steps=4))
    assert "GELU" in kinds(applied("spike-differential", analog, Context(steps=4)))
