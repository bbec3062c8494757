"""check-convertible names everything that cannot be made spiking, all at once, with places."""

from __future__ import annotations

import pytest

from spikec.errors import UnsupportedModel
from spikec.ir import Array, B, Editor, Graph, Location, Op, TensorType, ops
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, applied, mlp, random_net


def test_golden(golden: Golden) -> None:
    golden("check_convertible", mlp(2, 2, 1), applied("check-convertible", mlp(2, 2, 1)))


def test_all_problems_are_listed_with_their_places() -> None:
    net = Net(2, 4, 4)
    x = net.conv(net.x, 3)
    gelu = net.edit.add(ops.GELU(), x, location=Location.at("block.0.act", "net.py", 12))
    silu = net.edit.add(ops.SiLU(), net.conv(gelu, 3), location=Location.at(onnx="/act2/Silu"))
    gate = net.edit.add(ops.Sigmoid(), net.conv(silu, 3), name="gate")
    product = net.edit.add(ops.Mul(), silu, gate, name="product")
    graph = net.done(net.linear(net.flat(net.relu(product)), 2))
    with pytest.raises(UnsupportedModel, match="4 nodes of 'net' cannot be made spiking") as caught:
        applied("check-convertible", graph)
    problems = caught.value.problems
    assert [p.where for p in problems] == [
        "block.0.act (net.py:12)",
        "ONNX node /act2/Silu",
        "%gate",
        "%product",
    ]
    assert [p.what.split()[0] for p in problems] == ["GELU", "SiLU", "Sigmoid", "Mul"]
    assert all(p.remedy for p in problems)


@pytest.mark.parametrize(
    "op", [ops.GELU(), ops.Softmax(-1, False), ops.Tanh(), ops.Clip(None, 1.0), ops.Clip(0.0, 0.0)]
)
@pytest.mark.parametrize("behind", ["weights", "neuron"])
def test_what_no_neuron_computes_is_refused_in_front_of(op: Op, behind: str) -> None:
    net = Net(3)
    y = net.edit.add(op, net.linear(net.x, 3))
    y = net.linear(y, 2) if behind == "weights" else net.relu(y)
    with pytest.raises(UnsupportedModel, match=type(op).__name__):
        applied("check-convertible", net.done(y))


def test_deformable_convolution_is_refused_as_last_layer_too() -> None:
    net = Net(2, 4, 4)
    x = net.relu(net.conv(net.x, 2))
    options = ((1, 1), ((1, 1),) * 2, (1, 1), 1, 1)
    op = ops.DeformConv(net.array(3, 2, 3, 3), None, *options)
    with pytest.raises(UnsupportedModel, match="DeformConv"):
        applied("check-convertible", net.done(net.edit.add(op, x, net.conv(x, 18))))


def test_padding_with_another_number_than_0_is_refused() -> None:
    net = Net(2, 4, 4)
    padded = net.edit.add(ops.Pad(((1, 1), (1, 1)), value=0.5), net.relu(net.conv(net.x, 2)))
    with pytest.raises(UnsupportedModel, match="Pad"):
        applied("check-convertible", net.done(net.conv(padded, 2)))


def test_a_softmax_on_the_logits_is_accepted() -> None:
    net = Net(3)
    y = net.edit.add(ops.Softmax(-1, False), net.linear(net.relu(net.linear(net.x, 4)), 3))
    graph = net.done(y)
    assert applied("check-convertible", graph) == graph


def test_what_does_not_depend_on_the_input_may_be_anything() -> None:
    edit = Editor(Graph("const"), by="test")
    x = edit.input("x", TensorType((B, 2)))
    gain = edit.add(ops.Exp(), edit.constant(ops.Constant(Array([0.5, 1.0], "float32"))))
    edit.output("y", edit.add(ops.ReLU(), edit.add(ops.Mul(), x, gain)))
    # a product with what is no Constant yet is refused; folded, it is one
    with pytest.raises(UnsupportedModel, match="Mul"):
        applied("check-convertible", edit.graph)
    applied("fold-constants,check-convertible", edit.graph)


@pytest.mark.parametrize("seed", range(8))
def test_convertible_networks_pass(seed: int) -> None:
    applied("split-activations,check-convertible", random_net(seed))
