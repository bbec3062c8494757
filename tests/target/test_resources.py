"""Counts of neurons, synapses and axons are those that trying every element gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikec.ir import Array, B, Editor, Graph, T, Value, ops
from spikec.target import Fact, Layer, Rule, examine, layers_of, load_target
from spikec.target.divide import Division, Resource, divide, limits_of
from spikec.target.reach import Grid
from tests.target.nets import conv, linear, reached, spiking, with_limits

LOIHI = load_target("loihi1")


def fact(number: int) -> Fact[int]:
    return Fact(number, "test")


def pooled(edit: Editor, x: Value) -> Value:
    return edit.add(ops.SumPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), x)


def flat(edit: Editor, x: Value) -> Value:
    size = int(np.prod([dim for dim in x.type.dims if isinstance(dim, int)]))
    return edit.add(ops.Reshape((T, B, size)), x)


def residual(edit: Editor, x: Value) -> Value:
    return edit.add(ops.Add(), edit.add(conv(3, 3), x), x)


def shortcut(edit: Editor, x: Value) -> Value:
    """Every other pixel, with channels of zeros before and behind."""
    rows = edit.add(ops.Slice(-2, 0, 6, 2), x)
    small = edit.add(ops.Slice(-1, 0, 5, 2), rows)
    wide = edit.add(ops.Pad(((1, 2), (0, 0), (0, 0)), ops.PadMode.CONSTANT, 0.0), small)
    return edit.add(ops.Add(), edit.add(conv(3, 6, stride=2), x), wide)


Body = Callable[[Editor, Value], Value]
BODIES: dict[str, Body] = {
    "residual": residual,
    "shortcut": shortcut,
    "pool, flatten, linear": lambda e, x: e.add(linear(18, 7), flat(e, pooled(e, x))),
    "global mean, linear": lambda e, x: e.add(
        linear(3, 4),
        e.add(ops.Reshape((T, B, 3)), e.add(ops.AdaptiveAvgPool((1, 1)), x)),
    ),
    "mean without axes": lambda e, x: e.add(linear(3, 4), e.add(ops.ReduceMean((-1, -2)), x)),
    "transposed": lambda e, x: e.add(
        ops.ConvTranspose(conv(3, 3).weight, None, (2, 2), ((1, 1),) * 2, (0, 0), (1, 1)), x
    ),
    "permuted": lambda e, x: e.add(ops.Permute((-1, -3, -2)), e.add(conv(3, 2), x)),
    "two ways": lambda e, x: e.add(ops.Concat(-3), e.add(conv(3, 2, 1, 1, 0), x), x),
    "uneven regions": lambda e, x: e.add(ops.AdaptiveAvgPool((4, 2)), x),
}


def halves(graph: Graph) -> tuple[Layer, Layer]:
    first, last = layers_of(graph, set(graph.nodes))
    return first, last


def brute(layer: Layer, division: Division, table: NDArray[np.bool_]) -> dict[Resource, list[int]]:
    """Count per block: neurons, synapses, distinct sources."""
    cuts = (np.arange(n) // s for n, s in zip(layer.shape, division.sizes, strict=True))
    number = np.zeros(layer.shape, np.int64)
    for axis, cut in enumerate(cuts):
        count = -(-layer.shape[axis] // division.sizes[axis])
        shape = [-1 if i == axis else 1 for i in range(len(layer.shape))]
        number = number * count + cut.reshape(shape)
    blocks = [table[number.ravel() == i] for i in range(number.max() + 1)]
    return {
        Resource.NEURONS: [len(block) for block in blocks],
        Resource.SYNAPSES: [int(block.sum()) for block in blocks],
        Resource.INPUTS: [int(block.any(axis=0).sum()) for block in blocks],
    }


def assert_counted(graph: Graph, **limits: Any) -> None:
    first, last = halves(graph)
    table = reached(graph, "first", "last")
    paths = len(last.inputs)
    assert last.neurons == len(table)
    if paths == 1:
        (connection,) = last.inputs
        reach = connection.path.reach
        assert connection.synapses == table.sum()
        assert (reach.fan_in().ravel() == table.sum(axis=1)).all()
        assert reach.sources == table.any(axis=0).sum()
        if isinstance(reach, Grid):
            assert sorted(reach.fan_out().ravel()) == sorted(table.sum(axis=0))
    target = with_limits(LOIHI, **limits)
    division = divide(last, target, [])
    found = {resource: list(map(int, array)) for resource, array in division.demand.items()}
    if paths == 1 and division.pieces == 1:
        expected = brute(last, division, table)
        exact = isinstance(last.inputs[0].path.reach, Grid)
        assert found[Resource.NEURONS] == expected[Resource.NEURONS]
        assert found[Resource.SYNAPSES] == expected[Resource.SYNAPSES]
        pairs = zip(found[Resource.INPUTS], expected[Resource.INPUTS], strict=True)
        assert all(mine == theirs if exact else mine >= theirs for mine, theirs in pairs)
        sender = divide(first, target, [(last.inputs[0], division)])
        assert sum(map(int, sender.demand[Resource.OUTPUTS])) >= sum(expected[Resource.INPUTS])
    for resource, most in limits_of(target).items():
        if resource not in division.exceeded:
            assert max(found[resource]) <= most


@pytest.mark.parametrize("body", BODIES)
def test_every_kind_of_path_is_counted_as_trying_each_element_does(body: str) -> None:
    graph = spiking((3, 6, 5), BODIES[body])
    assert_counted(graph, neurons_per_core=fact(7), input_axons_per_core=fact(60))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.sampled_from([2, 4]), st.integers(3, 6), st.integers(3, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)),
    st.sampled_from([1, 2]),
    st.integers(1, 40),
)
def test_convolutions_of_all_options_are_counted_exactly(
    dims: tuple[int, int, int], options: tuple[int, int, int, int], groups: int, neurons: int
) -> None:
    kernel, stride, padding, dilation = options
    if min(dims[1:]) + 2 * padding < dilation * (kernel - 1) + 1:
        return
    op = conv(dims[0], 4, kernel, stride, padding, groups=groups, dilation=dilation)
    graph = spiking(dims, lambda edit, x: edit.add(op, x))
    assert_counted(graph, neurons_per_core=fact(neurons))


def test_a_residual_sum_counts_both_of_its_paths() -> None:
    graph = spiking((3, 6, 5), residual)
    _, last = halves(graph)
    ring = reached(spiking((3, 6, 5), lambda e, x: e.add(conv(3, 3), x)), "first", "last")
    assert last.synapses == ring.sum() + 3 * 6 * 5
    assert [c.path.weighted for c in last.inputs] == [True, False]


def test_output_axons_are_the_blocks_that_each_neuron_reaches() -> None:
    graph = spiking((3, 6, 5), lambda e, x: e.add(conv(3, 4), x))
    first, last = halves(graph)
    target = with_limits(LOIHI, neurons_per_core=fact(20))
    division = divide(last, target, [])
    table = reached(graph, "first", "last")
    shape = last.shape
    number = np.arange(len(table)).reshape(shape)
    blocks = 0
    for part in _parts(number, division.sizes):
        blocks += int(table[part.ravel()].any(axis=0).sum())
    sender = divide(first, target, [(last.inputs[0], division)])
    assert division.blocks > 1
    assert int(sender.demand[Resource.OUTPUTS].sum()) == blocks


def _parts(array: NDArray[np.int64], sizes: tuple[int, ...]) -> list[NDArray[np.int64]]:
    parts = [array]
    for axis, size in enumerate(sizes):
        cuts = range(size, array.shape[axis], size)
        parts = [piece for part in parts for piece in np.split(part, list(cuts), axis)]
    return parts


def test_a_shared_kernel_is_stored_once_per_core() -> None:
    graph = spiking((3, 8, 8), lambda e, x: e.add(conv(3, 4), x))
    _, last = halves(graph)
    shared = replace(LOIHI, cores=replace(LOIHI.cores, shared_kernels=Fact(True, "test")))
    once = divide(last, shared, []).demand[Resource.MEMORY]
    each = divide(last, LOIHI, []).demand[Resource.MEMORY]
    assert once.tolist() == [4 * 3 * 9 * 8]
    assert each.tolist() == [last.synapses * 8]


def test_no_core_holds_more_than_it_has_and_nothing_is_lost() -> None:
    graph = spiking((4, 12, 12), lambda e, x: e.add(conv(4, 8), x))
    target = with_limits(LOIHI, neurons_per_core=fact(100), cores=fact(20))
    found = examine(graph, target).resources
    assert all(max(shares) <= 1 for shares in found.used.values())
    held = sum(found.used["neurons"]) * 100
    assert held == pytest.approx(found.neurons) == 4 * 144 + 8 * 144
    assert set(found.split) == {"first", "last"}
    assert found.cores == len({core for layer in found.layers for core in layer.cores})


def test_a_thousand_full_cores_are_placed_as_well() -> None:
    graph = spiking((4, 12, 12), lambda e, x: e.add(conv(4, 8), x))
    found = examine(graph, with_limits(LOIHI, neurons_per_core=fact(1))).resources
    assert found.cores == found.neurons == 12 * 144
    assert [len(layer.cores) for layer in found.layers] == [4 * 144, 8 * 144]


def test_small_layers_share_a_core_where_the_target_allows_it() -> None:
    graph = spiking((4,), lambda e, x: e.add(linear(4, 5), x))
    alone = replace(LOIHI, cores=replace(LOIHI.cores, share_cores=Fact(False, "test")))
    assert examine(graph, LOIHI).resources.cores == 1
    assert examine(graph, alone).resources.cores == 2


def test_too_many_cores_are_told_with_the_number_of_chips() -> None:
    graph = spiking((4, 12, 12), lambda e, x: e.add(conv(4, 8), x))
    target = with_limits(LOIHI, neurons_per_core=fact(100), cores=fact(10))
    found = examine(graph, target)
    assert found.resources.cores > 10
    assert found.resources.chips == -(-found.resources.cores // 10)
    (capacity,) = [v for v in found.violations if v.rule is Rule.CAPACITY]
    assert f"{found.resources.chips} chips" in capacity.remedy


def test_a_fan_in_beyond_a_core_is_split_and_told() -> None:
    graph = spiking((64,), lambda e, x: e.add(linear(64, 10), x))
    target = with_limits(LOIHI, input_axons_per_core=fact(20))
    found = examine(graph, target)
    last = found.resources.layers[1]
    assert last.pieces == 4
    (violation,) = [v for v in found.violations if v.rule is Rule.FAN_IN]
    assert violation.where == "%last = IntegrateFire"
    assert "64 synapses" in violation.what
    assert all(max(shares) <= 1 for shares in found.resources.used.values())


def test_a_layer_that_may_not_be_divided_is_told_when_it_is_too_large() -> None:
    graph = spiking((4, 200, 200), lambda e, x: e.add(conv(4, 12), x))
    found = examine(graph, load_target("speck"))
    assert found.partition.prefix == (graph["first"],)  # events have to come from the host
    capacity = {v.what: v.where for v in found.violations if v.rule is Rule.CAPACITY}
    assert capacity == {
        "480,000 neurons on one core": "%last = IntegrateFire",
        "480,000 neurons": "the whole network on speck",
    }


@pytest.mark.parametrize("values", [1, 2, 4])
def test_a_source_needs_an_axon_for_each_weight_that_truenorth_gives_it(values: int) -> None:
    rng = np.random.default_rng(values)
    numbers = rng.choice([-3, -1, 2, 7][:values], (5, 12)) * rng.integers(0, 2, (5, 12))
    numbers[0, :values] = [-3, -1, 2, 7][:values]
    weight = ops.Linear(Array(numbers.astype(np.float32)), None)
    first, last = halves(spiking((12,), lambda edit, x: edit.add(weight, x, name="w")))
    target = load_target("truenorth")
    needed = {
        (source, sorted(set(row) - {0}).index(row[source]))
        for row in numbers.tolist()
        for source in range(12)
        if row[source]
    }
    division = divide(last, target, [])
    assert int(division.demand[Resource.INPUTS][0]) == 12 * values >= len(needed)
    sender = divide(first, target, [(last.inputs[0], division)])
    assert int(sender.demand[Resource.OUTPUTS].sum()) == 12 * values
    plain = divide(last, LOIHI, [])
    assert int(plain.demand[Resource.INPUTS][0]) == 12
