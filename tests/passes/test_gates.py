"""Gates between neurons: products and sigmoids of decoded values, in every code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spikec
from spikec.errors import UnsupportedModel
from spikec.ir import Graph, ops
from spikec.ir.op import Family
from spikec.pipeline import Context
from spikec.pipeline.channels import channel_axis
from spikec.runtime import run, trace
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import simulate
from tests.passes.conftest import Golden
from tests.passes.gated_nets import (
    MobileBlock,
    ResidualBlock,
    gated_module,
    gated_net,
    product_net,
    tokens_net,
)
from tests.passes.helpers import Net, applied, calibration, kinds, quantised
from tests.passes.test_calibrate_neurons import mean_error, programs
from tests.passes.test_spike_rewrites import CODES, STEPS, close, dyadic, estimates, last, spiking

MEAN_CODES = ["spike-rate", "spike-rate{signed=true}", "spike-graded{n=2}"]


def test_golden(golden: Golden) -> None:
    net = Net(2, name="gated", dyadic=True)
    quant = ops.QuantReLU(net.array(2, low=0.25, high=1.0), 4)
    x = net.edit.add(quant, net.x)
    factor = net.edit.add(ops.Sigmoid(), net.linear(x, 2), name="gate")
    graph = net.done(net.linear(net.edit.add(ops.Mul(), x, factor, name="product"), 1))
    golden(
        "spike_rate_gates", graph, applied("spike-rate,remove-dead", graph, Context(steps=STEPS))
    )


@pytest.mark.parametrize("code", CODES)
def test_at_every_step_gates_work_on_what_has_been_decoded_so_far(code: str) -> None:
    analog, graph = spiking(code, product_net())
    data = calibration(analog, 6)
    window = {"phased": STEPS, "few": 3}.get(code.split("{")[0].removeprefix("spike-"), 0)
    steps = 3 * window or STEPS
    seen = trace(graph, data, record=["a", "b"], steps=steps, dtype="float64")
    decoded = {name: decode(code, seen.values[name]) for name in ("a", "b")}
    w1, w2 = analog["linear_4"].op, analog["linear_3"].op  # order of creation in product_net
    assert isinstance(w1, ops.Linear)
    assert isinstance(w2, ops.Linear)
    gate = 1 / (1 + np.exp(-affine(w2, decoded["b"])))
    product = affine(w1, decoded["a"]) * gate
    wanted = affine(analog["linear_5"].op, product)
    found = seen.outputs[0]
    rows = range(2 * window - 1, 3 * window, window) if window else range(STEPS)
    rounded = 2.0**-22 if "few" in code else 1e-9  # sevenths are float32 in the program
    assert max(np.abs(found[t] - wanted[t]).max() for t in rows) < rounded


def affine(op: object, x: np.ndarray) -> np.ndarray:
    assert isinstance(op, ops.Linear)
    assert op.bias is not None
    return np.asarray(x @ op.weight.data.astype("f8").T + op.bias.data)


def decode(code: str, events: np.ndarray) -> np.ndarray:
    """Give what each step's events stand for, with those before."""
    if "sum" in code:
        return np.asarray(events.cumsum(axis=0))
    if "phased" in code:
        windows = events.reshape(-1, STEPS, *events.shape[1:]).mean(axis=1)
        return np.asarray(windows.repeat(STEPS, axis=0))
    if "few" in code:
        digits = events.reshape(-1, 3, *events.shape[1:])
        return np.asarray(np.einsum("wp...,p->w...", digits, [4, 2, 1]).repeat(3, axis=0) / 7)
    times = np.arange(1, len(events) + 1).reshape(-1, *(1,) * (events.ndim - 1))
    if "differential" in code:
        return np.asarray((events / times).cumsum(axis=0))
    return np.asarray(events.cumsum(axis=0) / times)


@settings(max_examples=20)
@given(seed=st.integers(0, 999))
def test_phased_equals_the_quantised_network(seed: int) -> None:
    analog, graph = spiking("spike-phased{window=4}", gated_net(seed))
    data = calibration(analog, 5, seed)
    if not near_ties(analog, data):
        steps = STEPS * (1 + sum(node.op.family is Family.NEURON for node in graph))
        assert close(last(graph, data, steps), estimates(analog, data, None), 1e-4)


@settings(max_examples=20)
@given(seed=st.integers(0, 999))
def test_sum_equals_the_quantised_network_once_settled(seed: int) -> None:
    analog, graph = spiking("spike-sum{levels=3}", gated_net(seed))
    data = calibration(analog, 5, seed)
    if not near_ties(analog, data):
        assert close(last(graph, data, 80), estimates(analog, data, None), 1e-4)


def near_ties(graph: Graph, data: dict[str, np.ndarray]) -> bool:
    """Tell whether some activation lies so near to the middle of two levels that rounding says."""
    sites = [node for node in graph if isinstance(node.op, ops.QuantReLU)]
    seen = trace(graph, data, record=[n.inputs[0].name for n in sites], dtype="float64").values
    for node in sites:
        assert isinstance(node.op, ops.QuantReLU)
        quanta = seen[node.inputs[0].name] / node.op.step.data + 0.5
        if (np.abs(quanta - np.round(quanta)) < 1e-4).any():
            return True
    return False


