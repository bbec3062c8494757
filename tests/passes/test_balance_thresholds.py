"""balance-thresholds: each layer by the currents that the spikes of those before really cause."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Array, Graph, ops
from spikec.ir.edit import copied
from spikec.pipeline import Context
from spikec.pipeline.channels import channel_axis
from spikec.runtime import trace
from tests.passes.conftest import Golden
from tests.passes.helpers import CANONICAL, Net, applied, calibration, random_net

STEPS = 8
SAMPLES = 70


def started(graph: Graph, options: str = "", samples: int = SAMPLES) -> tuple[Graph, Context]:
    """Give a rate-coded program with the largest activations as thresholds."""
    context = Context(calibration=calibration(graph, samples), steps=STEPS)
    first = "thresholds{levels=8,rule=max,per=layer}"
    text = f"{CANONICAL},keep-reference,{first},spike-rate{{v0=0.25}},neuron-model{{{options}}}"
    return applied(text, graph, context), context


def balanced(graph: Graph, options: str = "", model: str = "") -> tuple[Graph, Context]:
    program, context = started(graph, model)
    return applied(f"balance-thresholds{{{options}}}", program, context), context


def neurons(graph: Graph) -> dict[str, ops.IntegrateFire]:
    return {n.name: n.op for n in graph if isinstance(n.op, ops.IntegrateFire)}


def currents(graph: Graph, context: Context, name: str) -> tuple[np.ndarray, int]:
    """Give what reaches a layer of the program, [T, batch, ...], and the axis of its channels."""
    assert context.calibration is not None
    value = graph[name].inputs[0]
    seen = trace(graph, context.calibration, "layerwise", record=[value.name], steps=STEPS)
    return seen.values[value.name], channel_axis(value)


def percentile(rows: np.ndarray, p: float) -> np.ndarray:
    return np.asarray(np.percentile(rows, p, axis=-1, method="inverted_cdf"))


def by_hand(z: np.ndarray, axis: int, options: dict[str, str]) -> tuple[np.ndarray, float]:
    """The threshold per channel or layer, and by how much a histogram may be off."""
    p = float(options.get("p", 99.9))
    rows = np.moveaxis(z, axis, 0) if options.get("per") == "channel" else z[None]
    if options.get("over") == "run":
        found = percentile(rows.reshape(len(rows), -1), p)
    else:
        found = percentile(rows.reshape(len(rows), STEPS, -1), p).max(axis=1)
    return found, 0.0 if p == 100 else float(np.ptp(z)) / 2048 * 1.01


OPTIONS: tuple[dict[str, str], ...] = (
    *({}, {"p": "95"}, {"p": "100"}, {"over": "run"}, {"over": "run", "p": "98"}),
    *({"per": "channel"}, {"per": "channel", "over": "run", "p": "97"}, {"alpha": "0.7"}),
)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", [0, 2, 5])
def test_every_threshold_is_the_percentile_of_what_reaches_its_layer(
    options: dict[str, str], seed: int
) -> None:
    text = ",".join(f"{key}={value}" for key, value in options.items())
    program, context = balanced(random_net(seed), text)
    assert context.reference is not None
    for name, op in neurons(program).items():
        z, axis = currents(program, context, name)
        wanted, slack = by_hand(z, axis, options)
        wanted = np.where(wanted > 0, wanted, wanted[wanted > 0].mean()) * float(
            options.get("alpha", 1)
        )
        activation = context.reference[name].op
        if isinstance(activation, ops.Clip):
            assert activation.high is not None
            wanted = np.minimum(wanted, activation.high)
        theta = op.threshold.data.ravel()
        assert theta.shape == wanted.shape
        assert (np.abs(theta - wanted) <= slack + 1e-6 * wanted).all()
        assert op.v0 is not None
        assert np.allclose(op.v0.data, 0.25 * op.threshold.data)


def test_layers_are_balanced_behind_neurons_that_leak_and_reset_hard() -> None:
    program, context = balanced(random_net(1), "p=98", "leak=0.8,reset=hard")
    for name, op in neurons(program).items():
        wanted, slack = by_hand(*currents(program, context, name), {"p": "98"})
        assert np.abs(op.threshold.data.ravel() - wanted).max() <= slack + 1e-6 * wanted.max()


def test_golden(golden: Golden) -> None:
    net = Net(1)
    x = net.edit.add(ops.Linear(Array([[2.0]], "float32"), None), net.x, name="first")
    x = net.edit.add(ops.Linear(Array([[0.5]], "float32"), None), net.relu(x), name="second")
    graph = net.done(net.relu(x))
    data = {"x": np.array([[-1.0], [1.0], [2.0], [4.0]], np.float32)}
    context = Context(calibration=data, steps=4)
    before = applied("keep-reference,thresholds{levels=4,rule=max},spike-rate", graph, context)
    after = applied("balance-thresholds{p=100,alpha=0.5}", before, context)
    golden("balance_thresholds", before, after)


@pytest.mark.parametrize("options", ["", "per=channel,over=run", "samples=40", "p=100,per=channel"])
@pytest.mark.parametrize("seed", range(4))
def test_shuffled_samples_give_the_same_bytes(options: str, seed: int) -> None:
    program, context = started(random_net(seed))
    assert context.calibration is not None
    text = f"balance-thresholds{{{options}}}"
    straight = applied(text, program, context)
    order = np.random.default_rng(seed).permutation(SAMPLES)
    context.calibration = {name: array[order] for name, array in context.calibration.items()}
    assert applied(text, program, context) == straight


@pytest.mark.parametrize("options", ["", "per=channel"])
def test_no_way_of_cutting_the_work_changes_a_byte(
    options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spikec.passes import balance_thresholds as home

    net = Net(2, 5, 5)
    graph = net.done(net.relu(net.conv(net.relu(net.conv(net.x, 4)), 3)))
    program, context = started(graph, samples=40)
    text = f"balance-thresholds{{{options}}}"
    straight = applied(text, program, context)
    for name, value in (("BLOCK", 13), ("HELD_BYTES", 0), ("MOST_ROWS", 9)):
        monkeypatch.setattr(home, name, value)
        assert applied(text, program, context) == straight


def test_so_many_samples_are_used_and_said() -> None:
    _, context = balanced(random_net(3), "samples=12,steps=3")
    found = context.record["balance-thresholds"]
    assert (found["samples"], found["steps"]) == (12, 3)
    program, context = balanced(random_net(3))
    thetas = context.record["balance-thresholds"]["thresholds"]
    for name, op in neurons(program).items():
        assert np.allclose(thetas[name], op.threshold.data.ravel())


def chain(weight: np.ndarray, bias: np.ndarray) -> Graph:
    """Put a layer with these weights behind a first one of three neurons."""
    net = Net(3)
    first = net.relu(net.edit.add(ops.Linear(Array(np.eye(3, dtype="f4")), None), net.x))
    second = net.edit.add(ops.Linear(Array(weight.astype("f4")), Array(bias.astype("f4"))), first)
    return net.done(net.linear(net.relu(second), 2))


def test_dead_constant_and_zero_channels_get_the_mean_threshold_of_the_others() -> None:
    weight = np.array([[1, 0, 0], [-1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 3, 0]])
    bias = np.array([0, -100, 0, 2.5, 0])  # alive, dead, all 0, constant, alive
    program, context = balanced(chain(weight, bias), "p=100,per=channel")
    name = list(neurons(program))[1]
    z, _ = currents(program, context, name)
    live = np.array([z[..., 0].max(), 2.5, z[..., 4].max()])
    theta = neurons(program)[name].threshold.data
    assert np.allclose(theta[[0, 3, 4]], live, rtol=1e-6)
    assert np.allclose(theta[[1, 2]], live.mean(), rtol=1e-6)


@pytest.mark.parametrize("options", ["", "per=channel,over=run"])
def test_a_layer_that_no_positive_current_reaches_keeps_its_threshold(options: str) -> None:
    graph = chain(-np.ones((4, 3)), np.full(4, -1.0))
    before, _ = started(graph)
    program, _ = balanced(graph, options)
    name = list(neurons(program))[1]
    assert neurons(program)[name].threshold == neurons(before)[name].threshold
    outputs = trace(program, calibration(graph), "layerwise", steps=STEPS).outputs[0]
    assert np.isfinite(outputs).all()


def test_maximum_thresholds_are_above_percentiles_and_fire_less() -> None:
    graph = random_net(3)
    events = []
    for options in ("p=100", "p=99", "p=99,alpha=0.5"):
        program, context = balanced(graph, options)
        assert context.calibration is not None
        names = list(neurons(program))
        seen = trace(program, context.calibration, "layerwise", record=names, steps=STEPS).values
        events.append(sum(np.count_nonzero(array) for array in seen.values()))
    assert events[0] < events[1] < events[2]


def test_what_it_needs_is_told() -> None:
    program, context = started(random_net(0))
    with pytest.raises(UsageError, match="needs calibration data and the network as it was"):
        applied("balance-thresholds", program, Context(reference=context.reference))
    with pytest.raises(UsageError, match="needs calibration data and the network as it was"):
        applied("balance-thresholds", program, Context(calibration=context.calibration))


def test_other_neurons_are_refused_all_at_once() -> None:
    graph = random_net(0)
    context = Context(calibration=calibration(graph, 16), steps=4)
    text = f"{CANONICAL},keep-reference,thresholds{{levels=60}},spike-graded{{n=4}}"
    program = applied(text, graph, context)
    with pytest.raises(UnsupportedModel, match="integrate-and-fire") as caught:
        applied("balance-thresholds", program, context)
    count = sum(isinstance(node.op, ops.MultiThreshold) for node in program)
    assert len(caught.value.problems) == count > 1


def test_a_network_without_neurons_stays_as_it_is() -> None:
    net = Net(3)
    graph = net.done(net.linear(net.x, 2))
    assert applied("balance-thresholds", copied(graph)) == graph


@pytest.mark.parametrize(
    "option", ["p=0", "p=101", "p=nan", "alpha=0", "samples=0", "steps=0", "over=all", "per=row"]
)
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=option.split("=")[0]):
        applied(f"balance-thresholds{{{option}}}", random_net(0))
