"""fold-batchnorm moves gain and shift into weights wherever that is exact."""

from __future__ import annotations

import pytest
from hypothesis import given

from spikec.ir import Array, Editor, Graph, Value, ops
from spikec.ir.edit import copied
from spikec.pipeline import Context
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.normal import ONE
from spikec.runtime import trace
from spikec.testing import graphs
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, applied, assert_exact, calibration, kinds

ROUNDING = 1e-5
"""weights are rounded to float32, relative to the largest output"""


def folded(graph: Graph) -> list[str]:
    return kinds(assert_exact("fold-batchnorm", graph, ROUNDING))[1:-1]


def test_golden(golden: Golden) -> None:
    net = Net(2)
    scale = ops.Scale(Array([2.0, 0.5], "float32"), Array([1.0, -1.0], "float32"), -1)
    weight = Array([[1.0, -2.0], [0.25, 4.0]], "float32")
    linear = net.edit.add(ops.Linear(weight, None), net.x, name="fc")
    graph = net.done(net.edit.add(scale, linear, name="norm"))
    golden("fold_batchnorm", graph, assert_exact("fold-batchnorm", graph, ROUNDING))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("bias", [False, True])
def test_behind_a_convolution(groups: int, bias: bool) -> None:
    net = Net(4, 5, 5)
    weight = net.array(8, 4 // groups, 3, 3)
    conv = ops.Conv(weight, net.array(8) if bias else None, (1, 1), ((1, 1),) * 2, (1, 1), groups)
    assert folded(net.done(net.batchnorm(net.edit.add(conv, net.x), -3))) == ["Conv"]


@pytest.mark.parametrize("groups", [1, 2])
def test_behind_a_transposed_convolution(groups: int) -> None:
    net = Net(4, 3, 3)
    options = ((2, 2), ((0, 0),) * 2, (0, 0), (1, 1), groups)
    op = ops.ConvTranspose(net.array(4, 6 // groups, 2, 2), net.array(6), *options)
    assert folded(net.done(net.batchnorm(net.edit.add(op, net.x), -3))) == ["ConvTranspose"]


def test_behind_linear_of_vectors_and_of_sequences() -> None:
    net = Net(4)
    assert folded(net.done(net.batchnorm(net.linear(net.x, 3), -1))) == ["Linear"]
    net = Net(5, 4)
    assert folded(net.done(net.batchnorm(net.linear(net.x, 3), -1))) == ["Linear"]


def test_over_the_other_axis_of_a_sequence_it_becomes_a_scale() -> None:
    net = Net(5, 4)
    assert folded(net.done(net.batchnorm(net.linear(net.x, 3), -2))) == ["Linear", "Scale"]


@pytest.mark.parametrize("groups", [1, 2])
def test_in_front_of_a_convolution_without_padding(groups: int) -> None:
    net = Net(4, 5, 5)
    graph = net.done(net.conv(net.batchnorm(net.x, -3), 6, padding=0, groups=groups))
    assert folded(graph) == ["Conv"]


def test_in_front_of_padding_the_shift_forbids_it() -> None:
    net = Net(4, 5, 5)
    graph = net.done(net.conv(net.batchnorm(net.x, -3), 6, padding=1))
    assert folded(graph) == ["Scale", "Conv"]


def test_in_front_of_padding_a_mere_gain_folds() -> None:
    net = Net(4, 5, 5)
    gain = net.edit.add(ops.Scale(net.array(4), None, -3), net.x)
    assert folded(net.done(net.conv(gain, 6, padding=1))) == ["Conv"]


def test_in_front_of_linear() -> None:
    net = Net(4)
    assert folded(net.done(net.linear(net.batchnorm(net.x, -1), 3))) == ["Linear"]


def test_in_front_of_several_readers_it_folds_into_all_or_none() -> None:
    net = Net(4)
    norm = net.batchnorm(net.x, -1)
    assert folded(net.done(net.linear(norm, 3), net.linear(norm, 2)))[:2] == ["Linear", "Linear"]
    net = Net(4)
    norm = net.batchnorm(net.x, -1)
    assert folded(net.done(net.linear(norm, 3), net.relu(norm)))[:3] == ["Scale", "Linear", "ReLU"]


def test_a_convolution_with_another_reader_stays() -> None:
    net = Net(2, 4, 4)
    conv = net.conv(net.x, 3)
    assert folded(net.done(net.batchnorm(conv, -3), conv))[:2] == ["Conv", "Scale"]


def test_standing_alone_it_becomes_a_scale() -> None:
    net = Net(3, 4, 4)
    assert folded(net.done(net.relu(net.batchnorm(net.x, -3)))) == ["Scale", "ReLU"]


def test_a_chain_folds_into_one() -> None:
    net = Net(3)
    x = net.batchnorm(net.batchnorm(net.batchnorm(net.x, -1), -1), -1)
    assert folded(net.done(net.linear(x, 2))) == ["Linear"]


def test_without_weight_and_bias() -> None:
    net = Net(3)
    bare = ops.BatchNorm(net.array(3), net.array(3, low=0.5, high=2.0), None, None, 1e-3, -1)
    graph = net.done(net.edit.add(bare, net.linear(net.x, 3)))
    assert folded(graph) == ["Linear"]


def test_a_channel_of_no_variance_stays_finite() -> None:
    net = Net(2)
    zero = Array([0.0, 0.0], "float32")
    norm = ops.BatchNorm(zero, zero, None, None, 1e-5, -1)
    assert folded(net.done(net.edit.add(norm, net.linear(net.x, 2)))) == ["Linear"]


def test_places_are_merged() -> None:
    net = Net(2)
    graph = net.done(net.batchnorm(net.linear(net.x, 2), -1))
    after = assert_exact("fold-batchnorm", graph, ROUNDING)
    (edit,) = [e for e in after.journal if e.by == "fold-batchnorm" and e.action == "add"]
    assert edit.sources == ("linear", "norm")


def with_statistics(net: Net, x: Value) -> Value:
    """Add a BatchNorm that holds the mean and variance of what it sees on the calibration data."""
    axis = channel_axis(x)
    data = calibration(net.edit.graph, 200)
    probe = copied(net.edit.graph)
    Editor(probe, by="test").output("probe", probe[x.producer.name].outputs[0])
    seen = trace(probe, data).values[x.name]
    others = tuple(i for i in range(seen.ndim) if i != seen.ndim + axis)
    mean, variance = Array(seen.mean(axis=others)), Array(seen.var(axis=others))
    norm = ops.BatchNorm(mean, variance, net.array(mean.size), net.array(mean.size), 1e-3, axis)
    return net.edit.add(norm, x, name="norm")


def remembered(kind: str) -> Graph:
    net = Net(3, 5, 5)
    x = net.conv(net.x, 4)
    match kind:
        case "behind weights":
            y = with_statistics(net, x)
        case "alone":
            y = with_statistics(net, net.edit.add(ops.Sigmoid(), x))
        case "then a scale":
            scale = ops.Scale(net.array(4), net.array(4), -3)
            y = net.edit.add(scale, with_statistics(net, x), name="scale")
        case "twice":
            y = with_statistics(net, with_statistics(net, x))
        case _:
            y = with_statistics(net, net.linear(net.relu(net.flat(x)), 6))
    return net.done(net.relu(y))


KINDS = ("behind weights", "alone", "then a scale", "twice", "behind linear")


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_deviation_are_remembered(kind: str) -> None:
    graph, context = remembered(kind), Context()
    after = applied("fold-batchnorm", graph, context)
    (name,) = context.normal
    relu = [node for node in after if isinstance(node.op, ops.ReLU)][-1]
    assert relu.inputs[0] is after[name].outputs[0]
    seen = trace(after, calibration(graph, 200)).values[name]
    shape = after[name].outputs[0].type.shape(ONE)
    z = context.normal[name].full(shape).per_channel(channel_axis(relu.inputs[0]))
    others = tuple(i for i in range(seen.ndim) if i != seen.ndim + channel_axis(relu.inputs[0]))
    assert z.mean == pytest.approx(seen.mean(axis=others), abs=1e-4)
    assert z.deviation == pytest.approx(seen.std(axis=others), abs=1e-4)


def test_of_norms_in_front_of_weights_nothing_is_kept() -> None:
    net, context = Net(4), Context()
    applied("fold-batchnorm", net.done(net.linear(net.batchnorm(net.x, -1), 3)), context)
    assert context.normal == {}


@given(graph=graphs(smooth=True))
def test_random_graphs_compute_the_same(graph: Graph) -> None:
    assert_exact("fold-batchnorm", graph, 1e-3)
