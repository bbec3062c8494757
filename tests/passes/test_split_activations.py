"""split-activations writes ramps as sums of ReLU and Clip(0, h), and changes no number."""

from __future__ import annotations

import pytest
from hypothesis import given

from spikec.ir import Graph, Op, ops
from spikec.pipeline.roles import is_activation
from spikec.testing import graphs
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, assert_exact, kinds

ROUNDING = 1e-7
"""slopes become constants of float32"""


def test_golden(golden: Golden) -> None:
    net = Net(2)
    shallow = net.edit.add(ops.LeakyReLU(0.25), net.x, name="shallow")
    graph = net.done(net.edit.add(ops.Clip(-1.0, 1.0), shallow, name="hard"))
    golden("split_activations", graph, assert_exact("split-activations", graph, ROUNDING))


@pytest.mark.parametrize(
    "op",
    [
        ops.LeakyReLU(0.1),
        ops.LeakyReLU(-0.3),
        ops.LeakyReLU(0.0),
        ops.PReLU(Net(1).array(3, 1)),
        ops.Clip(-1.0, 1.0),
        ops.Clip(0.25, 0.75),
        ops.Clip(0.0, None),
        ops.Clip(-0.5, None),
        ops.HardSigmoid(1 / 6, 0.5),
    ],
    ids=str,
)
def test_every_kind_becomes_ramps(op: Op) -> None:
    net = Net(3, 4)
    after = assert_exact("split-activations", net.done(net.edit.add(op, net.x)), ROUNDING)
    ramps = [node for node in after if isinstance(node.op, ops.ReLU | ops.Clip)]
    assert ramps
    assert all(map(is_activation, ramps))


@pytest.mark.parametrize(
    "op", [ops.ReLU(), ops.Clip(0.0, 6.0), ops.Clip(None, 1.0), ops.GELU(), ops.HardSwish()]
)
def test_what_is_canonical_or_no_sum_of_ramps_stays(op: Op) -> None:
    net = Net(3)
    graph = net.done(net.edit.add(op, net.x))
    assert kinds(assert_exact("split-activations", graph, ROUNDING)) == kinds(graph)


@given(graph=graphs(smooth=True))
def test_random_graphs_compute_the_same(graph: Graph) -> None:
    assert_exact("split-activations", graph, 1e-5)
