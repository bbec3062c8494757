"""What the spiking rewrites promise: decoded values, and the same events in all engines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.errors import UsageError
from spikec.ir import Array, Editor, Graph, Stage, ops
from spikec.ir.op import Family
from spikec.pipeline import Context
from spikec.runtime import run, trace
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, applied, calibration, mlp, quantised, random_net

CODES = {
    "spike-rate": 4,
    "spike-rate{signed=true}": 4,
    "spike-graded{n=2}": 12,
    "spike-phased{window=4}": 4,
    "spike-sum{levels=3}": 4,
    "spike-differential{n=3}": 4,
    "spike-few{bits=3}": 7,
}
"""pass -> levels of the quantisers in front of it, for four steps"""
STEPS = 4
NEURONS = (
    *(ops.IntegrateFire, ops.MultiThreshold, ops.BipolarIF, ops.PhasedFire),
    *(ops.Differential, ops.FewSpikes),
)


def spiking(code: str, graph: Graph) -> tuple[Graph, Graph]:
    """Give the quantised network and the spiking one."""
    analog = quantised(graph, CODES[code], STEPS)
    return analog, applied(f"{code},remove-dead", analog, Context(steps=STEPS))


def estimates(graph: Graph, data: dict[str, np.ndarray], steps: int | None) -> list[np.ndarray]:
    result = run(graph, data, "layerwise", steps=steps)
    return list(result) if isinstance(result, tuple) else [result]


def last(graph: Graph, data: dict[str, np.ndarray], steps: int | None) -> list[np.ndarray]:
    return [array[-1] for array in estimates(graph, data, steps)]


def close(found: list[np.ndarray], wanted: list[np.ndarray], tolerance: float) -> bool:
    pairs = zip(found, wanted, strict=True)
    return all(np.abs(a - b).max() <= tolerance * max(1, np.abs(b).max()) for a, b in pairs)


@pytest.mark.parametrize("code", CODES)
def test_golden(golden: Golden, code: str) -> None:
    net = Net(2, name="layer", dyadic=True)
    quant = ops.QuantReLU(net.array(2, low=0.25, high=1.0), CODES[code])
    graph = net.done(net.linear(net.edit.add(quant, net.linear(net.x, 2)), 1))
    after = applied(code, graph, Context(steps=STEPS))
    golden(code.split("=")[0].replace("{", "_").replace("-", "_"), graph, after)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("seed", range(3))
def test_every_activation_becomes_a_neuron_and_the_graph_is_spiking(code: str, seed: int) -> None:
    analog, graph = spiking(code, random_net(seed))
    assert graph.stage is Stage.SPIKING
    sites = [node.name for node in analog if isinstance(node.op, ops.QuantReLU)]
    assert [node.name for node in graph if node.op.family is Family.NEURON] == sites
    assert [node.name for node in graph.outputs] == [node.name for node in analog.outputs]


@pytest.mark.parametrize("code", ["spike-rate", "spike-rate{signed=true}", "spike-graded{n=2}"])
@given(numbers=st.lists(st.floats(-2, 4, width=32), min_size=3, max_size=3))
def test_of_a_constant_current_the_mean_is_exactly_the_quantiser(
    code: str, numbers: list[float]
) -> None:
    net = Net(3)
    step = ops.QuantReLU(ops.Constant(net.array(3, low=0.2, high=0.4)).value, CODES[code])
    analog = net.done(net.edit.add(step, net.x))
    graph = applied(code, analog, Context(steps=STEPS))
    x = np.array([numbers], np.float32)
    # where z / s + 1/2 is whole up to rounding, either side is right
    near = np.abs(x / step.step.data + 0.5 - np.round(x / step.step.data + 0.5)) < 1e-4
    found, wanted = estimates(graph, {"x": x}, STEPS)[0][-1], run(analog, x)
    assert np.abs(np.where(near, 0, found - wanted)).max() < 1e-6


@settings(max_examples=25)
@given(seed=st.integers(0, 999))
def test_phased_equals_the_quantised_network(seed: int) -> None:
    analog, graph = spiking("spike-phased{window=4}", random_net(seed, dyadic=True))
    data = calibration(analog, 5, seed)
    steps = STEPS * (1 + sum(node.op.family is Family.NEURON for node in graph))
    assert close(last(graph, data, steps), estimates(analog, data, None), 1e-5)


@settings(max_examples=25)
@given(seed=st.integers(0, 999))
def test_few_spikes_equal_the_quantised_network(seed: int) -> None:
    analog, graph = spiking("spike-few{bits=3}", random_net(seed, dyadic=True))
    data = calibration(analog, 5, seed)
    steps = 3 * (1 + sum(node.op.family is Family.NEURON for node in graph))
    assert close(last(graph, data, steps), estimates(analog, data, None), 1e-5)


@given(numbers=st.lists(st.floats(-2, 4, width=32), min_size=3, max_size=3))
def test_few_spikes_are_the_binary_digits_of_the_quanta(numbers: list[float]) -> None:
    net = Net(3)
    quant = ops.QuantReLU(Array([0.25, 0.5, 0.125], "float32"), 31)
    analog = net.done(net.edit.add(quant, net.x, name="site"))
    graph = applied("spike-few{bits=5}", analog, Context(steps=STEPS))
    x = np.array([numbers], np.float32)
    train = trace(graph, x, record=["site"], steps=10).values["site"][5:, 0]
    quanta = np.clip(np.floor(x[0] / quant.step.data + np.float32(0.5)), 0, 31).astype(int)
    digits = (train > 0).astype(int).T
    near = np.abs(x[0] / quant.step.data + 0.5 - np.round(x[0] / quant.step.data + 0.5)) < 1e-4
    found = digits @ (1 << np.arange(4, -1, -1))
    assert (near | (found == quanta)).all()
    assert np.array_equal(estimates(graph, {"x": x}, 10)[0][-1][0], found * quant.step.data)


@given(
    steps=st.lists(st.floats(2.0**-20, 2.0**20, width=32), min_size=1, max_size=5),
    bits=st.integers(1, 16),
)
def test_short_steps_are_exact_times_their_levels(steps: list[float], bits: int) -> None:
    net, levels = Net(len(steps)), 2**bits - 1
    net.edit.add(ops.QuantReLU(Array(steps, "float32"), levels), net.x, name="site")
    graph = applied("short-steps", net.done(net.edit.graph["site"].outputs[0]))
    op = graph["site"].op
    assert isinstance(op, ops.QuantReLU)
    product = op.step.data.astype(np.float64) * levels
    assert np.array_equal(product, product.astype(np.float32))
    assert np.abs(op.step.data / np.array(steps, np.float32) - 1).max() <= 2.0 ** (bits - 24)


@settings(max_examples=10)
@given(seed=st.integers(0, 999))
def test_few_spikes_of_short_steps_equal_the_quantised_network_on_any_numbers(seed: int) -> None:
    """In double precision, where no rounding of a sum decides."""
    context = Context(steps=STEPS)
    graph = random_net(seed)
    analog = applied("short-steps", quantised(graph, 63, STEPS), context)
    program = applied("spike-few{bits=6}", analog, context)
    data = calibration(analog, 5, seed)
    steps = 6 * (1 + sum(node.op.family is Family.NEURON for node in program))
    found = run(program, data, steps=steps, dtype="float64")
    wanted = run(analog, data, dtype="float64")
    pairs = zip(
        found if isinstance(found, tuple) else (found,),
        wanted if isinstance(wanted, tuple) else (wanted,),
        strict=True,
    )
    assert all(np.abs(f[-1] - w).max() <= 1e-6 * np.abs(w).max() for f, w in pairs)


@settings(max_examples=25)
@given(seed=st.integers(0, 999))
def test_sum_equals_the_quantised_network_once_settled(seed: int) -> None:
    analog, graph = spiking("spike-sum{levels=3}", random_net(seed, dyadic=True))
    data = calibration(analog, 5, seed)
    assert close(last(graph, data, 60), estimates(analog, data, None), 1e-5)


@pytest.mark.parametrize("code", ["spike-rate{signed=true}", "spike-graded{n=2}"])
def test_the_error_of_rate_codes_falls_with_the_steps(code: str) -> None:
    graph = random_net(5)
    errors = []
    for steps in (2, 8, 32):
        levels = steps if "rate" in code else 3 * steps
        analog = quantised(graph, levels, steps)
        program = applied(code, analog, Context(steps=steps))
        data = calibration(graph, 32, seed=1)
        wanted = estimates(graph, data, None)[0]
        found = last(program, data, steps)[0]
        errors.append(float(np.abs(found - wanted).mean() / wanted.std()))
    assert errors[0] > errors[1] > errors[2]


@settings(max_examples=10)
@pytest.mark.parametrize("code", CODES)
@given(seed=st.integers(0, 999))
def test_both_engines_give_the_same_events(code: str, seed: int) -> None:
    analog, graph = spiking(code, random_net(seed, dyadic=True))
    for node in graph:  # dyadic thresholds too: then all sums are exact in any order
        assert node.op.family is not Family.NEURON or node.outputs[0].type.is_spikes
    graph = dyadic(graph)
    data = {name: np.round(array * 4) / 4 for name, array in calibration(analog, 3, seed).items()}
    neurons = [node.name for node in graph if node.op.family is Family.NEURON]
    steps = 2 if "differential" in code else STEPS  # thirds are no dyadic numbers
    slow = trace(graph, data, "reference", record=neurons, steps=steps)
    fast = trace(graph, data, "layerwise", record=neurons, steps=steps)
    assert all(np.array_equal(slow.values[name], fast.values[name]) for name in neurons)
    assert all(map(np.array_equal, slow.outputs, fast.outputs))


def dyadic(graph: Graph) -> Graph:
    """Round all thresholds to powers of two."""
    edit = Editor(graph, by="test")
    for node in graph.nodes:
        op = node.op
        if op.family is Family.NEURON:
            assert isinstance(op, NEURONS)
            if isinstance(op, ops.FewSpikes):
                theta = power_of_two(op.amplitude)
                edit.change_op(node, replace(op, amplitude=theta, v0=Array(theta.data / 2)))
            else:
                theta = power_of_two(op.threshold)
                edit.change_op(node, replace(op, threshold=theta, v0=Array(theta.data / 2)))
    return graph


def power_of_two(array: Array) -> Array:
    return Array((2.0 ** np.round(np.log2(array.data))).astype("f4"))


def test_a_softmax_behind_the_logits_works_on_their_estimate() -> None:
    net = Net(3)
    logits = net.linear(net.relu(net.linear(net.x, 4)), 3)
    analog = quantised(net.done(net.edit.add(ops.Softmax(-1, False), logits)), 4, STEPS)
    graph = applied("spike-phased{window=4}", analog, Context(steps=STEPS))
    data = calibration(analog, 9)
    assert close(last(graph, data, 2 * STEPS), [np.asarray(run(analog, data))], 1e-5)


@pytest.mark.parametrize("code", CODES)
def test_without_neurons_everything_stays_static(code: str) -> None:
    net = Net(3)
    graph = net.done(net.edit.add(ops.Neg(), net.linear(net.x, 4)))
    after = applied(code, graph, Context(steps=STEPS))
    assert all(value.type.is_static for node in after for value in node.outputs)


def test_levels_that_the_steps_do_not_divide_are_refused() -> None:
    analog = quantised(mlp(2, 3, 1), 6, STEPS)
    with pytest.raises(UsageError, match="6 levels in 4 steps"):
        applied("spike-rate", analog, Context(steps=STEPS))
    with pytest.raises(UsageError, match="6 levels"):
        applied("spike-graded{n=2}", analog, Context(steps=STEPS))
    with pytest.raises(UsageError, match="6 levels"):
        applied("spike-few{bits=3}", analog, Context(steps=STEPS))


@pytest.mark.parametrize(
    "text",
    [
        "spike-rate{v0=-1}",
        "spike-rate{v0=nan}",
        "spike-graded{n=0}",
        "spike-phased{window=0}",
        "spike-sum{levels=0}",
        "spike-differential{n=0}",
        "spike-few{bits=17}",
        "spike-differential{signed=17}",
    ],
)
def test_options_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=text.split("{")[1].split("=")[0]):
        applied(text, mlp(2, 3, 1))
