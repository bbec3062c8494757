"""split-fan-in carries partial sums as graded events, and no output changes by a bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.errors import UnsupportedModel
from spikec.ir import Array, Graph, ops
from spikec.ir.edit import copied
from spikec.passes.split_fan_in import SplitFanIn
from spikec.pipeline import Context
from spikec.target import Rule, check, examine, load_target
from tests.passes.conftest import Golden
from tests.passes.helpers import applied
from tests.passes.whole_nets import Whole, assert_same_events


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A graded target of small cores."""
    path = tmp_path_factory.mktemp("targets") / "small.toml"
    path.write_text(
        'base = "generic-graded"\n[limits]\n'
        'input-axons-per-core = { value = 24, source = "test" }\n'
        'fan-in = { value = 20, source = "test" }\n',
        "utf-8",
    )
    return str(path)


def dense(inputs: int, seed: int = 0, levels: int = 1) -> Graph:
    net = Whole(inputs, seed=seed, levels=levels)
    first = net.neuron(net.linear(net.x, 6), name="first", levels=levels)
    return net.done(net.neuron(net.linear(first, 3), 6, name="last"))


def wide(graph: Graph, target: str) -> list[int]:
    return [layer.pieces for layer in examine(graph, load_target(target)).resources.layers]


@given(inputs=st.integers(1, 90), seed=st.integers(0, 99))
def test_partial_sums_are_exact(small: str, inputs: int, seed: int) -> None:
    graph = dense(inputs, seed)
    after = applied(f"split-fan-in{{target={small}}}", graph)
    assert_same_events(graph, after, seed)
    assert set(wide(after, small)) == {1}
    parts = [node for node in after if node.name.startswith("linear_part")]
    assert bool(parts) is (inputs > 20)
    assert not [v for v in check(after, load_target(small)) if v.rule is Rule.FAN_IN]


def test_convolutions_are_cut_along_their_channels(small: str) -> None:
    net = Whole(8, 4, 4)
    a = net.neuron(net.conv(net.x, 5), 9, name="a")
    graph = net.done(net.neuron(net.conv(a, 2), 9, name="b"))
    after = applied(f"split-fan-in{{target={small}}}", graph)
    assert_same_events(graph, after)
    assert set(wide(after, small)) == {1}
    kinds = [node.op for node in after if isinstance(node.op, ops.Conv)]
    assert max(op.weight.size // len(op.weight.data) for op in kinds) <= 20


def test_a_residual_sum_keeps_its_short_path(small: str) -> None:
    net = Whole(40)
    a = net.neuron(net.linear(net.x, 30), 9, name="a")
    total = net.edit.add(ops.Add(), net.linear(a, 30), a)
    graph = net.done(net.neuron(total, 9, name="b"))
    after = applied(f"split-fan-in{{target={small}}}", graph)
    assert_same_events(graph, after)


def reasons(graph: Graph, target: str) -> list[str]:
    with pytest.raises(UnsupportedModel) as caught:
        SplitFanIn(target)(copied(graph), Context())
    return [problem.expected for problem in caught.value.problems]


def test_binary_targets_cannot_carry_partial_sums() -> None:
    graph = dense(300)
    (reason,) = reasons(graph, "truenorth")
    assert reason == "signed events, which truenorth has not: partial sums can be negative"


def test_what_is_not_exact_is_listed_with_its_reason(small: str) -> None:
    real = dense(60)
    op = real["linear"].op
    assert isinstance(op, ops.Linear)
    real["linear"].op = ops.Linear(Array(op.weight.data + 0.5), op.bias)
    assert reasons(copied(real), small) == ["whole weights and biases (--weight-bits)"]
    large = dense(60)
    large["linear"].op = ops.Linear(Array(op.weight.data * 9), op.bias)
    assert reasons(copied(large), small) == [
        "partial sums of up to 127 quanta; there are some of 506"
    ]
    few = Whole(2, 6, 6)
    graph = few.done(few.neuron(few.conv(few.x, 2, 5), 9, name="a"))
    assert reasons(graph, small) == ["3 input channels or more: parts are cut along them"]


def test_a_target_without_such_limits_changes_nothing() -> None:
    graph = dense(60)
    assert str(applied("split-fan-in{target=generic-graded}", graph)) == str(graph)


def test_golden(golden: Golden, tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(
        'base = "generic-graded"\n[limits]\nfan-in = { value = 2, source = "test" }\n', "utf-8"
    )
    net = Whole(4)
    graph = net.done(net.neuron(net.linear(net.x, 2), name="a"))
    golden("split_fan_in", graph, applied(f"split-fan-in{{target={path}}}", graph))
