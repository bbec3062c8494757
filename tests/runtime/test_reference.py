"""The reference engine: analog graphs, time-major spiking graphs, rates, records, errors inside."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from spikec.errors import DataError, GraphError, UsageError
from spikec.ir import Array, B, DType, Editor, Graph, Location, Sizes, T, TensorType, ops
from spikec.ir.op import Op, Types, Values
from spikec.runtime import ENGINES, run, trace

Numbers = NDArray[Any]
RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(4, 3)).astype(np.float32)
BIAS = RANDOM.normal(size=4).astype(np.float32)
SECOND = RANDOM.normal(size=(2, 4)).astype(np.float32)


@dataclass(frozen=True)
class Counted(ops.ReLU):
    """A ReLU that counts how often it runs."""

    runs: ClassVar[int] = 0

    def f(self, x: Numbers) -> Numbers:
        type(self).runs += 1
        return super().f(x)


@pytest.fixture
def counted() -> Iterator[type[Counted]]:
    Counted.runs = 0
    yield Counted
    Counted.runs = 0


def mlp() -> Graph:
    edit = Editor(Graph("mlp"), by="test")
    x = edit.input("x", TensorType((B, 3)))
    hidden = edit.add(ops.ReLU(), edit.add(ops.Linear(Array(WEIGHT), Array(BIAS)), x))
    edit.output("y", edit.add(ops.Linear(Array(SECOND), None), hidden, name="head"))
    return edit.graph


def spiking_mlp() -> Graph:
    edit = Editor(Graph("spiking"), by="test")
    x = edit.input("x", TensorType((B, 3)))
    current = edit.add(ops.Linear(Array(WEIGHT), Array(BIAS)), x, name="first")
    spikes = edit.add(ops.IntegrateFire(Array(0.5)), edit.add(ops.Repeat(), current), name="if1")
    current = edit.add(ops.Linear(Array(SECOND), None), spikes, name="second")
    spikes = edit.add(ops.IntegrateFire(Array(0.25), levels=2), current, name="if2")
    edit.output("y", edit.add(ops.MeanReadout(), spikes, name="mean"))
    return edit.graph


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_analog_graph_is_its_formula(dtype: str) -> None:
    x = RANDOM.normal(size=(5, 3))
    w1, b1, w2 = (array.astype(dtype) for array in (WEIGHT, BIAS, SECOND))
    expected = np.maximum(x.astype(dtype) @ w1.T + b1, 0) @ w2.T
    y = run(mlp(), x, dtype=dtype)
    assert isinstance(y, np.ndarray)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=1e-5 if dtype == "float32" else 1e-13)


def test_several_inputs_and_outputs_in_order_and_by_name() -> None:
    edit = Editor(Graph("two"), by="test")
    a = edit.input("a", TensorType((B, 2)))
    b = edit.input("b", TensorType((B, 2)))
    edit.output("difference", edit.add(ops.Sub(), a, b))
    edit.output("first", a)
    one, two = np.ones((3, 2)), 2 * np.ones((3, 2))
    for x in ((two, one), {"b": one, "a": two}):
        difference, first = run(edit.graph, x)
        np.testing.assert_array_equal(difference, 1)
        np.testing.assert_array_equal(first, 2)


def test_integers_stay_integers() -> None:
    edit = Editor(Graph("ids"), by="test")
    ids = edit.input("ids", TensorType((B, 2), DType.I64))
    edit.output("next", edit.add(ops.Add(), ids, edit.constant(ops.Constant(Array([1])))))
    edit.output("rows", edit.add(ops.Embedding(Array(np.eye(4, dtype=np.float32))), ids))
    following, rows = run(edit.graph, np.array([[2, 3]]), dtype="float64")
    assert (following.dtype, rows.dtype) == (np.int64, np.float64)
    assert following.tolist() == [[3, 4]]
    np.testing.assert_array_equal(rows, np.eye(4)[[[2, 3]]])


def scalar_if(x: Numbers, theta: float, levels: int) -> Numbers:
    """Run soft-reset neurons over [T, ...], layer by layer."""
    v, rows = np.zeros(x.shape[1:]), []
    for current in x:
        v = v + current
        n = np.clip(np.floor(v / theta), 0, levels)
        v = v - theta * n
        rows.append(theta * n)
    return np.array(rows)


def test_time_major_equals_layer_major() -> None:
    x = RANDOM.normal(size=(5, 3))
    w1, b1, w2 = (array.astype(np.float64) for array in (WEIGHT, BIAS, SECOND))
    first = scalar_if(np.repeat((x @ w1.T + b1)[np.newaxis], 12, 0), 0.5, 1)
    second = scalar_if(first @ w2.T, 0.25, 2)
    means = second.cumsum(0) / np.arange(1, 13).reshape(-1, 1, 1)
    seen = trace(spiking_mlp(), x, steps=12, dtype="float64")
    np.testing.assert_array_equal(seen.values["if1"], first)
    np.testing.assert_array_equal(seen.values["if2"], second)
    np.testing.assert_allclose(seen.outputs[0], means, rtol=1e-14)
    assert seen.steps == 12


@pytest.mark.parametrize(
    ("dims", "order"),
    [((T, B, 3), (0, 1, 2)), ((B, T, 3), (1, 0, 2)), ((B, 3, T), (1, 2, 0))],
)
def test_time_may_lie_on_any_axis(dims: tuple[Any, ...], order: tuple[int, ...]) -> None:
    edit = Editor(Graph("axes"), by="test")
    edit.output("y", edit.add(ops.IntegrateFire(Array(0.5)), edit.input("x", TensorType(dims))))
    x = RANDOM.normal(0.3, 1, (6, 2, 3))
    y = run(edit.graph, x.transpose(order), dtype="float64")
    np.testing.assert_array_equal(y, scalar_if(x, 0.5, 1).transpose(order))


def test_time_and_batch_may_share_an_axis() -> None:
    edit = Editor(Graph("flat"), by="test")
    value = edit.add(ops.IntegrateFire(Array(0.5)), edit.input("x", TensorType((T * B, 3))))
    edit.output("y", edit.add(ops.Reshape((T, B, 3)), value))
    x = RANDOM.normal(0.3, 1, (6, 2, 3))
    y = run(edit.graph, x.reshape(12, 3), steps=6, dtype="float64")
    np.testing.assert_array_equal(y, scalar_if(x, 0.5, 1))


def test_whole_sequence_ops_cut_time_into_segments() -> None:
    edit = Editor(Graph("segments"), by="test")
    x = edit.input("x", TensorType((T, B, 2)))
    fired = edit.add(ops.IntegrateFire(Array(0.5)), x, name="before")
    low, high = edit.add_node(ops.Haar(-3), (fired,)).outputs
    slow = edit.add(ops.IntegrateFire(Array(0.5)), low, name="slow")
    back = edit.add(ops.HaarInverse(-3), slow, high)
    after = edit.add(ops.IntegrateFire(Array(0.5)), edit.add(ops.Add(), back, x), name="after")
    edit.output("y", edit.add(ops.LastStep(-3), after))
    data = RANDOM.normal(0.3, 1, (8, 3, 2))
    root = np.sqrt(0.5)
    before = scalar_if(data, 0.5, 1)
    slow_events = scalar_if((before[::2] + before[1::2]) * root, 0.5, 1)
    details = (before[::2] - before[1::2]) * root
    joined = np.stack([(slow_events + details) * root, (slow_events - details) * root], 1)
    expected = scalar_if(joined.reshape(8, 3, 2) + data, 0.5, 1)
    seen = trace(edit.graph, data, dtype="float64")
    np.testing.assert_array_equal(seen.values["slow"], slow_events)
    np.testing.assert_array_equal(seen.values["after"], expected)
    np.testing.assert_array_equal(seen.outputs[0], expected[-1])
    assert seen.values["haar#1"].shape == (4, 3, 2)


def test_static_nodes_run_once_and_stepwise_nodes_at_each_step(counted: type[Counted]) -> None:
    edit = Editor(Graph("once"), by="test")
    static = edit.add(counted(), edit.input("x", TensorType((B, 3))), name="static")
    moving = edit.add(ops.Repeat(), static)
    edit.output("y", edit.add(ops.Add(), moving, static))
    run(edit.graph, np.ones((2, 3)), steps=7)
    assert counted.runs == 1
    edit.output("z", edit.add(counted(), moving))
    run(edit.graph, np.ones((2, 3)), steps=7)
    assert counted.runs == 1 + 1 + 7


def test_a_static_branch_behind_time_runs_once(counted: type[Counted]) -> None:
    edit = Editor(Graph("head"), by="test")
    mean = edit.add(ops.MeanOverTime(-3), edit.input("x", TensorType((T, B, 3))))
    edit.output("y", edit.add(counted(), mean))
    x = RANDOM.normal(size=(5, 2, 3))
    np.testing.assert_allclose(run(edit.graph, x, dtype="float64"), np.maximum(x.mean(0), 0))
    assert counted.runs == 1


def test_a_trace_holds_what_was_asked_for() -> None:
    graph, x = spiking_mlp(), np.ones((2, 3))
    everything = trace(graph, x, steps=3)
    assert list(everything.values) == [v.name for n in graph for v in n.outputs]
    some = trace(graph, x, steps=3, record=("if2", "first"))
    assert list(some.values) == ["first", "if2"]
    np.testing.assert_array_equal(some.values["if2"], everything.values["if2"])
    assert trace(graph, x, steps=3, record=()).values == {}
    with pytest.raises(UsageError, match="relu7"):
        trace(graph, x, steps=3, record=("relu7",))


def test_values_that_nobody_needs_are_dropped() -> None:
    edit = Editor(Graph("deep"), by="test")
    value = edit.input("x", TensorType((B, 1 << 18)))
    for _ in range(24):
        value = edit.add(ops.ReLU(), value)
    edit.output("y", value)
    x = np.ones((1, 1 << 18), np.float32)
    tracemalloc.start()
    run(edit.graph, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * x.nbytes


@dataclass(frozen=True)
class Broken(ops.ReLU):
    """An op whose run fails."""

    def f(self, x: Numbers) -> Numbers:
        raise ValueError("shapes do not match")


@dataclass(frozen=True)
class Liar(Op):
    """An op that gives other sizes than it infers."""

    def infer(self, inputs: Types) -> Types:
        return inputs

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (inputs[0][..., :1],)


@pytest.mark.parametrize("dims", [(B, 3), (T, B, 3)])
@pytest.mark.parametrize("op", [Broken(), Liar()], ids=["broken", "liar"])
def test_an_error_inside_names_the_node_and_its_place(op: Op, dims: tuple[Any, ...]) -> None:
    edit = Editor(Graph("bad"), by="test")
    place = Location.at(module="layer1.act", file="net.py", line=31)
    x = edit.input("x", TensorType(dims))
    edit.output("y", edit.add(op, x, name="culprit", location=place))
    with pytest.raises(GraphError, match=r"%culprit = .* from layer1.act \(net.py:31\)"):
        run(edit.graph, np.ones((2,) * (len(dims) - 1) + (3,)))


def test_an_error_of_an_op_keeps_its_class_and_words() -> None:
    edit = Editor(Graph("ids"), by="test")
    ids = edit.input("ids", TensorType((B,), DType.I64))
    edit.output("y", edit.add(ops.Embedding(Array(np.eye(4))), ids, name="table"))
    with pytest.raises(DataError, match="%table"):
        run(edit.graph, np.array([7]))


@dataclass(frozen=True)
class First(Op):
    """An op that takes any two operands and gives the first."""

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    def infer(self, inputs: Types) -> Types:
        return inputs[:1]

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return inputs[:1]


def test_operands_of_different_rates_are_refused() -> None:
    edit = Editor(Graph("rates"), by="test")
    x = edit.input("x", TensorType((T, B)))
    slow = edit.input("slow", TensorType((T / 2, B)))
    edit.output("y", edit.add(First(), x, slow, name="mixed"))
    with pytest.raises(GraphError, match="%mixed"):
        run(edit.graph, (np.ones((4, 1)), np.ones((2, 1))))


def test_numbers_out_of_range_inside_are_results_not_accidents() -> None:
    edit = Editor(Graph("log"), by="test")
    edit.output("y", edit.add(ops.Log(), edit.input("x", TensorType((B,)))))
    y = run(edit.graph, np.array([0.0, -1.0, 1.0]))
    assert isinstance(y, np.ndarray)
    assert y[0] == -np.inf
    assert np.isnan(y[1])


def test_unknown_engines_and_graphs_without_output_are_refused() -> None:
    with pytest.raises(UsageError, match="reference"):
        run(mlp(), np.ones((1, 3)), engine="quantum")
    with pytest.raises(UsageError, match="no output"):
        run(Graph("empty"), ())
    assert "reference" in ENGINES


def test_running_loads_no_framework() -> None:
    code = """
import sys
import numpy as np
from spikec.ir import B, Editor, Graph, TensorType, ops
from spikec.runtime import run
edit = Editor(Graph("tiny"), by="test")
edit.output("y", edit.add(ops.ReLU(), edit.input("x", TensorType((B, 2)))))
assert run(edit.graph, np.array([[-1.0, 2.0]])).tolist() == [[0.0, 2.0]]
assert not {"torch", "onnx", "onnxruntime"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_steps_are_needed_exactly_where_time_is_not_given() -> None:
    x = np.ones((2, 3))
    with pytest.raises(DataError, match="steps"):
        run(spiking_mlp(), x)
    with pytest.raises(UsageError, match="no time steps"):
        run(mlp(), x, steps=4)
