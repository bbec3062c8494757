"""Random graphs are varied, valid, repeatable and tame; equivalence means what it says."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields
from functools import cache
from inspect import getsource
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikec.ir import (
    Array,
    B,
    Code,
    DType,
    Editor,
    Family,
    Graph,
    Op,
    Spikes,
    Stage,
    T,
    TensorType,
    ops,
)
from spikec.ir.ops.elementwise import Binary, Unary
from spikec.ir.parser import parse
from spikec.ir.printer import print_graph
from spikec.ir.verify import verify
from spikec.runtime import run
from spikec.testing import (
    assert_equivalent,
    draw_elementwise,
    draw_layers,
    draw_shape,
    draw_spiking,
    graphs,
    random_graph,
    random_inputs,
)
from spikec.testing.tame import tame_ops
from tests.ir.examples import EXAMPLES, example_graph
from tests.ir.ops.cases import Case
from tests.ir.ops.comparison import assert_equal
from tests.ir.ops.every_case import CASES

stages = st.sampled_from(Stage)


def has_time(graph: Graph) -> bool:
    return any(not v.type.is_static for node in graph for v in node.outputs)


def outputs(graph: Graph, seed: int, dtype: str = "float32") -> tuple[NDArray[Any], ...]:
    steps = 4 if has_time(graph) else None
    result = run(graph, random_inputs(graph, 2, seed, steps=4), dtype=dtype, steps=steps)
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("stage", Stage)
def test_the_same_seed_gives_the_same_graph(stage: Stage) -> None:
    for seed in range(5):
        assert random_graph(seed, stage=stage) == random_graph(seed, stage=stage)
        assert random_graph(seed, stage=stage) != random_graph(seed + 1, stage=stage)
    assert random_graph(np.random.default_rng(3)) == random_graph(3)


@settings(max_examples=150)
@given(st.integers(0, 2**32), stages)
def test_random_graphs_verify_and_run_to_finite_moderate_numbers(seed: int, stage: Stage) -> None:
    graph = random_graph(seed, stage=stage)
    verify(graph)
    assert graph.stage is stage
    for array in outputs(graph, seed):
        assert np.isfinite(array).all()
        assert np.abs(array.astype(float)).max(initial=0) < 1e6


@cache
def drawn() -> set[type[Op]]:
    """Give the ops that stand in a lot of graphs."""
    seeds = itertools.product(range(150), (Stage.ANALOG, Stage.SPIKING))
    many = (random_graph(seed, size=20, stage=stage) for seed, stage in seeds)
    return {type(node.op) for graph in many for node in graph}


def test_random_graphs_hold_every_op_that_a_draw_names() -> None:
    draws = (draw_elementwise, draw_layers, draw_shape, draw_spiking)
    words = {word for draw in draws for word in re.findall(r"\bops\.(\w+)", getsource(draw))}
    named = {op for name, op in ops.OPS.items() if name in words}
    assert len(named) > 80
    assert named - drawn() == set()


def test_random_graphs_hold_every_elementwise_op_without_options() -> None:
    plain = {op for op in ops.OPS.values() if issubclass(op, Unary | Binary) and not fields(op)}
    tame = {type(tame.op) for arity in (1, 2) for tame in tame_ops(arity)}
    truths = {op for op in plain if op.family is Family.LOGIC}
    assert plain - drawn() == plain - tame - truths
    assert len(tame) > 25


def test_random_graphs_hold_every_family() -> None:
    assert {op.family for op in drawn()} == {op.family for op in ops.OPS.values()} == set(Family)


def test_an_op_that_is_never_drawn_has_an_example() -> None:
    shown = {type(op) for op, _ in EXAMPLES}
    assert set(ops.OPS.values()) - drawn() - shown == set()


@pytest.mark.parametrize("case", [case for case in CASES if case.operands], ids=str)
def test_a_case_alone_in_a_graph_computes_the_same_after_reading_it_back(case: Case) -> None:
    graph = example_graph((case.op, case.operands))
    verify(graph)
    read = parse(print_graph(graph), graph.arrays())
    assert read == graph
    values = case.values(2)
    results = [run(x, values) for x in (graph, read)]
    rows = [result if isinstance(result, tuple) else (result,) for result in results]
    for got, again, wanted in zip(*rows, case.expected(values), strict=True):
        np.testing.assert_array_equal(got, again)
        narrow = min(got.dtype, wanted.dtype, key=lambda dtype: dtype.itemsize)
        assert got.dtype.kind == wanted.dtype.kind
        assert_equal(got.astype(narrow), wanted.astype(narrow))


def test_random_graphs_vary_in_shape_of_the_graph() -> None:
    many = [random_graph(seed, size=16) for seed in range(60)]
    values = [v for graph in many for node in graph for v in node.outputs]
    assert {len(graph.inputs) for graph in many} == {1, 2, 3}
    assert {len(graph.outputs) for graph in many} == {1, 2, 3}
    assert any(len(v.users) > 1 for v in values)
    assert {DType.F32, DType.I64, DType.BOOL} <= {v.type.dtype for v in values}
    assert any(len(node.location.places) > 1 for graph in many for node in graph)
    assert any(v.type.dims[0] == 16 * B or v.type.batch_axis != -v.type.rank for v in values)


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_smooth_graphs_give_close_numbers_in_both_precisions(seed: int) -> None:
    graph = random_graph(seed, smooth=True)
    for single, double in zip(outputs(graph, seed), outputs(graph, seed, "float64"), strict=True):
        # float32 carries 24 bits; a dozen ops lose a few of them
        distance = np.abs(single.astype(float) - double.astype(float)).max(initial=0)
        assert distance <= 1e-4 * np.abs(double.astype(float)).max(initial=0)


@settings(max_examples=30)
@given(graphs(max_size=4))
def test_the_strategy_bounds_the_size(graph: Graph) -> None:
    drawn = len(graph) - len(graph.inputs) - len(graph.outputs)
    assert 1 <= drawn <= 4 + 12  # the last draw may add a whole block


def test_inputs_are_what_their_types_say() -> None:
    edit = Editor(Graph("g", Stage.SPIKING), by="test")
    events = Spikes(Array(np.array([0.5, 2.0], np.float32)), True, 3, Code.SUM)
    edit.input("f", TensorType((B, 3), DType.F16))
    edit.input("i", TensorType((B, 50), DType.I32))
    edit.input("b", TensorType((50,), DType.BOOL))
    edit.input("e", TensorType((T, B, 2), DType.F32, events))
    drawn = random_inputs(edit.graph, batch=20, seed=1, steps=5)
    assert {name: (a.shape, a.dtype.name) for name, a in drawn.items()} == {
        "f": ((20, 3), "float16"),
        "i": ((20, 50), "int32"),
        "b": ((50,), "bool"),
        "e": ((5, 20, 2), "float32"),
    }
    assert set(drawn["i"].flat) == {0, 1, 2, 3}
    assert set(drawn["b"].flat) == {True, False}
    assert set((drawn["e"] / np.array([0.5, 2.0], np.float32)).flat) == {-3, -2, -1, 0, 1, 2, 3}
    again = random_inputs(edit.graph, batch=20, seed=1, steps=5)
    assert all(np.array_equal(drawn[name], again[name]) for name in drawn)


# ---- equivalence ------------------------------------------------------------------------------


def scaled(factor: float, name: str = "x", dtype: DType = DType.F32) -> Graph:
    """Give a graph that multiplies its input."""
    edit = Editor(Graph(f"times {factor}"), by="test")
    x = edit.input(name, TensorType((B, 2), dtype))
    factors = edit.constant(ops.Constant(Array(np.array(factor, dtype.numpy))))
    edit.output("y", edit.add(ops.Mul(), x, factors))
    return edit.graph


X: dict[str, NDArray[Any]] = {"x": np.array([[1.0, -2.0]], np.float32)}


def test_a_graph_is_equivalent_to_itself_and_to_one_with_other_names() -> None:
    assert_equivalent(scaled(2), scaled(2), X)
    assert_equivalent(scaled(2), scaled(2, name="renamed"), X)


def test_a_difference_is_measured_against_the_largest_number() -> None:
    assert_equivalent(scaled(1), scaled(1.01), X, tolerance=0.0101)
    with pytest.raises(AssertionError, match=r"%y: -2 against -2.02 at \[0, 1\]: 0.01 of the"):
        assert_equivalent(scaled(1), scaled(1.01), X, tolerance=0.0099)
    with pytest.raises(AssertionError, match="beside 0, allowed"):
        assert_equivalent(scaled(0), scaled(1e-9), X, tolerance=0.5)


def test_integers_have_to_be_equal() -> None:
    x = {"x": np.array([[1, 200]])}
    whole = scaled(100, dtype=DType.I64)
    assert_equivalent(whole, whole, x)
    with pytest.raises(AssertionError, match="100 against 101"):
        assert_equivalent(whole, scaled(101, dtype=DType.I64), x, tolerance=0.5)


def divided(by: float) -> Graph:
    """Give a graph that divides; by 0 that is infinite or NaN."""
    edit = Editor(Graph(f"by {by}"), by="test")
    x = edit.input("x", TensorType((B, 2)))
    edit.output("y", edit.add(ops.Div(), x, edit.constant(ops.Constant(Array(np.float32(by))))))
    return edit.graph


def test_infinities_and_nan_have_to_stand_in_the_same_places() -> None:
    x = {"x": np.array([[0.0, 1.0]], np.float32)}
    assert_equivalent(divided(0), divided(0), x)
    for pair in ((divided(0), divided(1)), (divided(1), divided(0)), (divided(0), divided(-0.0))):
        with pytest.raises(AssertionError, match="differ"):
            assert_equivalent(*pair, x, tolerance=1.0)


def test_shapes_types_and_numbers_of_outputs_have_to_be_equal() -> None:
    more = scaled(1)
    Editor(more, by="test").output("z", more["x"].outputs[0])
    with pytest.raises(AssertionError, match="1 outputs against 2"):
        assert_equivalent(scaled(1), more, X)
    other = scaled(1)
    edit = Editor(other, by="test")
    total = edit.add(ops.ReduceSum((-1,)), other["x"].outputs[0], before=other["y"])
    edit.rewire(other["y"], (total,))
    with pytest.raises(AssertionError, match=r"float32\[1, 2\] against float32\[1\]"):
        assert_equivalent(scaled(1), other, X)
