"""calibrate-neurons moves the means of what neurons send to those of the analog activations."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.calibrate.neurons import SITES, decoded
from spikec.errors import UsageError
from spikec.ir import Graph, ops
from spikec.pipeline import Context
from spikec.runtime import run, trace
from tests.passes.conftest import Golden
from tests.passes.helpers import CANONICAL, Net, applied, calibration, quantised, random_net

STEPS = 8


def programs(graph: Graph, options: str, code: str = "spike-rate") -> tuple[Graph, Graph, Graph]:
    """Give the canonical network, and the program without and with calibration of neurons."""
    data = calibration(graph, 96)
    levels = 15 * STEPS if "graded" in code else STEPS
    text = f"{CANONICAL},keep-reference,thresholds{{levels={levels}}},{code}"
    found = []
    for tail in ("", f",calibrate-neurons{{{options}}}"):
        context = Context(calibration=data, steps=STEPS)
        found.append(applied(text + tail, graph, context))
    assert context.reference is not None
    return context.reference, found[0], found[1]


def mean_error(program: Graph, reference: Graph, data: dict[str, np.ndarray]) -> float:
    """Largest difference of channel means, over all layers."""
    neurons = [node.name for node in program if isinstance(node.op, SITES)]
    spikes = trace(program, data, "layerwise", record=neurons, steps=STEPS).values
    analog = trace(reference, data, "layerwise", record=neurons).values
    worst = 0.0
    for name in neurons:
        axes = tuple(i for i in range(analog[name].ndim) if i != 1)
        shift = decoded(program[name].op, spikes[name]).mean(axis=axes) - analog[name].mean(
            axis=axes
        )
        worst = max(worst, float(np.abs(shift).max()))
    return worst


def test_golden(golden: Golden) -> None:
    net = Net(1, name="layer", dyadic=True)
    graph = net.done(net.linear(net.relu(net.linear(net.x, 1)), 1))
    data = {"x": np.linspace(-1, 3, 16, dtype=np.float32)[:, None]}
    context = Context(calibration=data, steps=2)
    before = applied("keep-reference,thresholds{levels=2},spike-rate", graph, context)
    golden("calibrate_neurons", before, applied("calibrate-neurons", before, context))


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("spike-rate", "search=false"),
        ("spike-rate", "search=true"),
        ("spike-rate{signed=true}", "rounds=3"),
        ("spike-graded{n=4}", "rounds=2"),
    ],
)
@pytest.mark.parametrize("seed", [1, 4, 5])
def test_the_error_of_the_means_becomes_smaller(code: str, options: str, seed: int) -> None:
    graph = random_net(seed)
    reference, plain, fitted = programs(graph, options, code)
    data = calibration(graph, 96)
    assert mean_error(fitted, reference, data) < mean_error(plain, reference, data)


def test_the_mean_of_the_logits_becomes_the_network_s() -> None:
    graph = random_net(2)
    reference, plain, fitted = programs(graph, "samples=96")
    data = calibration(graph, 96)
    wanted = np.asarray(trace(reference, data).outputs[0]).mean(axis=0)
    errors = [
        np.abs(trace(program, data, steps=STEPS).outputs[0][-1].mean(axis=0) - wanted).max()
        for program in (plain, fitted)
    ]
    assert errors[1] < 1e-4 < errors[0]


def shuffled_net(kind: str) -> Graph:
    """Sites behind something else than weights."""
    net = Net(4, 4, 4)
    x = net.relu(net.conv(net.x, 4))
    if kind == "concat":
        y = net.edit.add(ops.Concat(-3), net.conv(x, 3), net.conv(x, 2))
    elif kind == "pixel shuffle":
        y = net.edit.add(ops.PixelShuffle(2), net.conv(x, 8))
    elif kind == "doubled":
        y = net.conv(x, 3)
        y = net.edit.add(ops.Add(), y, y)
    elif kind == "broadcast":
        narrow = net.edit.add(ops.ReduceMean((-1, -2), True), net.conv(x, 1))
        y = net.edit.add(ops.Add(), narrow, net.conv(x, 3))
    else:
        y = net.conv(x, 3)
        y = net.edit.add(ops.Slice(-3, 0, 2, 1), y)
    return net.done(net.linear(net.flat(net.relu(y)), 3))


@pytest.mark.parametrize("kind", ["concat", "pixel shuffle", "slice", "doubled", "broadcast"])
def test_sites_behind_something_else_than_weights_are_fitted_too(kind: str) -> None:
    graph = shuffled_net(kind)
    reference, plain, fitted = programs(graph, "rounds=3")
    data = calibration(graph, 96)
    assert mean_error(fitted, reference, data) < mean_error(plain, reference, data)
    for node in fitted:
        if isinstance(node.op, ops.IntegrateFire):
            channels = node.outputs[0].type.dims[2]
            assert node.op.threshold.size in (1, channels)


def test_the_same_program_again() -> None:
    graph = random_net(3)
    assert programs(graph, "search=true")[2] == programs(graph, "search=true")[2]


def test_it_says_what_it_needs() -> None:
    with pytest.raises(UsageError, match="needs calibration data and the analog network"):
        applied("calibrate-neurons", quantised(random_net(0), 4, 4))


@pytest.mark.parametrize("option", ["samples=0", "samples=-4", "rounds=-1"])
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=option.split("=")[0]):
        applied(f"calibrate-neurons{{{option}}}", random_net(0))


def test_the_analog_network_is_not_touched() -> None:
    graph = random_net(1)
    data = calibration(graph, 8)
    before = np.asarray(run(graph, data))
    reference, _, _ = programs(graph, "search=false")
    assert np.allclose(np.asarray(run(reference, data)), before, atol=1e-5)
