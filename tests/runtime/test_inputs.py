"""What may be given to a run, and how everything else is refused."""

from typing import Any

import numpy as np
import pytest
import torch

from spikec.errors import DataError, UsageError
from spikec.ir import Array, B, DType, Editor, Graph, T, TensorType, ops
from spikec.runtime import run, trace


def graph_of(*types: TensorType) -> Graph:
    """Give a graph that shows each of its inputs."""
    edit = Editor(Graph("inputs"), by="test")
    for i, type_ in enumerate(types):
        edit.output(f"y{i}", edit.input(f"x{i}", type_))
    return edit.graph


IMAGE = TensorType((B, 3, 4))
FRAMES = TensorType((T, B, 4))


@pytest.mark.parametrize(
    "array",
    [
        np.ones((2, 3, 4), np.float16),
        np.ones((2, 3, 4), np.float64),
        np.ones((2, 3, 4), np.uint8),
        np.ones((2, 3, 4), np.bool_),
        np.ones((2, 3, 4)).tolist(),
        torch.ones(2, 3, 4),
        torch.ones(2, 3, 4, requires_grad=True),
        torch.ones(2, 3, 4, dtype=torch.int64),
        np.ones((4, 3, 2)).T,
    ],
    ids=["f16", "f64", "u8", "bool", "list", "torch", "torch gradient", "torch i64", "strided"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_of_any_kind_are_accepted_for_floats(array: Any, dtype: str) -> None:
    y = run(graph_of(IMAGE), array, dtype=dtype)
    assert isinstance(y, np.ndarray)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.ones((2, 3, 4)))


def test_integers_are_accepted_for_integers_that_hold_them() -> None:
    y = run(graph_of(TensorType((B,), DType.I8)), np.array([-128, 127], np.int64))
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.int8


WRONG: dict[str, tuple[TensorType, Any, str]] = {
    "rank": (IMAGE, np.ones((3, 4)), "2 axes"),
    "size": (IMAGE, np.ones((2, 3, 5)), r"axis 2 of shape \[2, 3, 5\] has size 5"),
    "empty batch": (IMAGE, np.ones((0, 3, 4)), "empty"),
    "no steps": (FRAMES, np.ones((0, 2, 4)), "empty"),
    "nan": (IMAGE, np.full((1, 3, 4), np.nan), r"12 of 12 .* \[0, 0, 0\]"),
    "infinite": (IMAGE, np.full((1, 3, 4), np.inf), "infinite"),
    "overflow": (IMAGE, np.full((1, 3, 4), 1e300), "float64"),
    "too large integers": (IMAGE, np.full((1, 3, 4), 2**24 + 1), "too large"),
    "strings": (IMAGE, "image.png", "not numbers"),
    "objects": (IMAGE, np.array([object()]), "not numbers"),
    "complex": (IMAGE, np.ones((1, 3, 4), np.complex64), "not numbers"),
    "ragged": (IMAGE, [[1.0], [1.0, 2.0]], "not readable"),
    "none": (IMAGE, None, "not numbers"),
    "bfloat16": (IMAGE, torch.ones(1, 3, 4, dtype=torch.bfloat16), "not readable"),
    "floats for integers": (TensorType((B,), DType.I64), np.ones(3), "astype"),
    "bools wanted": (TensorType((B,), DType.BOOL), np.ones(3, np.int64), "bool"),
    "integers out of range": (TensorType((B,), DType.U8), np.array([-1, 256]), r"0\.\.255"),
    "odd for 2*B": (TensorType((B * 2,)), np.ones(3), "multiple of 2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_data_are_refused_with_place(name: str) -> None:
    declared, array, words = WRONG[name]
    with pytest.raises(DataError, match=words) as caught:
        run(graph_of(declared), array)
    (problem,) = caught.value.problems
    assert "x0" in problem.where


def test_all_that_is_wrong_stands_in_one_error() -> None:
    graph = graph_of(IMAGE, IMAGE, TensorType((B, 5)))
    data = (np.ones((2, 9, 4)), np.full((2, 3, 4), np.nan), np.ones((3, 5)))
    with pytest.raises(DataError) as caught:
        run(graph, data)
    text = [str(problem) for problem in caught.value.problems]
    assert len(text) == 3
    assert any("size 9" in t for t in text)
    assert any("NaN" in t for t in text)
    assert any("B = 3" in t and "B = 2" in t for t in text)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.ones((1, 3, 4)), "1 array"),
        ((np.ones((1, 3, 4)),) * 3, "3 arrays"),
        ({"x0": np.ones((1, 3, 4))}, "no array for x1"),
        ({"x0": 1, "x1": 1, "z": 1}, "no input is called z"),
    ],
)
def test_wrong_number_or_names_of_inputs(data: Any, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        run(graph_of(IMAGE, IMAGE), data)
    assert "x0, x1" in caught.value.expected


def test_time_is_bound_by_inputs_or_by_steps() -> None:
    graph = graph_of(FRAMES)
    assert trace(graph, np.ones((5, 2, 4))).steps == 5
    assert trace(graph, np.ones((5, 2, 4)), steps=5).steps == 5
    with pytest.raises(DataError, match="T = 6, as in the option steps"):
        run(graph, np.ones((5, 2, 4)), steps=6)
    flat = graph_of(TensorType((T * B, 4)), TensorType((B, 1)))
    assert trace(flat, (np.ones((10, 4)), np.ones((2, 1)))).steps == 5
    with pytest.raises(DataError, match="two unknowns"):
        run(graph_of(TensorType((T * B, 4))), np.ones((10, 4)))
    with pytest.raises(DataError, match="multiple of 4"):
        run(graph_of(TensorType((T * B, 4))), np.ones((10, 4)), steps=4)


def test_half_rates_need_an_even_number_of_steps() -> None:
    graph = graph_of(TensorType((T / 2, B)))
    assert trace(graph, np.ones((3, 2))).steps == 6
    edit = Editor(Graph("half"), by="test")
    x = edit.add(ops.Repeat(), edit.input("x", TensorType((B, 2))))
    edit.output("y", edit.add_node(ops.Haar(-3), (x,)).outputs[0])
    with pytest.raises(DataError, match="multiple of 2"):
        run(edit.graph, np.ones((1, 2)), steps=5)


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, "8"])
def test_steps_are_whole_numbers_from_one(steps: Any) -> None:
    with pytest.raises(UsageError, match="steps"):
        run(graph_of(FRAMES), np.ones((5, 2, 4)), steps=steps)


def test_a_batch_size_that_nothing_gives_is_asked_for() -> None:
    edit = Editor(Graph("constant"), by="test")
    value = edit.constant(ops.Constant(Array(np.ones(3, np.float32))))
    edit.output("y", edit.add(ops.Expand((B, 3)), value))
    with pytest.raises(DataError, match="batch size"):
        run(edit.graph, ())


def test_unknown_dtypes_are_refused() -> None:
    with pytest.raises(UsageError, match="float64"):
        run(graph_of(IMAGE), np.ones((1, 3, 4)), dtype="float16")


def test_the_caller_keeps_his_array() -> None:
    x = np.ones((2, 3, 4), np.float32)
    before = x.copy()
    edit = Editor(Graph("chain"), by="test")
    value = edit.add(ops.ReLU(), edit.input("x", IMAGE))
    edit.output("y", edit.add(ops.Neg(), value))
    run(edit.graph, x)
    np.testing.assert_array_equal(x, before)
