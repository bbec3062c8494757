"""fold-pools makes one set of weights of a sum over windows and the weights behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.ir import Array, B, Graph, T, Value, ops
from spikec.ir.edit import copied
from spikec.passes.fold_pools import FoldPools
from spikec.target import Rule, check, load_target
from tests.passes.helpers import applied, kinds
from tests.passes.whole_nets import Whole, assert_same_events

PASS = "fold-pools{target=truenorth}"


def pooled(net: Whole, x: Value, kernel: int, stride: int) -> Value:
    pool = ops.SumPool((kernel,) * 2, (stride,) * 2, ((0, 0),) * 2, (1, 1))
    return net.edit.add(pool, x, name="pool")


def small(net: Whole, x: Value, kernel: int, **options: Any) -> Value:
    """Weights of -1, 0, 1: few enough for TrueNorth."""
    weight = net.rng.integers(-1, 2, (2, 2, kernel, kernel)).astype(np.float32)
    plain = ops.Conv(Array(weight), None, (1, 1), ((0, 0),) * 2, (1, 1))
    return net.edit.add(replace(plain, **options), x, name="conv")


def network(seed: int, sizes: tuple[int, int], pool: tuple[int, int], **options: Any) -> Graph:
    net = Whole(2, *sizes, seed=seed)
    a = net.neuron(net.x, 1, name="a")
    kernel = options.pop("kernel", 3)
    return net.done(net.neuron(small(net, pooled(net, a, *pool), kernel, **options), 2, name="b"))


@given(
    st.integers(0, 99),
    st.tuples(st.integers(9, 12), st.integers(9, 12)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 3),
    st.integers(1, 2),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.integers(1, 2),
)
def test_whatever_is_folded_sends_the_same_events(
    seed: int,
    sizes: tuple[int, int],
    pool: tuple[int, int],
    kernel: int,
    stride: int,
    pads: tuple[int, int],
    dilation: int,
) -> None:
    if dilation * (kernel - 1) >= (min(sizes) - pool[0]) // pool[1] + 1:
        return
    options: dict[str, Any] = {
        "kernel": kernel,
        "stride": (stride,) * 2,
        "padding": (pads,) * 2,
        "dilation": (dilation,) * 2,
    }
    before = network(seed, sizes, pool, **options)
    after = applied(PASS, copied(before))
    assert_same(before, after, seed)
    assert pads != (0, 0) or "SumPool" not in kinds(after)


def assert_same(before: Graph, after: Graph, seed: int) -> None:
    """Compare events; networks that send none say nothing."""
    try:
        assert_same_events(before, after, seed)
    except AssertionError as error:
        if "assert 0 > 0" not in str(error):
            raise


def test_a_pool_becomes_part_of_a_larger_kernel() -> None:
    graph = network(0, (8, 8), (2, 2), padding=((1, 1),) * 2)
    target = load_target("truenorth")
    assert Rule.GRADED_CURRENT in {v.rule for v in check(graph, target)}
    after = applied(PASS, copied(graph))
    (conv,) = [node for node in after if isinstance(node.op, ops.Conv)]
    assert isinstance(conv.op, ops.Conv)
    assert (conv.op.kernel, conv.op.stride) == ((6, 6), (2, 2))
    assert conv.op.padding == ((2, 2),) * 2
    assert check(after, target) == []
    assert_same_events(graph, after)
    assert not FoldPools("truenorth")(after)


def test_borders_that_would_be_wrong_are_left_alone() -> None:
    """9 = 4 windows of 2 and an element: behind these lies the padding of the convolution."""
    graph = network(0, (9, 9), (2, 2), padding=((1, 1),) * 2)
    assert not FoldPools("truenorth")(copied(graph))
    overlapping = network(0, (9, 9), (3, 1), padding=((1, 1),) * 2)
    assert not FoldPools("truenorth")(copied(overlapping))


@pytest.mark.parametrize("whole", [False, True], ids=["windows", "all of it"])
def test_linear_maps_take_pools_in(whole: bool) -> None:
    net = Whole(2, 6, 6, seed=1)
    a = net.neuron(net.conv(net.x, 3), 4, name="a")
    if whole:
        x = net.edit.add(ops.ReduceSum((-2, -1)), a, name="pool")
    else:
        x = net.edit.add(ops.Reshape((T, B, 27)), pooled(net, a, 2, 2), name="flat")
    graph = net.done(net.neuron(net.linear(x, 4), 6, name="b"))
    after = applied(PASS, copied(graph))
    assert not {"SumPool", "ReduceSum"} & set(kinds(after))
    (linear,) = [node.op for node in after if isinstance(node.op, ops.Linear)]
    assert linear.weight.shape == (4, 108)
    assert_same_events(graph, after)


def test_a_pool_that_others_read_stays_for_them() -> None:
    net = Whole(2, 6, 6, seed=1)
    a = net.neuron(net.x, 1, name="a")
    pool = pooled(net, a, 2, 2)
    b = net.neuron(net.conv(pool, 2), 6, name="b")
    total = net.edit.add(ops.Add(), net.conv(b, 2, name="inner"), pool)
    graph = net.done(net.neuron(total, 6, name="c"))
    after = applied(PASS, copied(graph))
    assert kinds(after).count("SumPool") == 1
    assert kinds(after).count("Conv") == 2
    assert_same_events(graph, after)


def test_targets_that_multiply_out_themselves_are_left_alone() -> None:
    graph = network(0, (8, 8), (2, 2))
    assert not FoldPools("loihi1")(copied(graph))
