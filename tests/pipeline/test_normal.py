"""Means and deviations without data are those of integrals, and of random draws."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.ir import Array, Graph, Op, Value, ops
from spikec.pipeline.normal import Normal, clipped, largest_of, spread
from spikec.runtime import run
from tests.passes.helpers import Net

DRAWS = 200_000


def integral(mean: float, deviation: float, low: float, high: float) -> tuple[float, float]:
    """Mean and deviation of clip(z, low, high), by quadrature."""
    x = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 400_001)
    weight = np.exp(-(((x - mean) / deviation) ** 2) / 2)
    weight /= weight.sum()
    y = np.clip(x, low, high)
    centre = (weight * y).sum()
    return centre, np.sqrt((weight * (y - centre) ** 2).sum())


@pytest.mark.parametrize("bounds", [(0, np.inf), (0, 6), (-1, 0.5), (-np.inf, 1)])
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (2, 0.5), (-3, 1), (0.1, 4), (-9, 1)])
def test_moments_of_a_clipped_normal_variable(
    mean: float, deviation: float, bounds: tuple[float, float]
) -> None:
    z = Normal(np.array([mean], float), np.array([deviation], float))
    found = clipped(z, *bounds)
    wanted = integral(mean, deviation, *bounds)
    assert [found.mean[0], found.deviation[0]] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_what_does_not_vary_is_clipped_itself() -> None:
    found = clipped(Normal(np.array([-1.0, 2.0]), np.zeros(2)), 0, np.inf)
    assert (found.mean.tolist(), found.deviation.tolist()) == ([0.0, 2.0], [0.0, 0.0])


@pytest.mark.parametrize("count", [1, 2, 4, 9, 49])
def test_the_largest_of_several(count: int) -> None:
    draws = np.random.default_rng(0).normal(size=(DRAWS, count)).max(axis=1)
    assert largest_of(count) == pytest.approx((draws.mean(), draws.std()), abs=0.01)


MEANS = np.array([0.3, -0.5, 1.0, 0.0]).reshape(4, 1, 1)
DEVIATIONS = np.array([1.0, 0.4, 2.0, 0.0]).reshape(4, 1, 1)


def drawn(graph: Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    size = (DRAWS // 8, 4, 2, 2)
    names = [node.name for node in graph.inputs]
    return {n: rng.normal(size=size) * DEVIATIONS + MEANS for n in names}


def known(graph: Graph) -> dict[str, Normal]:
    return {node.name: Normal(MEANS, DEVIATIONS) for node in graph.inputs}


def one(op: Op) -> Graph:
    net = Net(4, 2, 2)
    return net.done(net.edit.add(op, net.x))


def constant(net: Net, *numbers: float) -> Value:
    return net.edit.constant(ops.Constant(Array(np.array(numbers, "f4").reshape(-1, 1, 1))))


def composed(kind: str) -> Graph:
    net = Net(4, 2, 2)
    x, add = net.x, net.edit.add
    other = net.edit.input("other", x.type)
    match kind:
        case "residual":
            y = add(ops.Add(), x, add(ops.ReLU(), other))
        case "difference":
            y = add(ops.Sub(), other, add(ops.Clip(0.0, 0.8), x))
        case "twice":
            y = add(ops.Add(), x, x)
        case "scaled":
            y = add(ops.Mul(), constant(net, 2, -1, 0.5, 3), add(ops.Neg(), x))
        case "divided":
            y = add(ops.Div(), x, constant(net, 2, -1, 0.5, 3))
        case "shifted":
            y = add(ops.Add(), add(ops.Scale(net.array(4), net.array(4), -3), x), other)
        case "narrow":  # the shortcut of residual networks without weights
            less = add(ops.Slice(-3, 0, 2, 1), other)
            pads = ((1, 1), (0, 0), (0, 0))
            y = add(ops.Add(), x, add(ops.Pad(pads, ops.PadMode.CONSTANT, 0.5), less))
        case _:
            y = add(ops.Concat(-3), x, add(ops.ReLU(), other))
    return net.done(y)


KINDS = ("residual", "difference", "twice", "scaled", "divided", "shifted", "narrow", "concat")


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_has_the_moments_of_draws(kind: str) -> None:
    graph = composed(kind)
    value = graph.outputs[0].inputs[0]
    z = spread(graph, known(graph))[value].per_channel(-3)
    y = np.asarray(run(graph, drawn(graph), "layerwise", dtype="float64"))
    wanted = y.mean(axis=(0, 2, 3)), y.std(axis=(0, 2, 3))
    assert np.abs(z.mean - wanted[0]).max() < 0.03
    assert np.abs(z.deviation - wanted[1]).max() < 0.03
    layer = spread(graph, known(graph))[value].per_channel(None)
    assert abs(layer.mean[0] - y.mean()) < 0.03
    assert abs(layer.deviation[0] - y.std()) < 0.03


@pytest.mark.parametrize(
    "op", [ops.MaxPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), ops.ReduceMax((-1, -2), True)]
)
def test_a_maximum_of_normal_values_has_the_moments_of_draws(op: Op) -> None:
    graph = one(op)
    z = spread(graph, known(graph))[graph.outputs[0].inputs[0]].per_channel(-3)
    y = np.asarray(run(graph, drawn(graph), "layerwise", dtype="float64"))
    assert np.abs(z.mean - y.mean(axis=(0, 2, 3))).max() < 0.03
    assert np.abs(z.deviation - y.std(axis=(0, 2, 3))).max() < 0.03


@pytest.mark.parametrize("op", [ops.Sigmoid(), ops.AvgPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1))])
def test_of_other_ops_nothing_is_said(op: Op) -> None:
    graph = one(op)
    assert graph.outputs[0].inputs[0] not in spread(graph, known(graph))


def test_behind_weights_nothing_is_said() -> None:
    net = Net(4, 2, 2)
    conv = net.conv(net.x, 3)
    graph = net.done(net.relu(conv))
    assert conv not in spread(graph, known(graph))
