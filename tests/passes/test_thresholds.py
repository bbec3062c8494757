"""thresholds gives every activation a quantiser whose scale follows from calibration data."""

from __future__ import annotations

import numpy as np
import pytest

import spikec
from spikec.calibrate import alive_scale
from spikec.calibrate.rules import gaussian_scale
from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Array, Graph, Op, Value, ops
from spikec.pipeline import Context
from spikec.runtime import trace
from tests.passes.conftest import Golden
from tests.passes.helpers import CANONICAL, Net, applied, calibration, random_net

RULES = ("max", "percentile", "mse", "ti", "ltb")


def scaled(text: str, graph: Graph, count: int = 256) -> tuple[Graph, np.ndarray]:
    """Apply thresholds; give the graph, and the values in front of the first activation."""
    data = calibration(graph, count)
    first = next(node for node in graph if isinstance(node.op, ops.ReLU | ops.Clip))
    z = trace(graph, data, record=[first.inputs[0].name]).values[first.inputs[0].name]
    return applied(text, graph, Context(calibration=data)), z


def quantiser(graph: Graph) -> ops.QuantReLU:
    (op,) = [node.op for node in graph if isinstance(node.op, ops.QuantReLU)]
    return op


def layer(activation: Op | None = None) -> Graph:
    net = Net(4, 3, 3)
    return net.done(net.edit.add(activation or ops.ReLU(), net.conv(net.x, 5)))


def test_golden(golden: Golden) -> None:
    net = Net(2)
    weight = Array([[1.0, 0.0], [0.0, -2.0]], "float32")
    graph = net.done(net.relu(net.edit.add(ops.Linear(weight, None), net.x)))
    data = {"x": np.array([[4.0, 1.0], [-1.0, -3.0]], np.float32)}
    after = applied("thresholds{levels=4,rule=max}", graph, Context(calibration=data))
    golden("thresholds", graph, after)


def test_max_is_the_largest_value_of_each_channel() -> None:
    after, z = scaled("thresholds{levels=5,rule=max}", layer())
    step = quantiser(after).step.data
    assert step.shape == (5, 1, 1)
    assert np.allclose(step.ravel() * 5, z.max(axis=(0, 2, 3)), rtol=1e-6)
    assert quantiser(after).levels == 5


def test_percentile_is_numpy_s_up_to_a_bin() -> None:
    after, z = scaled("thresholds{levels=5,rule=percentile,p=99}", layer())
    rows = z.transpose(1, 0, 2, 3).reshape(5, -1)
    wanted = np.percentile(rows, 99, axis=1, method="inverted_cdf")
    bins = (rows.max(axis=1) - rows.min(axis=1)) / 2048
    found = quantiser(after).step.data.ravel() * 5
    assert (np.abs(found - wanted) <= 1.01 * bins).all()


def test_per_layer_there_is_one_scale() -> None:
    after, z = scaled("thresholds{levels=5,rule=max,per=layer}", layer())
    step = quantiser(after).step.data
    assert step.size == 1
    assert np.isclose(float(step.reshape(())) * 5, z.max(), rtol=1e-6)


def test_no_scale_is_above_the_bound_of_a_clip() -> None:
    after, z = scaled("thresholds{levels=4,rule=max}", layer(ops.Clip(0.0, 0.25)))
    assert z.max() > 0.25
    assert (quantiser(after).step.data <= 0.0625).all()


