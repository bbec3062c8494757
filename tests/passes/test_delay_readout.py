"""delay-readout leaves out the first steps where that brings outputs nearer to the network's."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.errors import UsageError
from spikec.ir import Array, Graph, Value, ops
from spikec.pipeline import Context
from spikec.runtime import run, trace
from tests.passes.conftest import Golden
from tests.passes.helpers import CANONICAL, Net, applied, calibration, kinds, mlp, size

STEPS = 32
RATE = f"thresholds{{levels={STEPS},rule=max}},spike-rate{{v0=0}}"


def weights(net: Net, x: Value, out: int) -> Value:
    """Weights that keep the size of activations, and no bias: without input nothing fires."""
    width = size(x, -1)
    numbers = net.rng.normal(0, np.sqrt(2 / width), (out, width))
    return net.edit.add(ops.Linear(Array(numbers, "float32"), None), x, name="linear")


def deep_net(seed: int = 0) -> Graph:
    """Eight layers of neurons."""
    net = Net(16, seed=seed, name="deep")
    x = net.x
    for _ in range(8):
        x = net.relu(weights(net, x, 24))
    return net.done(weights(net, x, 4))


def pair(graph: Graph, text: str, data: dict[str, np.ndarray]) -> tuple[Graph, Graph, Context]:
    """Give the program without and with a delayed read-out, and what is known about it."""
    context = Context(calibration=data, steps=STEPS)
    plain = applied(f"{CANONICAL},keep-reference,{RATE}", graph, context)
    return plain, applied(text, plain, context), context


def readouts(graph: Graph) -> dict[str, int]:
    return {node.name: node.op.start for node in graph if isinstance(node.op, ops.MeanReadout)}


def errors_by_start(plain: Graph, wanted: np.ndarray, data: dict[str, np.ndarray]) -> list[float]:
    """Give the mean square error for each first step, after means are aligned."""
    (name,) = readouts(plain)
    current = plain[name].inputs[0].name
    seen = trace(plain, data, "layerwise", record=[current], steps=STEPS).values[current]
    offs = [seen[start:].astype("f8").mean(axis=0) - wanted for start in range(STEPS - 3)]
    return [float(np.square(off - off.mean(axis=0)).mean()) for off in offs]


def test_golden(golden: Golden) -> None:
    net = Net(1, name="layer", dyadic=True)
    graph = net.done(net.linear(net.relu(net.linear(net.x, 1)), 1))
    data = {"x": np.linspace(-1, 3, 16, dtype=np.float32)[:, None]}
    context = Context(calibration=data, steps=8)
    before = applied("keep-reference,thresholds{levels=8},spike-rate", graph, context)
    golden("delay_readout", before, applied("delay-readout{start=2}", before, context))


@pytest.mark.parametrize("seed", range(4))
def test_auto_takes_the_start_with_the_least_error(seed: int) -> None:
    graph = deep_net(seed)
    data = calibration(graph, 128)
    plain, late, context = pair(graph, "delay-readout", data)
    errors = errors_by_start(plain, np.asarray(run(graph, data)), data)
    (start,) = readouts(late).values()
    assert start == int(np.argmin(errors))
    assert start > 0  # deep layers are silent at first
    assert context.record["delay-readout"] == readouts(late)


@pytest.mark.parametrize("seed", range(4))
def test_deep_networks_are_nearer_to_the_truth_on_other_data(seed: int) -> None:
    graph = deep_net(seed)
    plain, late, _ = pair(graph, "delay-readout", calibration(graph, 128))
    other = calibration(graph, 256, seed=99)
    wanted = np.asarray(run(graph, other))
    errors = [
        float(np.square(np.asarray(run(g, other, "layerwise", steps=STEPS))[-1] - wanted).mean())
        for g in (plain, late)
    ]
    assert errors[1] < errors[0]


def test_logits_are_the_mean_of_what_comes_behind_the_start_with_the_mean_of_the_network() -> None:
    graph = deep_net()
    data = calibration(graph, 64)
    plain, late, _ = pair(graph, "delay-readout{start=5}", data)
    (name,) = readouts(plain)
    current = plain[name].inputs[0].name
    seen = trace(plain, data, "layerwise", record=[current], steps=STEPS).values[current]
    mean = seen[5:].mean(axis=0)
    wanted = np.asarray(run(graph, data)).mean(axis=0)
    found = np.asarray(run(late, data, "layerwise", steps=STEPS))[-1]
    assert np.allclose(found, mean - mean.mean(axis=0) + wanted, atol=1e-5)


def test_every_output_has_a_start_of_its_own_and_gates_keep_all_steps() -> None:
    net = Net(16)
    early = x = net.relu(weights(net, net.x, 24))
    for _ in range(7):
        x = net.relu(weights(net, x, 24))
    gate = net.edit.add(ops.Sigmoid(), weights(net, early, 24))
    x = net.edit.add(ops.Mul(), x, gate)
    graph = net.done(weights(net, early, 3), weights(net, x, 3))
    plain, late, _ = pair(graph, "delay-readout", calibration(graph, 64))
    first, second = readouts(late).values()
    assert first < second
    scans = ("CumulativeSum", "TimeScale", "Difference")
    assert [kind for kind in kinds(late) if kind in scans] == [
        kind for kind in kinds(plain) if kind in scans
    ]


@pytest.mark.parametrize("steps", [1, 3, 4])
def test_with_few_steps_all_of_them_are_read(steps: int) -> None:
    graph = mlp(3, 4, 2)
    context = Context(calibration=calibration(graph), steps=steps)
    text = f"{CANONICAL},keep-reference,thresholds{{levels={steps}}},spike-rate,delay-readout"
    assert set(readouts(applied(text, graph, context)).values()) == {0}


def test_other_codes_and_analog_networks_are_left_alone() -> None:
    graph = mlp(3, 4, 2)
    assert applied("delay-readout", graph) == graph
    context = Context(calibration=calibration(graph), steps=4)
    phased = applied(f"{CANONICAL},thresholds{{levels=4}},spike-phased{{window=4}}", graph, context)
    assert applied("delay-readout", phased, context) == phased


@pytest.mark.parametrize("option", ["start=-1", "start=soon", "start=1.5", "samples=0"])
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=option.split("=")[0]):
        applied(f"delay-readout{{{option}}}", mlp(2, 3, 1))


def test_a_start_too_late_is_refused() -> None:
    graph = deep_net()
    with pytest.raises(UsageError, match="start = 29 of 32 steps") as caught:
        pair(graph, "delay-readout{start=29}", calibration(graph))
    assert "at most 28" in caught.value.expected


def test_it_says_what_it_needs() -> None:
    graph = mlp(2, 3, 1)
    context = Context(calibration=calibration(graph), steps=8)
    program = applied(f"{CANONICAL},thresholds{{levels=8}},spike-rate", graph, context)
    with pytest.raises(UsageError, match="needs calibration data and the analog network"):
        applied("delay-readout", program, Context(steps=8))
