"""Which axis of an input is the batch, and what other symbolic sizes become."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.errors import ModelError, UnsupportedModel, UsageError
from spikec.frontends.onnx_graph import import_model
from spikec.ir import B, DType
from tests.frontends.onnx_graph.models import Shape, assert_same, model, node, numbers

RELU = [node("Relu", "x", "y")]


def dims_of(shape: Shape, **options: object) -> tuple[object, ...]:
    graph = import_model(model(RELU, {"x": shape}), **options)  # type: ignore[arg-type]
    return graph["x"].outputs[0].type.dims


@pytest.mark.parametrize("first", ["batch", "N", None])
def test_a_symbolic_first_axis_is_the_batch(first: str | None) -> None:
    assert dims_of((first, 3)) == (B, 3)


def test_minus_one_is_symbolic() -> None:
    proto = model(RELU, {"x": ("n", 3)})
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    assert import_model(proto)["x"].outputs[0].type.dims == (B, 3)


def test_the_only_symbol_is_the_batch_wherever_it_stands() -> None:
    assert dims_of((7, "batch", 3)) == (7, B, 3)


def test_a_fixed_batch_stays_unless_a_dynamic_one_is_asked_for() -> None:
    assert dims_of((1, 3)) == (1, 3)
    assert dims_of((1, 3), dynamic_batch=True) == (B, 3)


def test_other_symbols_take_their_size_from_the_example_or_by_name() -> None:
    shape = ("n", 3, "height", "width")
    example = np.zeros((2, 3, 8, 6))
    assert dims_of(shape, example_input=example) == (B, 3, 8, 6)
    assert dims_of(shape, example_input={"x": example}) == (B, 3, 8, 6)
    assert dims_of(shape, sizes={"height": 8, "width": 6}) == (B, 3, 8, 6)


def test_symbols_without_a_size_are_refused_with_their_names() -> None:
    with pytest.raises(ModelError) as caught:
        dims_of(("n", 3, "height", "width"))
    assert "'height'" in caught.value.problems[0].what
    assert "sizes=" in caught.value.problems[0].remedy


@pytest.mark.parametrize("shape", [(2, 4, 8), (2, 3), (2, 3, 8, 1)])
def test_an_example_that_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="example input has shape"):
        dims_of(("n", 3, "width"), example_input=np.zeros(shape))


def test_unknown_names_are_misuse() -> None:
    with pytest.raises(UsageError, match="heigth"):
        dims_of(("n", "height"), sizes={"heigth": 3, "height": 3})
    with pytest.raises(UsageError, match="no input is called image"):
        dims_of(("n", 3), example_input={"image": np.zeros((1, 3))})
    with pytest.raises(UsageError, match="2 example inputs"):
        dims_of(("n", 3), example_input=(np.zeros((1, 3)), np.zeros(1)))


def test_a_model_that_fixes_its_batch_refuses_a_dynamic_one() -> None:
    nodes = [node("Reshape", "x shape", "y", "flatten")]
    proto = model(nodes, {"x": (1, 3, 2)}, {"shape": np.array([1, 6])})
    assert_same(proto, {"x": numbers(1, 3, 2)})
    with pytest.raises(UnsupportedModel) as caught:
        import_model(proto, dynamic_batch=True)
    (problem,) = caught.value.problems
    assert problem.where == "ONNX node flatten"
    assert "dynamic_batch" in problem.remedy


def test_a_dynamic_batch_runs_where_the_model_allows_it() -> None:
    proto = model(
        [node("Flatten", "x", "f"), node("MatMul", "f w", "y")],
        {"x": (1, 3, 2)},
        {"w": numbers(6, 4)},
    )
    graph = import_model(proto, dynamic_batch=True)
    for info in (proto.graph.input[0], proto.graph.output[0]):
        if info.type.tensor_type.shape.dim:
            info.type.tensor_type.shape.dim[0].dim_param = "n"
    assert_same(proto, {"x": numbers(3, 3, 2)}, graph)


def test_weights_that_are_listed_as_inputs_are_weights() -> None:
    proto = model([node("MatMul", "x w", "y")], {"x": ("n", 3), "w": (3, 2)}, {"w": numbers(3, 2)})
    assert [n.name for n in import_model(proto).inputs] == ["x"]


def test_several_inputs_and_outputs_keep_their_order() -> None:
    nodes = [node("Add", "a b", "s"), node("Sub", "a b", "d")]
    proto = model(nodes, {"a": ("n", 3), "b": ("n", 3)}, outputs="d s")
    graph = import_model(proto)
    assert [n.name for n in graph.inputs] == ["a", "b"]
    assert [n.name for n in graph.outputs] == ["d", "s"]
    assert_same(proto, {"a": numbers(2, 3), "b": numbers(2, 3, seed=1)}, graph)


def test_names_become_valid_and_places_keep_the_originals() -> None:
    nodes = [node("Relu", "in:0", "/h/0", "/block.1/Relu (a)"), node("Abs", "/h/0", "1")]
    graph = import_model(model(nodes, {"in:0": ("n", 3)}, outputs="1"))
    assert [n.name for n in graph] == ["in_0", "block.1_Relu_a", "_1_op", "_1"]
    assert str(graph["block.1_Relu_a"].location) == "ONNX node /block.1/Relu (a)"


def test_element_types_are_those_of_the_file() -> None:
    proto = model([node("Cast", "x", "y", to=1)], {"x": ("n",)}, kinds={"x": 11})
    assert import_model(proto)["x"].outputs[0].type.dtype is DType.F64


def test_notes_say_where_the_graph_came_from() -> None:
    notes = import_model(model(RELU, {"x": ("n", 3)}, opset=17, producer_name="tests")).notes
    assert notes == {"frontend": "onnx_graph", "opset": "17", "producer": "tests"}
