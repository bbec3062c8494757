"""Everything that NIR cannot hold stands in one error, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikec.backends.nir_graph import NirExporter
from spikec.backends.nir_graph.rules import RULES
from spikec.errors import SpikecError, UnsupportedModel, UsageError
from spikec.ir import Array, B, DType, Editor, Graph, Stage, T, TensorType, Value, ops
from spikec.ir.ops import Negative, Neuron
from spikec.target import check, load_target
from spikec.testing import random_graph
from tests.backends.nir_graph.programs import exported, random_program, samples

ONE = Array(np.float32(1))
NIR = load_target("nir")


class Net:
    """Builds a graph around what is to be refused."""

    def __init__(self, *dims: Any) -> None:
        self.edit = Editor(Graph("refused", Stage.SPIKING), by="test")
        self.x = self.edit.input("x", TensorType((T, B, *dims)))

    def add(self, op: ops.Op, *others: Value, name: str = "") -> Net:
        self.x = self.edit.add(op, self.x, *others, name=name)
        return self

    def done(self) -> Graph:
        self.add(ops.IntegrateFire(ONE))
        self.edit.output("y", self.x)
        return self.edit.graph


def weights(*shape: int) -> Array:
    return Array(np.ones(shape, np.float32))


def conv(kernel: tuple[int, ...], pads: tuple[tuple[int, int], ...]) -> ops.Conv:
    ones = (1,) * len(kernel)
    return ops.Conv(weights(2, 1, *kernel), None, ones, pads, ones)


def pool(kind: Any, pad: tuple[int, int] = (0, 0), **options: Any) -> ops.Op:
    op: ops.Op = kind((2, 2), (2, 2), (pad, pad), options.pop("dilation", (1, 1)), **options)
    return op


EVEN = ((0, 0), (0, 0))
CASES: dict[str, tuple[Graph, str]] = {
    "three axes": (Net(1, 3, 3, 3).add(conv((3, 3, 3), ((1, 1),) * 3)).done(), "3 axes"),
    "no square": (Net(1, 6, 6).add(conv((2, 3), EVEN)).done(), "a kernel of [2, 3]"),
    "rows": (Net(3, 4).add(ops.Linear(weights(2, 4))).done(), "last axis of [3, 4]"),
    "unflatten": (Net(6).add(ops.Reshape((T, B, 2, 3))).done(), "[6] becomes [2, 3]"),
    "pool of rows": (
        Net(1, 4).add(ops.SumPool((2,), (2,), ((0, 0),), (1,))).done(),
        "a pool over [1, 4]",
    ),
    "uneven pool": (Net(1, 5, 5).add(pool(ops.SumPool, (0, 1))).done(), "padding of 0 before"),
    "dilated pool": (Net(1, 5, 5).add(pool(ops.AvgPool, dilation=(2, 2))).done(), "dilation"),
    "ceiling": (
        Net(1, 5, 5).add(pool(ops.AvgPool, ceil_mode=True)).done(),
        "windows that reach beyond",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_has_no_node_is_refused(name: str, tmp_path: Path) -> None:
    graph, told = CASES[name]
    with pytest.raises(UnsupportedModel) as caught:
        exported(graph, tmp_path)
    (problem,) = caught.value.problems
    assert told in problem.what
    assert problem.where.startswith("%")
    assert problem.expected
    assert list(tmp_path.iterdir()) == []


def test_all_of_it_stands_in_one_error(tmp_path: Path) -> None:
    net = Net(1, 6, 6).add(conv((2, 3), EVEN), name="odd")
    edit = net.edit
    first = edit.add(ops.BipolarIF(ONE, high=3), net.x, name="bipolar")
    second = edit.add(ops.IntegrateFire(ONE, levels=4), net.x, name="levels")
    third = edit.add(ops.IntegrateFire(ONE, negative=Negative.FREE), net.x, name="signed")
    other = edit.input("z", TensorType((T, B, 3, 4)))
    rows = edit.add(ops.Linear(weights(2, 4)), other, name="rows")
    for value in (first, second, third, edit.add(ops.IntegrateFire(ONE), rows)):
        edit.output("y", value)
    with pytest.raises(UnsupportedModel) as caught:
        exported(edit.graph, tmp_path)
    places = {problem.where.split(" ")[0] for problem in caught.value.problems}
    assert places == {"%odd", "%bipolar", "%levels", "%signed", "%rows"}


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_checker_finds_is_refused(seed: int, tmp_path: Path) -> None:
    graph = random_graph(seed, stage=Stage.SPIKING, size=8)
    found = {v.problem.where for v in check(graph, NIR)}
    refusal = refusal_of(graph, tmp_path)
    if isinstance(refusal, UsageError):
        assert "holds no neurons" in refusal.what
        return
    problems = () if refusal is None else refusal.problems
    assert found <= {problem.where for problem in problems}
    assert all(p.where and (p.expected or p.remedy) for p in problems)


def refusal_of(graph: Graph, folder: Path) -> SpikecError | None:
    """Export; give the error, if there is one."""
    try:
        exported(graph, folder)
    except SpikecError as error:
        return error
    return None


def test_checker_and_backend_know_the_same_ops() -> None:
    neurons = set(NIR.neurons)
    assert set(RULES) == set(NIR.operations.allowed.value) | neurons
    assert {kind for kind in RULES if issubclass(kind, Neuron)} == neurons


@pytest.mark.parametrize("seed", range(20))
def test_what_the_backend_writes_the_checker_accepts(seed: int, tmp_path: Path) -> None:
    graph = random_program(seed)
    if refusal_of(graph, tmp_path) is None:
        assert check(graph, NIR) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dt": 0.0}, "dt"),
        ({"dt": float("nan")}, "dt"),
        ({"dt": True}, "dt"),
        ({"neurons": "Izhikevich"}, "IF, LIF, CubaLIF"),
        ({"step": 1}, "no option step"),
    ],
)
def test_options_are_checked(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        exported(random_program(0), tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_network_without_neurons_is_told(tmp_path: Path) -> None:
    edit = Editor(Graph("analog", Stage.ANALOG), by="test")
    edit.output("y", edit.add(ops.ReLU(), edit.input("x", TensorType((B, 3)))))
    with pytest.raises(UsageError, match="holds no neurons"):
        exported(edit.graph, tmp_path)


def test_double_precision_is_refused(tmp_path: Path) -> None:
    edit = Editor(Graph("wide", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 3), DType.F64))
    edit.output("y", edit.add(ops.IntegrateFire(ONE), x))
    with pytest.raises(UnsupportedModel, match="elements of type f64"):
        exported(edit.graph, tmp_path)


def test_another_way_is_refused(tmp_path: Path) -> None:
    graph = random_program(0)
    artifact = exported(graph, tmp_path)
    with pytest.raises(UsageError, match="does not run as"):
        NirExporter().run(artifact, samples(graph), "fast")


def test_without_a_reader_and_a_framework_nothing_runs(tmp_path: Path) -> None:
    graph = random_program(0)
    artifact = exported(graph, tmp_path)
    with pytest.raises(UsageError, match="nothing here can run a NIR file"):
        NirExporter(players=()).run(artifact, samples(graph), "nir")
