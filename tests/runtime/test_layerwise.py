"""The layerwise engine: the reference's values, however batch and time are cut."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.errors import UsageError
from spikec.ir import Array, B, DType, Editor, Graph, Op, Spikes, Stage, T, TensorType, ops
from spikec.ir.dims import Sizes
from spikec.runtime import trace
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import execute, kernels, simulate
from spikec.runtime.layerwise.kernels import KERNELS, Constants
from spikec.runtime.layerwise.rows import BLOCK_BYTES, SHORT_BYTES, by_rows
from spikec.runtime.layerwise.split import samples_are_alone
from spikec.testing import graphs, random_graph, random_inputs
from spikec.testing.compare import difference
from tests.ir.ops.affine_cases import AFFINE, POOLS
from tests.ir.ops.cases import Case
from tests.ir.ops.element_cases import ACTIVATIONS, ELEMENTARY, MERGES
from tests.ir.ops.shape_cases import MOVES, REDUCTIONS, RESIZES
from tests.runtime.spiking_nets import (
    assert_engines_agree,
    assert_same,
    everything,
    images,
    names,
    residual_net,
)

CASES = (*AFFINE, *POOLS, *ACTIVATIONS, *ELEMENTARY, *MERGES, *MOVES, *RESIZES, *REDUCTIONS)
WITH_OPERANDS = [case for case in CASES if case.operands]
TRAILING = [c for c in WITH_OPERANDS if c.trailing and len({x.rank for x in c.operands}) == 1]
CONVOLUTIONS = (ops.Conv, ops.ConvTranspose, ops.DeformConv)
SUMS = (ops.Linear, *CONVOLUTIONS, ops.Matmul, ops.Einsum, ops.Resize)
"""Ops whose sums the engines may order differently."""
ROUNDING = {"float32": 1e-5, "float64": 1e-13}
stages = st.sampled_from([Stage.ANALOG, Stage.SPIKING, Stage.PLACED])


def one_op(op: Op, *operands: TensorType) -> Graph:
    edit = Editor(Graph("one", Stage.ANALOG), by="test")
    node = edit.add_node(op, tuple(edit.input("x", type_) for type_ in operands))
    for value in node.outputs:
        edit.output("y", value)
    return edit.graph


def over_time(type_: TensorType) -> TensorType:
    return replace(type_, dims=(T, *type_.dims))


def compare(graph: Graph, x: dict[str, object], steps: int | None, dtype: str) -> None:
    """Compare outputs; ops whose sums have an order of their own up to rounding."""
    expected = trace(graph, x, record=(), steps=steps, dtype=dtype).outputs
    results = trace(graph, x, "layerwise", record=(), steps=steps, dtype=dtype).outputs
    rounding = ROUNDING[dtype] if any(isinstance(n.op, SUMS) for n in graph) else 0.0
    for a, b in zip(expected, results, strict=True):
        assert difference(a, b, rounding) == ""


@pytest.mark.parametrize("case", WITH_OPERANDS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_op_gives_what_the_reference_gives(case: Case, dtype: str) -> None:
    graph = one_op(case.op, *case.operands)
    values = dict(zip((n.name for n in graph.inputs), case.values(), strict=True))
    compare(graph, dict(values), None, dtype)


@pytest.mark.parametrize("case", TRAILING, ids=str)
def test_an_op_gives_what_the_reference_gives_over_time(case: Case) -> None:
    graph = one_op(case.op, *map(over_time, case.operands))
    steps = [case.values(seed=seed) for seed in range(4)]
    values = (np.stack(rows) for rows in zip(*steps, strict=True))
    compare(graph, dict(zip((n.name for n in graph.inputs), values, strict=True)), None, "float32")


@settings(max_examples=40)
@given(st.data(), stages, st.integers(0, 2**32 - 1), st.sampled_from(["float32", "float64"]))
def test_every_node_of_a_random_graph_gives_what_the_reference_gives(
    data: st.DataObject, stage: Stage, seed: int, dtype: str
) -> None:
    graph = data.draw(graphs(stage=stage))
    steps = 4 if any(not v.type.is_static for n in graph for v in n.outputs) else None
    x = random_inputs(graph, 3, seed, steps=4)
    reference = trace(graph, x, steps=steps, dtype=dtype).values
    result = everything(graph, x, steps, dtype).values
    for name, expected in reference.items():
        node = graph[name.partition("#")[0]]
        same = all(np.array_equal(reference[v.name], result[v.name]) for v in node.inputs)
        if same:  # what differs behind another difference is no news
            rounding = ROUNDING[dtype] if isinstance(node.op, SUMS) else 0.0
            assert difference(expected, result[name], rounding) == "", node


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 9))
def test_networks_with_dyadic_weights_give_the_same_events(
    seed: int, batch: int, steps: int
) -> None:
    assert_engines_agree(residual_net(seed), images(seed, batch), steps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("source", [ops.Repeat(), ops.Impulse(), ops.Impulse(3)], ids=repr)
def test_static_currents_are_seen_at_each_step(source: Op, dtype: str) -> None:
    graph = residual_net(1, source=source)
    assert_engines_agree(graph, images(1, 3), 5, dtype)


@pytest.mark.parametrize("stage", Stage)
def test_neither_batch_nor_memory_bound_changes_one_number(stage: Stage) -> None:
    for seed in range(25):
        graph = random_graph(seed, stage=stage)
        steps = 4 if any(not v.type.is_static for n in graph for v in n.outputs) else None
        x = random_inputs(graph, 5, seed, steps=4)
        dtype = "float64" if seed % 2 else "float32"
        whole = everything(graph, x, steps, dtype).values
        assert_same(whole, everything(graph, x, steps, dtype, least(graph, x, steps, dtype)).values)


def least(graph: Graph, x: object, steps: int | None, dtype: str = "float32") -> int:
    """Give the smallest memory bound that can be kept."""
    with pytest.raises(UsageError, match="memory bound of 1 bytes") as error:
        everything(graph, x, steps, dtype, memory=1)
    return int(error.value.expected.split()[2])


def test_real_weights_give_the_same_numbers_in_any_split() -> None:
    rng = np.random.default_rng(0)

    def real(rng: np.random.Generator, *shape: int) -> Array:
        return Array(rng.normal(size=shape).astype(np.float32))

    graph = residual_net(3, weights=real)
    x = rng.normal(size=(37, 3, 9, 9)).astype(np.float32)
    whole = everything(graph, x, 6)
    for memory in (least(graph, x, 6), 300_000, 1_000_000):
        cut = everything(graph, x, 6, memory=memory)
        assert_same(whole.values, cut.values)
        for name, counts in whole.events.items():
            np.testing.assert_array_equal(counts.events, cut.events[name].events)
            np.testing.assert_array_equal(counts.quanta, cut.events[name].quanta)
    for size in (1, 2, 5, 16):
        part = everything(graph, x[:size], 6).values
        for node in graph.outputs:
            name = node.inputs[0].name
            axis = node.inputs[0].type.batch_axis
            assert axis is not None
            expected = np.take(whole.values[name], np.arange(size), axis)
            np.testing.assert_array_equal(part[name], expected)


def test_a_smaller_bound_means_more_and_smaller_parts() -> None:
    graph = residual_net(2)
    feed = bind_inputs(graph, images(2, 16), 8, "float32")
    wanted = frozenset(node.inputs[0].name for node in graph.outputs)
    parts: dict[int | None, int] = {}
    for memory in (None, 400_000, 40_000, 10_000):

        def note(done: int, total: int, memory: int | None = memory) -> None:
            parts[memory] = total

        simulate(graph, feed, wanted, memory=memory, progress=note)
    assert len(graph) == parts[None] < parts[400_000] < parts[40_000] < parts[10_000]


def test_events_are_counted_by_step_and_sample() -> None:
    graph, x = residual_net(4), images(4, 6)
    full = everything(graph, x, 7)
    assert len(full.events) == 5  # the neurons
    for name, counts in full.events.items():
        signal = graph[name].outputs[0].type.signal
        assert isinstance(signal, Spikes)
        k = full.values[name] / signal.amplitude.data
        rows = k.reshape(*counts.events.shape, -1)
        np.testing.assert_array_equal(counts.events, (rows != 0).sum(2), err_msg=name)
        np.testing.assert_array_equal(counts.quanta, np.abs(rows).sum(2), err_msg=name)
    feed = bind_inputs(graph, x, 7, "float32")
    cut = simulate(graph, feed, frozenset(), counted=frozenset(full.events), memory=20_000)
    assert cut.values == {}
    for name, counts in full.events.items():
        np.testing.assert_array_equal(counts.events, cut.events[name].events)
        np.testing.assert_array_equal(counts.quanta, cut.events[name].quanta)


def test_values_that_are_no_events_are_not_counted() -> None:
    graph = residual_net(0)
    feed = bind_inputs(graph, images(0, 1), 2, "float32")
    with pytest.raises(UsageError, match="no events to count at 'linear'"):
        simulate(graph, feed, frozenset(), counted=frozenset({"linear"}))


def test_progress_goes_up_to_the_end() -> None:
    graph = residual_net(5)
    feed = bind_inputs(graph, images(5, 4), 4, "float32")
    seen: list[tuple[int, int]] = []
    simulate(graph, feed, frozenset(), memory=20_000, progress=lambda *at: seen.append(at))
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))
    assert len({total for _, total in seen}) == 1


def test_ops_across_samples_run_on_the_whole_batch() -> None:
    edit = Editor(Graph("centred"), by="test")
    x = edit.input("x", TensorType((B, 64)))
    mean = edit.add(ops.ReduceMean((-2,), True), x)
    edit.output("y", edit.add(ops.Sub(), x, mean))
    data = images(0, 6, 64)
    assert not samples_are_alone(edit.graph)
    assert_engines_agree(edit.graph, data, None)
    with pytest.raises(UsageError, match="6 samples together cannot be cut further"):
        everything(edit.graph, data, None, memory=64 * 4)


@pytest.mark.parametrize(
    ("op", "alone"),
    [
        (ops.Flip((-2,)), False),
        (ops.Flip((-1,)), True),
        (ops.Softmax(-2), False),
        (ops.Permute((-1, -2)), True),
        (ops.Reshape((B, 2, 2)), True),
        (ops.Reshape((B * 4,)), True),
        (ops.Reshape((4, B)), False),
        (ops.Tile((2, 1)), False),
        (ops.Einsum("bi->bi"), False),
        (ops.Linear(Array(np.eye(4, dtype=np.float32))), True),
    ],
    ids=repr,
)
def test_it_is_known_whether_samples_are_alone(op: Op, alone: bool) -> None:
    graph = one_op(op, TensorType((B, 4)))
    assert samples_are_alone(graph) is alone
    x = images(0, 6, 4)
    least_bound = least(graph, x, None)
    assert_same(
        everything(graph, x, None).values, everything(graph, x, None, memory=least_bound).values
    )


def test_what_an_impulse_is_added_to_stays_as_it_is_for_other_readers() -> None:
    edit = Editor(Graph("shared", Stage.SPIKING), by="test")
    events = edit.add(ops.IntegrateFire(Array(1.0)), edit.input("x", TensorType((T, B, 4))))
    y = edit.add(ops.Linear(Array(np.eye(4, dtype=np.float32))), events)
    view = edit.add(ops.Reshape((T, B, 2, 2)), y)
    pulse = edit.add(ops.Impulse(2), edit.add(ops.Constant(Array(np.ones((1, 4), np.float32)))))
    edit.output("sum", edit.add(ops.IntegrateFire(Array(1.0)), edit.add(ops.Add(), y, pulse)))
    edit.output("view", edit.add(ops.CumulativeSum(), view))
    assert_engines_agree(edit.graph, images(3, 3, 2, 4).swapaxes(0, 1), None)


@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (3, 1)])
def test_narrow_convolutions_behind_strides_are_right(channels: tuple[int, int]) -> None:
    """OneDNN takes one channel for channels last, and is wrong where the result is one wide."""
    rng = np.random.default_rng(0)
    weight = Array(rng.integers(-4, 5, (*channels[::-1], 1, 2)).astype(np.float32))
    op = ops.Conv(weight, None, (1, 2), ((0, 0), (1, 0)), (1, 1))
    graph = one_op(op, TensorType((B, channels[0], 4, 2)))
    assert_engines_agree(graph, images(0, 20, channels[0], 4, 2), None)


@pytest.mark.parametrize("op", [ops.Erf(), ops.GELU()], ids=repr)
def test_error_functions_have_the_references_bits(op: Op) -> None:
    rng = np.random.default_rng(0)
    normal = rng.normal(size=100_000)
    small = normal * 10.0 ** rng.uniform(-40, 2, normal.size)
    special = [0.0, -0.0, 1e-45, 3.92, 5.9, 3e38, np.inf, -np.inf, np.nan]
    x = np.concatenate([2 * normal, small, special]).astype(np.float32)
    sizes, known = Sizes(1, 1), Constants(np.dtype(np.float32))
    (wanted,) = op.run((x,), sizes)
    found = KERNELS[type(op)](op, (torch.from_numpy(x.copy()),), sizes, known).numpy()
    np.testing.assert_array_equal(found, wanted)
    assert np.array_equal(np.signbit(found), np.signbit(wanted))


@pytest.mark.parametrize(("towards", "side"), [(0, -1), (math.inf, 1)])
def test_error_functions_too_near_to_a_midpoint_are_those_of_the_reference(
    towards: float, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.linspace(-3, 3, 100).astype(np.float32)  # none is 0
    sizes, known = Sizes(1, 1), Constants(np.dtype(np.float32))
    (wanted,) = ops.Erf().run((x,), sizes)
    beside = np.nextafter(wanted, np.copysign(np.float32(towards), wanted))
    middle = (wanted.astype(np.float64) + beside) / 2
    wrong = torch.from_numpy(middle * (1 + side * 2.0**-51))  # on the other side, by a little
    assert (wrong.float().numpy() == beside).all()
    monkeypatch.setattr(torch, "erf", lambda _: wrong)
    found = KERNELS[ops.Erf](ops.Erf(), (torch.from_numpy(x),), sizes, known).numpy()
    np.testing.assert_array_equal(found, wanted)


def ones(*shape: int) -> Array:
    return Array(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    "op",
    [
        ops.ConvTranspose(ones(8, 64, 8, 8), None, (1, 1), ((0, 0), (0, 0)), (0, 0), (1, 1)),
        ops.ConvTranspose(ones(8, 4, 2, 2), None, (2, 2), ((0, 0), (0, 0)), (1, 1), (1, 1)),
        ops.Conv(ones(64, 8, 1, 1), None, (1, 1), ((3, 3), (3, 3)), (1, 1)),
    ],
    ids=repr,
)
def test_blocks_of_rows_stay_in_the_cache(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the operand is, its block counts what comes out of it."""
    taken = []

    def noted(size: int, kernel: Callable[..., torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        y = by_rows(size, kernel, x)
        taken.append(size * (x[0].nbytes + y[0].nbytes))
        return y

    monkeypatch.setattr(kernels, "by_rows", noted)
    KERNELS[type(op)](op, (torch.ones(3, 8, 1, 1),), Sizes(3, 1), Constants(np.dtype(np.float32)))
    assert SHORT_BYTES / 2 < taken[0] <= BLOCK_BYTES


def test_only_wanted_values_are_given_and_inputs_are_left_alone() -> None:
    graph, x = residual_net(6), images(6, 2)
    before = x.copy()
    x.setflags(write=False)
    feed = bind_inputs(graph, x, 3, "float32")
    assert execute(graph, feed, frozenset({"linear"})).keys() == {"linear"}
    np.testing.assert_array_equal(x, before)
    assert simulate(graph, feed, names(graph)).events == {}


def test_integers_stay_integers() -> None:
    edit = Editor(Graph("whole", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 3, 5, 5), DType.I32))
    weight = Array(np.arange(-13, 14, dtype=np.int32).reshape(1, 3, 3, 3))
    y = edit.add(ops.Conv(weight, None, (1, 1), ((1, 1), (1, 1)), (1, 1)), x)
    neuron = ops.BipolarIF(Array(np.int32(7)), 9, -9, levels=2)
    edit.output("y", edit.add(neuron, y))
    data = np.random.default_rng(0).integers(-3, 4, (4, 2, 3, 5, 5))
    assert_engines_agree(edit.graph, data, None)