def test_dead_constant_and_zero_channels_get_the_mean_scale_of_the_others() -> None:
    net = Net(4)
    weight = np.array([[1, 0, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0], [0] * 4, [0, 3, 0, 0]], "f4")
    bias = np.array([0, -100, 0, 2.5, 0], "f4")  # alive, dead, all 0, constant, alive
    linear = net.edit.add(ops.Linear(Array(weight), Array(bias)), net.x)
    after, z = scaled("thresholds{levels=8,rule=max}", net.done(net.relu(linear)))
    theta = quantiser(after).step.data.ravel() * 8
    live = np.array([z[:, 0].max(), 2.5, z[:, 4].max()])
    assert np.allclose(theta[[0, 3, 4]], live, rtol=1e-6)
    assert np.allclose(theta[[1, 2]], live.mean(), rtol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_a_layer_that_never_fires_stays_silent_and_finite(rule: str) -> None:
    net = Net(2)
    linear = ops.Linear(Array(np.zeros((3, 2), "f4")), Array([-1.0, -1.0, 0.0], "float32"))
    graph = net.done(net.relu(net.edit.add(linear, net.x)))
    after, _ = scaled(f"thresholds{{levels=4,rule={rule}}}", graph)
    assert (quantiser(after).step.data > 0).all()
    outputs = trace(after, calibration(after)).outputs[0]
    assert (outputs == 0).all()


@pytest.mark.parametrize("rule", ["mse", "ti"])
def test_the_scale_depends_on_the_number_of_levels(rule: str) -> None:
    few, _ = scaled(f"thresholds{{levels=2,rule={rule}}}", layer())
    many, _ = scaled(f"thresholds{{levels=64,rule={rule}}}", layer())
    assert (quantiser(few).step.data * 2 < quantiser(many).step.data * 64).all()


@pytest.mark.parametrize("per", ["channel", "layer"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [3, 5])
def test_shuffled_data_give_the_same_bytes(rule: str, per: str, seed: int) -> None:
    graph = random_net(seed)
    data = calibration(graph, 300)
    order = np.random.default_rng(1).permutation(300)
    text = f"split-activations,thresholds{{levels=4,rule={rule},per={per}}}"
    straight = applied(text, graph, Context(calibration=data))
    shuffled = {name: array[order] for name, array in data.items()}
    assert applied(text, graph, Context(calibration=shuffled)) == straight


@pytest.mark.parametrize("recipe", [*(f"percentile{{rule={r}}}" for r in RULES), "balanced"])
def test_batches_of_any_size_give_the_same_bytes(recipe: str) -> None:
    graph = random_net(6)
    (x,) = calibration(graph, 90).values()
    whole = spikec.convert(graph, x, 8, recipe)
    for sizes in ([1, 40, 7, 42], [64, 26], [90]):
        batches = np.split(x, np.cumsum(sizes)[:-1])
        assert spikec.convert(graph, list(batches), 8, recipe).graph == whole.graph


def test_ltb_sees_a_layer_behind_clipped_ones() -> None:
    net = Net(4)
    first = net.linear(net.x, 5)
    second = net.linear(net.relu(first), 3)
    graph = net.done(net.relu(second))
    data = calibration(graph, 256)
    found = applied("thresholds{levels=4,rule=ltb,iterations=20}", graph, Context(calibration=data))
    theta = [n.op.step.data * 4 for n in found if isinstance(n.op, ops.QuantReLU)]
    z = trace(graph, data, record=[first.name]).values[first.name]
    op = second.producer.op
    assert isinstance(op, ops.Linear)
    assert op.bias is not None
    for clipped, scale in ((z, theta[0]), (np.clip(z, 0, theta[0]), theta[1])):
        z = clipped if scale is theta[0] else clipped @ op.weight.data.T + op.bias.data
        wanted = np.zeros(z.shape[1])
        for _ in range(20):
            wanted += 2 * np.maximum(z - wanted, 0).mean(axis=0)
        assert np.abs(scale - np.minimum(wanted, z.max(axis=0))).max() <= np.ptp(z) / 2048


def normalised(net: Net, x: Value, spread: float = 1.0) -> Value:
    """Add a convolution with a BatchNorm behind it."""
    y = net.conv(x, 4)
    arrays = (net.array(4), net.array(4, low=0.5, high=2), net.array(4, low=0.4, high=spread))
    norm = ops.BatchNorm(*arrays, net.array(4, low=-0.5, high=0.5), 1e-5, -3)
    return net.edit.add(norm, y, name="norm")


def moments(graph: Graph, name: str) -> tuple[np.ndarray, np.ndarray]:
    op = graph[name].op
    assert isinstance(op, ops.BatchNorm)
    assert op.bias is not None
    gain, _ = op.gain_and_shift()
    return op.bias.data.astype(float), np.abs(gain) * np.sqrt(op.variance.data)


FREE = "fold-batchnorm,pool-before-activation,thresholds{levels=8,rule=ti,source=batchnorm"


def test_without_data_the_scale_follows_from_batchnorm() -> None:
    net = Net(2, 6, 6)
    graph = net.done(net.relu(normalised(net, net.x)))
    wanted = gaussian_scale(*moments(graph, "norm"), 8)
    found = quantiser(applied(f"{FREE}}}", graph))
    assert np.allclose(found.step.data.ravel() * 8, wanted, rtol=1e-6)
    layer = quantiser(applied(f"{FREE},per=layer}}", graph))
    mean, deviation = moments(graph, "norm")
    total = np.sqrt((deviation**2 + mean**2).mean() - mean.mean() ** 2)
    assert np.allclose(
        layer.step.data * 8, gaussian_scale(mean.mean(keepdims=True), total[None], 8)
    )


def test_without_data_branches_add_up_and_the_largest_of_four_is_larger() -> None:
    net = Net(2, 6, 6)
    both = net.edit.add(ops.Add(), normalised(net, net.x), normalised(net, net.x))
    graph = net.done(net.relu(both))
    (m1, d1), (m2, d2) = moments(graph, "norm"), moments(graph, "norm_2")
    wanted = gaussian_scale(m1 + m2, np.hypot(d1, d2), 8)
    found = quantiser(applied(f"{FREE}}}", graph))
    assert np.allclose(found.step.data.ravel() * 8, wanted, rtol=1e-6)
    net = Net(2, 6, 6)
    pooled = net.done(net.maxpool(net.relu(normalised(net, net.x))))
    mean, deviation = moments(pooled, "norm")
    wanted = gaussian_scale(mean + 1.02938 * deviation, 0.70123 * deviation, 8)
    found = quantiser(applied(f"{FREE}}}", pooled))
    assert np.allclose(found.step.data.ravel() * 8, wanted, rtol=1e-4)


def test_a_dead_channel_of_batchnorm_gets_the_mean_of_the_others() -> None:
    net = Net(3)
    count = np.ones(4, np.float32)
    shift = Array(np.array([0, -9, 0.5, -2], "f4"))
    gain = Array(np.array([1, 1, 2, 0], "f4"))
    norm = ops.BatchNorm(Array(0 * count), Array(count), gain, shift, 0.0, -1)
    graph = net.done(net.relu(net.edit.add(norm, net.linear(net.x, 4))))
    found = quantiser(applied(f"{FREE}}}", graph)).step.data * 8
    live = gaussian_scale(np.array([0, 0.5]), np.array([1.0, 2.0]), 8)
    assert np.allclose(found, alive_scale(np.array([live[0], 0, live[1], 0])), rtol=1e-6)


def test_sites_without_batchnorm_are_told_all_at_once() -> None:
    net = Net(2, 6, 6)
    x = net.relu(net.conv(net.relu(normalised(net, net.relu(net.conv(net.x, 2)))), 3))
    with pytest.raises(UnsupportedModel, match="no BatchNorm tells") as caught:
        applied(f"{FREE}}}", net.done(x))
    assert len(caught.value.problems) == 2
    assert "leave out source=batchnorm" in str(caught.value)


@pytest.mark.parametrize("rule", ["max", "mse", "ltb", "percentile,p=100"])
def test_rules_that_need_data_say_so(rule: str) -> None:
    net = Net(2, 6, 6)
    graph = net.done(net.relu(normalised(net, net.x)))
    with pytest.raises(UsageError, match=r"need calibration data|no largest value"):
        applied(FREE.replace("rule=ti", f"rule={rule}") + "}", graph)


def residual_net() -> Graph:
    """Two residual blocks of convolutions with BatchNorm, one with an identity shortcut."""
    net = Net(2, 8, 8, seed=4)
    x = net.relu(normalised(net, net.x))
    for _ in range(2):
        inner = net.relu(normalised(net, x))
        x = net.relu(net.edit.add(ops.Add(), normalised(net, inner), x))
    return net.done(net.linear(net.flat(net.edit.add(ops.AdaptiveAvgPool((2, 2)), x)), 3))


@pytest.mark.parametrize("rule", ["ti", "percentile"])
def test_a_network_with_batchnorm_converts_without_data(rule: str) -> None:
    graph = residual_net()
    recipe = f"percentile{{rule={rule},source=batchnorm,per=channel,v0=0.5}}"
    program = spikec.convert(graph, None, 8, recipe)
    assert program.record["calibration_samples"] == 0
    assert spikec.convert(graph, None, 8, recipe).graph == program.graph
    found = program.run(calibration(graph, 5)["x"]).output
    assert np.isfinite(found).all()
    with pytest.raises(UsageError, match="give calibration=data"):
        spikec.convert(graph, None, 8, "balanced")


def test_without_data_the_scales_are_those_of_data_that_batchnorm_was_trained_on() -> None:
    """With statistics that are true, and channels whose values are near normal."""
    rng = np.random.default_rng(0)
    net = Net(64, seed=1)
    x = {"x": rng.normal(size=(4000, 64)).astype(np.float32)}
    linear = net.linear(net.x, 6)
    z = trace(net.done(linear), x).values[linear.name]
    net = Net(64, seed=1)
    arrays = (Array(z.mean(axis=0)), Array(z.var(axis=0)), net.array(6, low=0.5, high=1.5))
    norm = ops.BatchNorm(*arrays, net.array(6, low=-0.5, high=0.5), 1e-5, -1)
    net = Net(64, seed=1)
    graph = net.done(net.relu(net.edit.add(norm, net.linear(net.x, 6))))
    free = quantiser(applied(f"{FREE}}}", graph)).step.data
    seen = applied(f"{CANONICAL},thresholds{{levels=8,rule=ti}}", graph, Context(calibration=x))
    assert np.allclose(free, quantiser(seen).step.data, rtol=0.01)
    best = applied(f"{CANONICAL},thresholds{{levels=8,rule=mse}}", graph, Context(calibration=x))
    assert np.allclose(free, quantiser(best).step.data, rtol=0.12)


def test_without_data_it_says_what_is_missing() -> None:
    with pytest.raises(UsageError, match="thresholds need calibration data"):
        applied("thresholds{levels=4}", layer())


@pytest.mark.parametrize(
    "option", ["levels=0", "levels=-1", "levels=4,p=0,rule=percentile", "levels=4,iterations=0"]
)
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=r"levels = |p = |iterations = "):
        applied(f"thresholds{{{option}}}", layer(), Context(calibration=calibration(layer())))
