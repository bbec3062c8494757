"""check-convertible names everything that cannot be made spiking, all at once, with places."""

from __future__ import annotations

import pytest

from spikec.errors import UnsupportedModel
from spikec.ir import Array, B, Editor, Graph, Location, Op, TensorType, ops
from tests.passes.conftest import Golden
from tests.passes.gated_nets import gated_net
from tests.passes.helpers import Net, applied, mlp, random_net


def test_golden(golden: Golden) -> None:
    golden("check_convertible", mlp(2, 2, 1), applied("check-convertible", mlp(2, 2, 1)))


def test_all_problems_are_listed_with_their_places() -> None:
    net = Net(2, 4, 4)
    x = net.conv(net.x, 3)
    gelu = net.edit.add(ops.GELU(), x, location=Location.at("block.0.act", "net.py", 12))
    silu = net.edit.add(
        ops.SiLU(), net.relu(net.conv(gelu, 3)), location=Location.at(onnx="/act2/Silu")
    )
    gate = net.edit.add(ops.Sigmoid(), net.conv(silu, 3), name="gate")
    product = net.edit.add(ops.Mul(), silu, gate, name="product")
    graph = net.done(net.linear(net.flat(net.relu(product)), 2))
    with pytest.raises(UnsupportedModel, match="2 nodes of 'net' cannot be made spiking") as caught:
        applied("check-convertible", graph)
    assert [p.what.split()[0] for p in caught.value.problems] == ["GELU", "SiLU"]
    with pytest.raises(UnsupportedModel, match="4 nodes of 'net' cannot be made spiking") as caught:
        applied("check-convertible{gates=false}", graph)
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
    for text in ("check-convertible", "fold-constants,check-convertible{gates=false}"):
        applied(text, edit.graph)


@pytest.mark.parametrize("seed", range(8))
def test_convertible_networks_pass(seed: int) -> None:
    applied("split-activations,check-convertible", random_net(seed))


@pytest.mark.parametrize("seed", range(8))
def test_gated_networks_pass_unless_values_must_be_whole(seed: int) -> None:
    graph = applied("split-activations", gated_net(seed))
    applied("check-convertible", graph)
    gates = [n.name for n in graph if isinstance(n.op, ops.Sigmoid) or n.name.startswith("product")]
    with pytest.raises(UnsupportedModel, match="no whole numbers") as caught:
        applied("check-convertible{gates=false}", graph)
    named = [problem.where.removeprefix("%") for problem in caught.value.problems]
    assert set(gates) <= set(named)
    assert all("graded" in problem.remedy for problem in caught.value.problems)


def test_a_product_in_front_of_all_neurons_needs_no_gate() -> None:
    net = Net(3)
    product = net.edit.add(ops.Mul(), net.linear(net.x, 4), net.linear(net.x, 4))
    applied("check-convertible{gates=false}", net.done(net.linear(net.relu(product), 2)))


@pytest.mark.parametrize("behind", ["weights", "neuron", "sigmoid", "maximum and weights"])
def test_a_sigmoid_that_is_no_factor_is_refused(behind: str) -> None:
    net = Net(2, 4, 4)
    x = net.relu(net.conv(net.x, 2))
    gate = net.edit.add(ops.Sigmoid(), net.conv(x, 2), name="gate")
    product = net.edit.add(ops.Mul(), x, gate)  # being a factor elsewhere does not help
    other = {
        "weights": lambda: net.conv(gate, 2),
        "neuron": lambda: net.relu(gate),
        "sigmoid": lambda: net.conv(net.edit.add(ops.Sigmoid(), gate), 2),
        "maximum and weights": lambda: net.conv(net.maxpool(gate), 2),
    }[behind]()
    graph = net.done(net.conv(product, 1), net.conv(net.relu(other), 1))
    with pytest.raises(UnsupportedModel, match="Sigmoid that is no factor of a product") as caught:
        applied("check-convertible", graph)
    assert "%gate" in [problem.where for problem in caught.value.problems]


@pytest.mark.parametrize("op", [ops.Div(), ops.Matmul()])
def test_other_joins_of_two_values_are_refused(op: Op) -> None:
    net = Net(3, 3)
    x = net.relu(net.linear(net.x, 3))
    graph = net.done(net.linear(net.edit.add(op, x, net.linear(x, 3)), 2))
    with pytest.raises(UnsupportedModel, match=f"{type(op).__name__} of two values"):
        applied("check-convertible", graph)
