"""How connections are stored, and layers ahead of the first events that run at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikec.energy.first import repeats, static_ahead
from spikec.energy.storage import Storage, storage_of
from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, Value, ops
from spikec.program import Program
from tests.passes.helpers import mlp


def kernel(edit: Editor, x: Value) -> Value:
    weight = Array(np.ones((2, 2, 1, 1)), "float32")
    return edit.add(ops.Conv(weight, None, (1, 1), ((0, 0), (0, 0)), (1, 1)), x)


def fired(edit: Editor, x: Value) -> Value:
    return edit.add(ops.IntegrateFire(Array(np.float32(1))), x)


@pytest.fixture
def start() -> tuple[Editor, Value]:
    edit = Editor(Graph("net", Stage.SPIKING), by="test")
    return edit, fired(edit, edit.input("x", TensorType((T, B, 2, 4, 4))))


def test_a_kernel_on_events_is_a_kernel(start: tuple[Editor, Value]) -> None:
    edit, events = start
    one = kernel(edit, events)
    fired(edit, one)
    assert storage_of(one.producer) is Storage.KERNEL


def test_two_kernels_may_meet(start: tuple[Editor, Value]) -> None:
    edit, events = start
    one, two = kernel(edit, events), kernel(edit, events)
    fired(edit, edit.add(ops.Add(), one, two))
    assert storage_of(one.producer) is storage_of(two.producer) is Storage.KERNEL


def test_a_kernel_behind_a_pool_or_beside_a_skip_path_is_listed(
    start: tuple[Editor, Value],
) -> None:
    edit, events = start
    window: Any = ((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
    pooled = kernel(edit, edit.add(ops.SumPool(*window), events))
    beside = kernel(edit, events)
    fired(edit, edit.add(ops.Add(), beside, events))
    assert storage_of(pooled.producer) is storage_of(beside.producer) is Storage.LISTED


def test_a_dense_layer_is_a_matrix(start: tuple[Editor, Value]) -> None:
    edit, events = start
    dense = edit.add(ops.Linear(Array(np.ones((3, 4)), "float32")), events)
    assert storage_of(dense.producer) is Storage.MATRIX


def test_a_first_layer_that_runs_at_every_step_could_run_once() -> None:
    edit = Editor(Graph("born", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((B, 4)))
    again = edit.add(ops.Repeat(), x)
    weight = Array(np.full((3, 4), 0.3), "float32")
    first = edit.add(ops.Linear(weight), again, name="first")
    edit.output("y", edit.add(ops.MeanReadout(), fired(edit, first)))
    assert repeats(first.producer)
    assert first.producer not in static_ahead(edit.graph)
    program = Program(edit.graph, mlp(4, 3), steps=5)
    found = program.energy(np.ones((2, 4), np.float32)).first_layer
    assert (found.names, found.macs) == (("first",), 12)
    assert found.pj == pytest.approx(4.6 * 12)
    assert found.every_step_pj - found.once_pj == pytest.approx(4 * 4.6 * 12)
