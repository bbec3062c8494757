"""Smooth networks in whole numbers: the settled program is its quantised network, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import spikec
from spikec.ir import Graph, Location, ops
from spikec.ir.op import Family
from spikec.pipeline import Context
from spikec.pipeline.roles import carries_sums, real_numbers
from spikec.runtime import run, trace
from tests.passes.conftest import Golden
from tests.passes.helpers import CANONICAL, Net, applied, calibration
from tests.passes.smooth_nets import MODULES, attended, norm, smooth_net

WHOLE = (
    f"{CANONICAL},thresholds{{levels=7}},quantise-operands{{levels=31,whole=true}},"
    "quantise-between-weights{levels=15},whole-numbers,fold-constants,remove-dead"
)
SPIKING = "spike-sum{levels=3,within=3},remove-dead"
STEPS = 40
SEEDS = st.integers(0, 9999)


def both(seed: int) -> tuple[Graph, Graph, dict[str, NDArray[np.float64]]]:
    """Give a network of whole numbers, its program, and samples."""
    graph = smooth_net(seed)
    context = Context(calibration=calibration(graph), steps=STEPS)
    analog = applied(WHOLE, graph, context)
    return analog, applied(SPIKING, analog, context), calibration(graph, 4, seed)


def neurons(graph: Graph) -> list[str]:
    return [node.name for node in graph if node.op.family is Family.NEURON]


@settings(max_examples=40)
@given(seed=SEEDS, engine=st.sampled_from(["reference", "layerwise"]))
def test_at_rest_programs_equal_their_quantised_networks_bit_for_bit(
    seed: int, engine: str
) -> None:
    analog, graph, data = both(seed)
    seen = trace(graph, data, engine, record=neurons(graph), steps=STEPS)
    at_rest = [not train[-1].any() for train in seen.values.values()]
    assert all(at_rest)
    wanted = np.asarray(run(analog, data, engine))
    assert np.array_equal(seen.outputs[0][-1], wanted)
    kept = trace(analog, data, engine, record=list(seen.values)).values
    for name, train in seen.values.items():
        assert np.array_equal(train.sum(axis=0), kept[name])


@settings(max_examples=10)
@given(seed=SEEDS)
def test_engines_change_no_event(seed: int) -> None:
    _, graph, data = both(seed)
    names = neurons(graph)
    slow = trace(graph, data, "reference", record=names, steps=12)
    fast = trace(graph, data, "layerwise", record=names, steps=12)
    assert all(np.array_equal(slow.values[name], fast.values[name]) for name in names)
    assert all(map(np.array_equal, slow.outputs, fast.outputs))


@settings(max_examples=15)
@given(seed=SEEDS)
def test_what_reaches_a_neuron_is_a_whole_number_at_every_step(seed: int) -> None:
    _, graph, data = both(seed)
    currents = [graph[name].inputs[0].name for name in neurons(graph)]
    seen = trace(graph, data, record=currents, steps=6).values
    assert all(np.array_equal(x, np.round(x)) for x in seen.values())
    for node in graph:  # products are of events and counts alone
        if isinstance(node.op, ops.Matmul | ops.Einsum):
            assert sum(value.type.is_spikes for value in node.inputs) == 1


@pytest.mark.parametrize("name", MODULES)
def test_recipe_lossless_is_exact_for_modules_and_near_to_pytorch(name: str) -> None:
    torch.manual_seed(5)
    model = MODULES[name]().eval()
    shape = (2, 6, 6) if name == "pictures" else (6, 5)
    x = np.random.default_rng(0).normal(size=(48, *shape)).astype(np.float32)
    wanted = model(torch.from_numpy(x)).detach().numpy()
    program = spikec.convert(model, x, 12, "lossless")
    assert program.quantised is not None
    kept = np.asarray(run(program.quantised, x, "layerwise"))
    assert np.array_equal(program.run(x).output, kept)
    assert np.linalg.norm(kept - wanted) < 0.02 * np.linalg.norm(wanted)


def test_wide_neurons_send_more_than_others() -> None:
    _, graph, _ = both(3)
    found = {node.op for node in graph if isinstance(node.op, ops.BipolarIF)}
    assert {(op.high, op.levels) for op in found} <= {(31, 11), (15, 5), (7, 3)}
    assert (31, 11) in {(op.high, op.levels) for op in found}


def test_functions_and_products_are_real_and_what_only_neurons_read_is_not() -> None:
    net = Net(4, 6, name="block")
    x = net.relu(net.linear(net.x, 6))
    y = attended(net, x)
    plain = net.edit.add(ops.Add(), net.relu(net.linear(y, 6)), net.relu(net.linear(y, 6)))
    graph = net.done(net.linear(norm(net, plain), 3))
    context = Context(calibration=calibration(graph))
    analog = applied("thresholds{levels=7},quantise-operands{levels=31,whole=true}", graph, context)
    real = real_numbers(analog)
    functions = {n for n in analog if not carries_sums(n)}
    assert functions <= real
    assert not any(isinstance(n.op, ops.Linear | ops.QuantReLU) for n in real)
    (sum_of_counts,) = (analog[n.name] for n in graph if n.outputs and n.outputs[0] is plain)
    assert sum_of_counts not in real


def test_golden(golden: Golden) -> None:
    net = Net(2, 2, name="scores", dyadic=True)
    quant = ops.QuantReLU(net.array(1, low=0.25, high=0.5), 7, None, -7)
    query = net.edit.add(quant, net.x, name="query", location=Location.at("block"))
    key = net.edit.add(quant, net.linear(net.x, 2), name="key")
    scores = net.edit.add(ops.Einsum("bid,bjd->bij"), query, key, name="scores")
    weights = net.edit.add(ops.Softmax(-1, False), scores, name="softmax")
    sent = net.edit.add(ops.QuantReLU(net.array(1, low=0.1, high=0.2), 7), weights, name="sent")
    graph = net.done(net.linear(sent, 1))
    after = applied("whole-numbers,fold-constants,spike-sum{levels=7},remove-dead", graph)
    golden("smooth_whole", graph, after)
