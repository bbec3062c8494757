"""Rows and drawings say what stands in the graph."""

from __future__ import annotations

import numpy as np

from spikec.ir import Array, B, Editor, Family, Graph, Location, T, TensorType
from spikec.ir.ops.affine import Conv, Linear
from spikec.report.dot import _COLOURS, to_dot
from spikec.report.rows import rows, totals


def linear(out: int, features: int) -> Linear:
    return Linear(Array(np.ones((out, features), "f4")))


def test_macs_are_those_of_one_sample_and_step_and_the_formula_is_for_all() -> None:
    edit = Editor(Graph("timed"), by="test")
    x = edit.input("x", TensorType((T, B, 3, 8, 8)))
    weight = Array(np.ones((16, 3, 3, 3), "f4"))
    y = edit.add(Conv(weight, None, (1, 1), ((1, 1), (1, 1)), (1, 1)), x, name="conv")
    edit.output("y", y)
    row = rows(edit.graph)[1]
    assert row.macs == 16 * 8 * 8 * 3 * 3 * 3
    assert row.macs_formula == f"{16 * 8 * 8 * 27}*T*B"
    assert row.params == 16 * 27


def test_a_node_at_half_rate_counts_half() -> None:
    edit = Editor(Graph("half"), by="test")
    x = edit.input("x", TensorType((T / 2, B, 5)))
    edit.output("y", edit.add(linear(3, 5), x))
    assert rows(edit.graph)[1].macs == 7.5
    assert rows(edit.graph)[1].macs_formula == "15*T*B/2"


def test_totals_are_sums_over_rows() -> None:
    edit = Editor(Graph("two"), by="test")
    x = edit.input("x", TensorType((B, 4)))
    edit.output("y", edit.add(linear(2, 3), edit.add(linear(3, 4), x)))
    total = totals(rows(edit.graph))
    assert (total.nodes, total.params, total.macs) == (4, 12 + 6, 12 + 6)


def test_an_operand_that_is_read_twice_is_drawn_twice_and_text_is_escaped() -> None:
    from spikec.ir.ops.merge import Mul

    edit = Editor(Graph('say "hi" \\'), by="test")
    x = edit.input("x", TensorType((B, 4)), Location.at(file='odd"name.py', line=3))
    edit.output("y", edit.add(Mul(), x, x))
    text = to_dot(edit.graph)
    assert text.startswith('digraph "say \\"hi\\" \\\\" {')
    assert text.count('"x" -> "mul" [label="f32[B, 4]"];') == 2
    assert 'tooltip="odd\\"name.py:3"' in text


def test_every_family_has_a_colour() -> None:
    assert set(_COLOURS) == set(Family)
