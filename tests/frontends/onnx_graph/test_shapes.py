"""Shapes that depend on the batch are followed, and constants are folded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from spikec.errors import UnsupportedModel
from spikec.frontends.onnx_graph import import_model
from spikec.frontends.onnx_graph.folding import FOLDS
from spikec.frontends.onnx_graph.rules import RULES
from spikec.ir import B, ops
from tests.frontends.onnx_graph.models import assert_same, assert_same_for_batches, model, node
from tests.frontends.onnx_graph.models import numbers as some


def test_reshape_to_batch_and_rest_stays_symbolic() -> None:
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "batch", axis=0),
        node("Unsqueeze", "batch front", "row"),
        node("Concat", "row rest", "wanted", axis=0),
        node("Reshape", "x wanted", "y"),
    ]
    weights = {"zero": np.int64(0), "front": np.array([0]), "rest": np.array([-1])}
    graph = assert_same_for_batches(model(nodes, {"x": ("n", 3, 4)}, weights), (3, 4))
    assert graph["y"].inputs[0].type.dims == (B, 12)
    assert [type(n.op) for n in graph] == [ops.Input, ops.Reshape, ops.Output]


def test_batch_times_windows_and_back() -> None:
    nodes = [
        node("Shape", "x", "shape"),
        node("Slice", "shape zero one", "batch"),
        node("Mul", "batch four", "wide"),
        node("Concat", "wide six", "flat", axis=0),
        node("Reshape", "x flat", "h"),
        node("Div", "wide four", "again"),
        node("Concat", "again minus", "back", axis=0),
        node("Reshape", "h back", "y"),
    ]
    weights = {"zero": [0], "one": [1], "four": [4], "six": [6], "minus": [-1]}
    arrays = {name: np.array(value, np.int64) for name, value in weights.items()}
    assert_same_for_batches(model(nodes, {"x": ("n", 4, 6)}, arrays), (4, 6))


def test_token_expanded_to_the_batch() -> None:
    nodes = [
        node("Shape", "x", "batch", start=0, end=1),
        node("Concat", "batch one one", "wanted", axis=0),
        node("Expand", "token wanted", "tokens"),
        node("Concat", "tokens x", "y", axis=1),
    ]
    weights = {"one": np.array([1]), "token": some(1, 1, 5)}
    assert_same_for_batches(model(nodes, {"x": ("n", 3, 5)}, weights, opset=15), (3, 5))


@pytest.mark.parametrize(("source", "count"), [("token", 2), ("row", 4)])
def test_tiled_to_the_batch(source: str, count: int) -> None:
    nodes = [
        node("Shape", "x", "batch", start=0, end=1),
        node("Concat", "batch one count", "times", axis=0),
        node("ReduceSum", "x outer", "row"),
        node("Tile", f"{source} times", "tiled"),
        node("Add", "x tiled", "y"),
    ]
    weights = {"one": np.array([1]), "count": np.array([count]), "outer": np.array([0, 2])}
    weights["token"] = some(1, 3, 2)
    assert_same_for_batches(model(nodes, {"x": ("n", 3, 4)}, weights, opset=15), (3, 4))


def test_a_mask_that_is_repeated_along_the_batch_stays_small() -> None:
    nodes = [
        node("Shape", "x", "batch", start=0, end=1),
        node("Concat", "batch four", "wanted", axis=0),
        node("Expand", "open wanted", "mask"),
        node("Where", "mask zero low", "bias"),
        node("Add", "x bias", "y"),
    ]
    weights = {
        "four": np.array([4]),
        "open": np.array([[True, False, True, True]]),
        "zero": np.float32(0),
        "low": np.float32(-9),
    }
    graph = assert_same_for_batches(model(nodes, {"x": ("n", 4)}, weights, opset=15), (4,))
    (constant,) = (n.op for n in graph if isinstance(n.op, ops.Constant))
    assert constant.value.shape == (1, 4)


@pytest.mark.parametrize("order", ["as stored", "reversed"])
def test_strided_view_of_each_element_of_the_batch(order: str) -> None:
    offsets = np.arange(6)[None]
    nodes = [
        node("Shape", "x", "vector", start=0, end=1),
        node("Squeeze", "vector", "batch"),
        node("Range", "zero batch one", "count"),
        node("Mul", "count six", "starts"),
        node("Unsqueeze", "starts ones", "column"),
        node("Add", "column offsets", "places"),
        node("Reshape", "x minus", "flat"),
        node("Gather", "flat places", "y"),
    ]
    scalars = {"zero": np.int64(0), "one": np.int64(1), "six": np.int64(6)}
    weights = {
        **scalars,
        "ones": np.array([1]),
        "minus": np.array([-1]),
        "offsets": offsets if order == "as stored" else offsets[:, ::-1].copy(),
    }
    assert_same_for_batches(model(nodes, {"x": ("n", 2, 3)}, weights, opset=15), (2, 3))


def test_known_places_of_each_element_of_the_batch() -> None:
    # what `mask[batch_index, 0, places]` becomes
    nodes = [
        node("Shape", "x", "vector", start=0, end=1),
        node("Squeeze", "vector", "batch"),
        node("Range", "zero batch one", "count"),
        node("Unsqueeze", "count axes", "column"),
        node("Max", "column places", "joint"),
        node("Shape", "joint", "wide"),
        *(
            step
            for name, source in (("b", "column"), ("k", "places"), ("r", "rows"))
            for step in (
                node("Expand", f"{source} wide", f"{name}0"),
                node("Unsqueeze", f"{name}0 last", f"{name}1"),
            )
        ),
        node("Concat", "b1 r1 k1", "indices", axis=-1),
        node("GatherND", "x indices", "y"),
    ]
    weights = {
        "zero": np.array(0),
        "one": np.array(1),
        "axes": np.array([1, 2]),
        "last": np.array([-1]),
        "places": np.array([[[3, -1, 0]]]),
        "rows": np.array([[[1, 0, -2]]]),
    }
    assert_same_for_batches(model(nodes, {"x": ("n", 2, 5)}, weights, opset=15), (2, 5))


def test_known_places_in_leading_axes() -> None:
    nodes = [
        node("Transpose", "x", "t", perm=[1, 2, 0, 3]),
        node("GatherND", "t places", "p"),
        node("Transpose", "p", "y", perm=[1, 0, 2]),
    ]
    weights = {"places": np.array([[1, 0], [-1, 2], [0, -3]])}
    assert_same_for_batches(model(nodes, {"x": ("n", 2, 3, 4)}, weights), (2, 3, 4))


def test_positions_looked_up_for_every_element_of_the_batch() -> None:
    nodes = [
        node("Shape", "x", "batch", start=0, end=1),
        node("Concat", "batch three", "wanted", axis=0),
        node("Expand", "positions wanted", "ids"),
        node("Gather", "table ids", "rows"),
        node("Gather", "words x", "found"),
        node("Add", "found rows", "y"),
    ]
    weights = {
        "three": np.array([3]),
        "positions": np.array([[2, 0, 1]]),
        "table": some(3, 4),
        "words": some(9, 4, seed=1),
    }
    kinds = {"x": TensorProto.INT64}
    proto = model(nodes, {"x": ("n", 3)}, weights, opset=15, kinds=kinds)
    for batch in (2, 3):
        ids = np.random.default_rng(batch).integers(-9, 9, (batch, 3))
        assert_same(proto, {"x": ids})


def test_comparisons_of_sizes_are_decided_where_every_batch_agrees() -> None:
    nodes = [
        node("Shape", "x", "shape"),
        node("Equal", "shape minus", "free"),
        node("Where", "free ones shape", "wanted"),
        node("Expand", "row wanted", "wide"),
        node("Add", "x wide", "y"),
    ]
    weights = {"minus": np.array([-1]), "ones": np.array([1]), "row": some(1, 4)}
    assert_same_for_batches(model(nodes, {"x": ("n", 4)}, weights), (4,))


def test_a_decision_that_hangs_on_the_batch_is_refused() -> None:
    nodes = [
        node("Shape", "x", "batch", "sizes", start=0, end=1),
        node("Equal", "batch one", "single", "decide"),
        node("Where", "single one two", "wanted"),
        node("Tile", "x wanted", "y"),
    ]
    weights = {"one": np.array([1]), "two": np.array([2])}
    with pytest.raises(UnsupportedModel) as caught:
        import_model(model(nodes, {"x": ("n",)}, weights, opset=15))
    (problem,) = caught.value.problems
    assert problem.where == "ONNX node decide"
    assert "depends on the batch size" in problem.what


def test_if_with_a_known_condition_takes_its_branch() -> None:
    branches = {
        name: helper.make_graph(
            [node(kind, "x scale", f"{name}_y")],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.array(3, np.float32), "scale")],
        )
        for name, kind in (("then_branch", "Mul"), ("else_branch", "Add"))
    }
    nodes = [
        node("Shape", "x", "columns", start=1, end=2),
        node("Squeeze", "columns", "count"),
        node("Equal", "count four", "wide"),
        node("If", "wide", "y", **branches),
    ]
    for columns in (4, 5):
        proto = model(nodes, {"x": ("n", columns)}, {"four": np.int64(4)}, opset=15)
        assert_same_for_batches(proto, (columns,))


def test_if_on_data_is_refused() -> None:
    branch = helper.make_graph(
        [node("Identity", "x", "z")], "b", [], [helper.make_tensor_value_info("z", 1, None)]
    )
    nodes = [
        node("ReduceSum", "x", "total", keepdims=0),
        node("Greater", "total zero", "positive"),
        node("If", "positive", "y", "choice", then_branch=branch, else_branch=branch),
    ]
    with pytest.raises(UnsupportedModel, match="its condition"):
        import_model(model(nodes, {"x": ("n", 3)}, {"zero": np.float32(0)}))


QUANTISED = {
    "d": np.array([[3], [-4]], np.int8),
    "s": np.array([2, 3], np.float32),
    "z": np.array([1, -1], np.int8),
}
FOLDED = [
    ("ScatterND", "d i u", {"d": some(4, 3), "i": [[1], [3]], "u": some(2, 3, seed=1)}, 18, {}),
    ("GatherElements", "d i", {"d": some(3, 3), "i": [[2, -1, 0]]}, 13, {"axis": 0}),
    ("GatherND", "d i", {"d": some(3, 4), "i": [[2, 1], [0, 3], [1, 0]]}, 13, {}),
    ("Div", "d i", {"d": [[-7, 7, 9]], "i": [2]}, 13, {}),
    ("Mod", "d i", {"d": [[-7, 7, 9]], "i": [4]}, 13, {}),
    ("OneHot", "d i u", {"d": [2, -1, 0], "i": 3, "u": [5, 6]}, 11, {}),
    ("CumSum", "d i", {"d": some(3, 3), "i": 1}, 14, {"exclusive": 1}),
    ("Trilu", "d i", {"d": some(3, 3), "i": 1}, 14, {"upper": 0}),
    ("Slice", "d", {"d": some(6, 3)}, 9, {"starts": [1], "ends": [-1], "axes": [0]}),
    ("Pad", "d", {"d": some(2, 3)}, 10, {"pads": [1, 0, 0, 2], "value": 2.0}),
    ("ReduceSum", "d", {"d": some(3, 3)}, 11, {"axes": [1]}),
    ("ReduceMean", "d i", {"d": some(3, 3), "i": [-1]}, 18, {"keepdims": 0}),
    ("DequantizeLinear", "d s z", QUANTISED, 13, {"axis": 0}),
    ("ConstantOfShape", "d", {"d": [2, 3]}, 9, {}),
    ("ArgMax", "d", {"d": some(3, 4)}, 13, {"axis": 1}),
    ("NonZero", "d", {"d": [[1, 0, 2]]}, 13, {}),
    ("Tile", "d i", {"d": some(2, 3), "i": [2, 1]}, 13, {}),
    ("MatMul", "d i", {"d": some(2, 3), "i": some(3, 2)}, 13, {}),
    ("Pow", "d i", {"d": [[2, 3]], "i": [2.0]}, 13, {}),
    ("Clip", "d", {"d": some(2, 3)}, 8, {"max": 0.25}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "operands", "weights", "opset", "options"),
    FOLDED,
    ids=[f"{c[0]}-{c[3]}" for c in FOLDED],
)
def test_constants_fold_to_what_onnxruntime_computes(
    kind: str, operands: str, weights: dict[str, Any], opset: int, options: dict[str, Any]
) -> None:
    nodes = [
        node(kind, operands, "folded", **options),
        node("Cast", "folded", "number", to=TensorProto.FLOAT),
        node("Mul", "x number", "y"),
    ]
    arrays = {n: np.asarray(w) for n, w in weights.items()}
    proto = model(nodes, {"x": (1,)}, arrays, opset=opset)
    graph = import_model(proto)
    assert {type(n.op) for n in graph} == {ops.Input, ops.Constant, ops.Mul, ops.Output}
    assert_same(proto, {"x": np.array([1.5], np.float32)}, graph)


def test_ops_that_fold_are_ops_with_a_rule_or_constants_only() -> None:
    constants_only = {"Constant", "GatherElements", "IsInf", "ScatterElements"}
    assert set(FOLDS) - set(RULES) == constants_only | {"ScatterND"}
