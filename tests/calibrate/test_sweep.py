"""Sweeps over data: one worker or several, in any order, find the same."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.calibrate import counts_of, histograms, observe, ranges_of, rows_in
from spikec.errors import DataError
from spikec.ir import Array, Graph, Value, ops
from spikec.pipeline.channels import channel_axis
from tests.passes.helpers import Net, calibration, random_net

Inputs = dict[str, np.ndarray]


def sites(graph: Graph) -> dict[Value, int]:
    nodes = [node for node in graph if isinstance(node.op, ops.ReLU | ops.Clip)]
    return {node.inputs[0]: channel_axis(node.inputs[0]) for node in nodes}


def shares(data: Inputs, workers: int, seed: int) -> list[Inputs]:
    """Deal the samples out at random, unevenly."""
    count = len(next(iter(data.values())))
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.choice(np.arange(1, count), workers - 1, replace=False))
    parts = np.split(rng.permutation(count), cuts)
    return [{name: array[part] for name, array in data.items()} for part in parts]


@pytest.mark.parametrize("workers", [2, 3, 7])
@pytest.mark.parametrize("seed", range(4))
def test_merged_statistics_of_several_workers_are_those_of_one_sweep(
    workers: int, seed: int
) -> None:
    graph = random_net(seed)
    axes, data = sites(graph), calibration(graph, 150)
    alone = observe(graph, data, axes)
    parts = shares(data, workers, seed)
    first = [ranges_of(rows_in(graph, part, axes)) for part in parts]
    ranges = first[0]
    for more in first[1:]:
        ranges = {value: ranges[value] | more[value] for value in ranges}
    second = [counts_of(rows_in(graph, part, axes), ranges) for part in reversed(parts)]
    for value, seen in alone.items():
        total = sum((found[value] for found in second[1:]), second[0][value])
        assert np.array_equal(total.counts, seen.counts)
        assert np.array_equal(total.range.low, seen.range.low)
        assert np.array_equal(total.range.high, seen.range.high)


def test_two_sweeps_count_every_value() -> None:
    rng = np.random.default_rng(0)
    parts = [{"a": rng.normal(size=(2, n)), "b": rng.normal(size=(1, n))} for n in (3, 10)]
    found = histograms(lambda: parts)
    assert found["a"].counts.sum(axis=1).tolist() == [13, 13]
    assert found["b"].range.high[0] == max(part["b"].max() for part in parts)


def test_values_that_overflow_are_told_all_at_once() -> None:
    net = Net(2)
    huge = ops.Linear(Array(np.full((3, 2), 3e38, "f4")), None)
    x = net.relu(net.edit.add(huge, net.x))
    graph = net.done(net.relu(net.linear(x, 2)))
    with pytest.raises(DataError, match="leaves the range of float32") as caught:
        observe(graph, {"x": np.ones((4, 2), np.float32)}, sites(graph))
    assert len(caught.value.problems) == 2


def test_of_zeros_of_both_signs_no_order_matters() -> None:
    rows = np.array([[-0.0, 0.0, 1.0]], np.float32)
    lows = [ranges_of([{0: rows[:, order]}])[0].low for order in ([0, 1, 2], [1, 0, 2])]
    assert not np.signbit(lows).any()
