"""thresholds gives every activation a quantiser whose scale follows from calibration data."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.errors import UsageError
from spikec.ir import Array, Graph, Op, ops
from spikec.pipeline import Context
from spikec.runtime import trace
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, applied, calibration, random_net


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


@pytest.mark.parametrize("rule", ["max", "percentile", "mse", "ti"])
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


@pytest.mark.parametrize("rule", ["max", "percentile", "mse", "ti"])
def test_shuffled_data_give_the_same_bytes(rule: str) -> None:
    graph = random_net(3, dyadic=True)
    data = calibration(graph, 300)
    order = np.random.default_rng(1).permutation(300)
    text = f"split-activations,thresholds{{levels=4,rule={rule}}}"
    straight = applied(text, graph, Context(calibration=data))
    shuffled = {name: array[order] for name, array in data.items()}
    assert applied(text, graph, Context(calibration=shuffled)) == straight


def test_without_data_it_says_what_is_missing() -> None:
    with pytest.raises(UsageError, match="thresholds need calibration data"):
        applied("thresholds{levels=4}", layer())


@pytest.mark.parametrize("option", ["levels=0", "levels=-1", "levels=4,p=0,rule=percentile"])
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=r"levels = |p = "):
        applied(f"thresholds{{{option}}}", layer(), Context(calibration=calibration(layer())))
