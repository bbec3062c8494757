"""fold-constants computes what no input changes, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from spikec.ir import Array, B, Editor, Graph, TensorType, ops
from spikec.testing import graphs
from tests.passes.conftest import Golden
from tests.passes.helpers import applied, assert_exact, kinds


def affine() -> Graph:
    edit = Editor(Graph("affine"), by="test")
    x = edit.input("x", TensorType((B, 2)))
    a = edit.constant(ops.Constant(Array(np.float32(2.0))), "a")
    b = edit.constant(ops.Constant(Array(np.array([0.5, -4.0], np.float32))), "b")
    product = edit.add(ops.Mul(), edit.add(ops.Neg(), a), b, name="product")
    edit.output("y", edit.add(ops.Add(), x, product))
    return edit.graph


def test_golden(golden: Golden) -> None:
    after = assert_exact("fold-constants,remove-dead", affine())
    golden("fold_constants", affine(), after)


@pytest.mark.parametrize(("number", "stays"), [(0.0, False), (-1.0, True)])
def test_an_infinity_is_folded_and_nan_is_not(number: float, stays: bool) -> None:
    edit = Editor(Graph("odd"), by="test")
    x = edit.input("x", TensorType((B, 2)))
    constant = edit.constant(ops.Constant(Array(np.array([number, 1.0], np.float32))))
    edit.output("y", edit.add(ops.Add(), x, edit.add(ops.Log(), constant)))
    after = assert_exact("fold-constants", edit.graph)
    assert ("Log" in kinds(after)) is stays


def test_several_results_are_folded_together() -> None:
    edit = Editor(Graph("top"), by="test")
    x = edit.input("x", TensorType((B, 1)))
    numbers = edit.constant(ops.Constant(Array(np.array([3.0, 1.0, 2.0], np.float32))))
    values, indices = edit.add_node(ops.TopK(2, -1, True), (numbers,)).outputs
    edit.output("y", edit.add(ops.Add(), x, values))
    edit.output("z", indices)
    assert kinds(assert_exact("fold-constants,remove-dead", edit.graph)).count("Constant") == 2


def test_what_holds_the_batch_stays() -> None:
    edit = Editor(Graph("wide"), by="test")
    x = edit.input("x", TensorType((B, 2)))
    one = edit.constant(ops.Constant(Array(np.ones((1, 2), np.float32))))
    edit.output("y", edit.add(ops.Add(), x, edit.add(ops.Expand((B, 2)), one)))
    assert kinds(applied("fold-constants", edit.graph)) == kinds(edit.graph)


@given(graph=graphs())
def test_random_graphs_compute_the_same_to_the_bit(graph: Graph) -> None:
    assert_exact("fold-constants", graph)