@pytest.mark.parametrize("code", MEAN_CODES)
@settings(max_examples=10)
@given(seed=st.integers(0, 999))
def test_engines_blocks_and_memory_change_no_event(code: str, seed: int) -> None:
    """A neuron directly behind the product: no sum whose order could differ lies between."""
    net = Net(3, seed=seed, dyadic=True)
    x = net.relu(net.linear(net.x, 3))
    factor = net.edit.add(ops.Sigmoid(), net.linear(x, 3))
    y = net.relu(net.edit.add(ops.Mul(), net.linear(x, 3), factor, name="product"))
    analog = quantised(net.done(y), CODES[code], STEPS)
    graph = dyadic(applied(code, analog, Context(steps=STEPS)))
    data = {name: np.round(array * 4) / 4 for name, array in calibration(analog, 5, seed).items()}
    neurons = [node.name for node in graph if node.op.family is Family.NEURON]
    slow = trace(graph, data, "reference", record=neurons, steps=STEPS)
    fast = trace(graph, data, "layerwise", record=neurons, steps=STEPS)
    feed = bind_inputs(graph, data, STEPS, "float32")
    cut = simulate(graph, feed, frozenset(neurons), counted=frozenset(), memory=1500)
    for name in neurons:
        assert np.array_equal(slow.values[name], fast.values[name])
        assert np.array_equal(slow.values[name], cut.values[name])


@pytest.mark.parametrize("gate", [nn.Sigmoid(), nn.Hardsigmoid()], ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("kind", [MobileBlock, ResidualBlock])
def test_gated_networks_come_near_to_pytorch(kind: type[nn.Module], gate: nn.Module) -> None:
    torch.manual_seed(3)
    model = gated_module(kind, gate)
    x = np.random.default_rng(0).normal(size=(64, 2, 6, 6)).astype(np.float32)
    wanted = model(torch.from_numpy(x)).detach().numpy()
    errors = []
    for steps in (2, 8):
        program = spikec.convert(model, x, steps, "graded{n=4}")
        kept = np.asarray(run(program.reference, x))
        assert np.abs(kept - wanted).max() <= 1e-5 * np.abs(wanted).max()
        found = np.asarray(program.run(x).output)
        errors.append(float(np.abs(found - wanted).mean() / wanted.std()))
    assert errors[1] < errors[0] < 0.3


def test_leaky_relu_comes_near_to_pytorch() -> None:
    torch.manual_seed(1)
    layers = (nn.Conv2d(2, 4, 3), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(64, 3))
    model = nn.Sequential(*layers).eval()
    x = np.random.default_rng(0).normal(size=(64, 2, 6, 6)).astype(np.float32)
    wanted = model(torch.from_numpy(x)).detach().numpy()
    program = spikec.convert(model, x, 8, "graded{n=4}")
    assert sum(node.op.family is Family.NEURON for node in program.graph) == 2  # each sign its own
    assert np.abs(np.asarray(program.run(x).output) - wanted).mean() < 0.03 * wanted.std()


@pytest.mark.parametrize("code", ["spike-rate", "spike-graded{n=4}", "spike-differential{n=3}"])
@pytest.mark.parametrize("seed", [1, 4])
def test_neurons_behind_gates_are_calibrated(code: str, seed: int) -> None:
    graph = gated_net(seed)
    reference, plain, fitted = programs(graph, "rounds=3", code)
    data = calibration(graph, 96)
    assert mean_error(fitted, reference, data) < mean_error(plain, reference, data)


@pytest.mark.parametrize("code", MEAN_CODES)
def test_channels_stay_on_their_axis(code: str) -> None:
    analog, graph = spiking(code, tokens_net())
    sites = [node for node in analog if isinstance(node.op, ops.QuantReLU)]
    for node in sites:
        assert isinstance(node.op, ops.QuantReLU)
        assert node.op.step.shape == (5,)
        assert channel_axis(graph[node.name].inputs[0]) == -1
    assert len(sites) == 2


def test_a_product_with_what_no_neuron_sends_is_a_synapse() -> None:
    net = Net(3)
    static = net.linear(net.x, 4)
    spikes = net.relu(net.linear(net.x, 4))
    graph = net.done(net.linear(net.edit.add(ops.Mul(), static, spikes), 2))
    analog, program = spiking("spike-phased{window=4}", graph)
    assert "WindowReadout" not in kinds(program)[:-2]
    data = calibration(graph, 5)
    assert close(last(program, data, 2 * STEPS), estimates(analog, data, None), 1e-5)


def test_behind_the_last_gate_weights_read_currents_and_not_the_result() -> None:
    _, graph = spiking("spike-rate", product_net())
    behind = ["Mul", "TimeScale", "Difference", "Linear", "Reshape", "MeanReadout", "Output"]
    assert kinds(graph)[-7:] == behind


def test_a_gate_without_weights_behind_works_on_the_decoded_result() -> None:
    net = Net(3)
    x = net.relu(net.linear(net.x, 4))
    y = net.edit.add(ops.Mul(), net.linear(x, 2), net.edit.add(ops.Sigmoid(), net.linear(x, 2)))
    _, graph = spiking("spike-rate", net.done(y))
    assert "Difference" not in kinds(graph)
    assert kinds(graph).count("MeanReadout") == 2


def test_what_no_synapse_does_is_refused_by_the_rewrite_too() -> None:
    net = Net(3)
    x = net.edit.add(ops.Softmax(-1, False), net.relu(net.linear(net.x, 4)), name="first")
    x = net.edit.add(ops.Tanh(), net.relu(net.linear(x, 4)), name="second")
    analog = quantised(net.done(net.linear(net.relu(x), 2)), 4, STEPS)
    with pytest.raises(UnsupportedModel, match="holds what no synapse does") as caught:
        applied("spike-rate", analog, Context(steps=STEPS))
    assert [p.what.split()[0] for p in caught.value.problems] == ["Softmax", "Tanh"]
