"""Recordings of data sets, and what a graph reads: the same samples, another order of axes."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.errors import DataError
from spikec.ir import B, Editor, Graph, Sizes, Stage, T, TensorType, ops
from spikec.ir.dims import Dims
from spikec.runtime.feed import recorded, shown, told_steps


def graph(dims: Dims) -> Graph:
    edit = Editor(Graph("net", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType(dims))
    edit.output("y", edit.add(ops.Neg(), x))
    return edit.graph


@pytest.mark.parametrize("dims", [(T, B, 2), (B, T, 2), (4, T, B, 2)])
def test_recordings_come_back(dims: Dims) -> None:
    net = graph(dims)
    shape = (5, *(7 if dim is T else dim for dim in dims if dim is not B))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)  # type: ignore[arg-type]
    read = shown(net, {"x": x}, 7)
    assert read["x"].shape == Sizes(5, 7).shape(dims)
    np.testing.assert_array_equal(recorded(net, read)["x"], x)
    with pytest.raises(DataError, match="recordings of 7 steps"):
        shown(net, {"x": x}, 8)


def test_still_samples_stand_still() -> None:
    net, x = graph((T, B, 2)), np.ones((5, 2), np.float32)
    assert shown(net, {"x": x}, 3)["x"].shape == (3, 5, 2)


def test_still_inputs_stay_what_they_are() -> None:
    net, x = graph((B, 2)), np.ones((5, 2), np.float32)
    assert shown(net, {"x": x}, 3)["x"] is x
    assert recorded(net, {"x": x})["x"] is x


def test_steps_are_told_where_nothing_else_tells_them() -> None:
    assert told_steps(graph((T, B, 2)), 3) is None
    assert told_steps(graph((B, 2)), 3) is None
    edit = Editor(Graph("net", Stage.SPIKING), by="test")
    edit.output("y", edit.add(ops.Repeat(), edit.input("x", TensorType((B, 2)))))
    assert told_steps(edit.graph, 3) == 3
