"""Functions: those that a model brings along, and those by which the standard defines ops."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, helper

from spikec.errors import BadFile, UnsupportedModel
from spikec.frontends.onnx_graph import import_model
from tests.frontends.onnx_graph.models import (
    assert_same,
    assert_same_for_batches,
    model,
    node,
    numbers,
)

OPSETS = [helper.make_opsetid("", 18)]
MINE = helper.make_opsetid("mine", 1)


def reference(kind: str, inputs: str, outputs: str, attribute: str, outer: str) -> NodeProto:
    """A node whose attribute is the one that the function is called with."""
    inner = node(kind, inputs, outputs)
    inner.attribute.append(
        AttributeProto(name=attribute, ref_attr_name=outer, type=AttributeProto.FLOAT)
    )
    return inner


def leaky_sum() -> FunctionProto:
    return helper.make_function(
        *("mine", "LeakySum", ["a", "b"], ["c"]),
        [node("Add", "a b", "s"), reference("LeakyRelu", "s", "c", "alpha", "slope")],
        OPSETS,
        attributes=["slope"],
    )


def with_functions(nodes: list[NodeProto], functions: list[FunctionProto]) -> ModelProto:
    return model(nodes, {"x": ("n", 4)}, opset=18, opsets=[MINE], functions=functions)


def test_a_function_of_the_model_is_imported_with_its_attributes() -> None:
    call = node("LeakySum", "x x", "y", "outer", domain="mine", slope=0.25)
    graph = assert_same_for_batches(with_functions([call], [leaky_sum()]), (4,))
    assert "ONNX node outer/" in str(graph.nodes[1].location)


def test_functions_call_functions() -> None:
    twice = helper.make_function(
        *("mine", "Twice", ["a"], ["d"]),
        [
            node("LeakySum", "a a", "c", domain="mine", slope=0.5),
            node("LeakySum", "c a", "d", domain="mine", slope=0.1),
        ],
        [*OPSETS, MINE],
    )
    call = node("Twice", "x", "y", domain="mine")
    assert_same_for_batches(with_functions([call], [leaky_sum(), twice]), (4,))


def test_a_function_that_calls_itself_is_refused() -> None:
    endless = helper.make_function(
        *("mine", "Endless", ["a"], ["b"]),
        [node("Endless", "a", "b", domain="mine")],
        [*OPSETS, MINE],
    )
    call = node("Endless", "x", "y", domain="mine")
    with pytest.raises(BadFile, match="must not be recursive"):
        import_model(with_functions([call], [endless]))


def test_what_a_function_hides_is_named_with_the_node_that_calls_it() -> None:
    hidden = helper.make_function(
        *("mine", "Hidden", ["a"], ["b"]), [node("Det", "a", "b", "inner")], OPSETS
    )
    call = node("Hidden", "x", "y", "outer", domain="mine")
    with pytest.raises(UnsupportedModel) as caught:
        import_model(with_functions([call], [hidden]))
    assert caught.value.problems[0].where == "ONNX node outer/inner"


def test_defaults_of_the_standard_hold_inside_a_definition() -> None:
    proto = model([node("MeanVarianceNormalization", "x", "y")], {"x": ("n", 3, 4, 4)}, opset=13)
    assert_same_for_batches(proto, (3, 4, 4))


@pytest.mark.parametrize("opset", [9, 18])
def test_an_op_that_is_older_than_its_definition(opset: int) -> None:
    proto = model([node("Shrink", "x", "y", lambd=0.7, bias=0.2)], {"x": ("n", 9)}, opset=opset)
    assert_same_for_batches(proto, (9,))


@pytest.mark.parametrize("causal", [0, 1])
def test_attention_with_a_symbolic_batch(causal: int) -> None:
    attention = node("Attention", "q k v", "y", is_causal=causal, q_num_heads=2, kv_num_heads=2)
    shapes = dict.fromkeys("qkv", ("n", 5, 8))
    proto = model([attention], shapes, opset=23)
    proto.ir_version = 10
    graph = import_model(proto)
    for batch in (2, 3):
        feed = {name: numbers(batch, 5, 8, seed=seed) for seed, name in enumerate("qkv")}
        assert_same(proto, feed, graph)


def test_prelu_with_a_slope_from_data_follows_its_definition() -> None:
    proto = model([node("PRelu", "x s", "y")], {"x": ("n", 4), "s": ("n", 4)}, opset=16)
    assert_same(proto, {"x": numbers(2, 4), "s": numbers(2, 4, seed=1)})


def test_clip_with_a_bound_from_data() -> None:
    nodes = [node("ReduceMax", "x", "top", keepdims=0), node("Clip", "x low top", "y")]
    proto = model(nodes, {"x": ("n", 4)}, {"low": np.float32(-1)}, opset=13)
    assert_same_for_batches(proto, (4,))
