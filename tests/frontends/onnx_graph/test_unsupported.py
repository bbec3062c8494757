"""What cannot be imported is listed at once: name, op, reason, remedy."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from spikec.errors import UnsupportedModel
from spikec.frontends.onnx_graph import import_model
from spikec.frontends.onnx_graph.rules import BODIES, RULES, UNSUPPORTED
from tests.frontends.onnx_graph.models import model, node, numbers


def problems_of(*args: object, **options: object) -> dict[str, tuple[str, str]]:
    with pytest.raises(UnsupportedModel) as caught:
        import_model(model(*args, **options))  # type: ignore[arg-type]
    return {p.where: (p.what, p.remedy) for p in caught.value.problems}


def test_all_unsupported_nodes_stand_in_one_error() -> None:
    nodes = [
        node("Det", "x", "d", "determinant"),
        node("LSTM", "x w r", "h", "memory", hidden_size=2),
        node("Relu", "h", "a", "behind"),
        node("NonZero", "x", "z"),
        node("Conv", "x x", "c", "dynamic"),
        node("Frobnicate", "x", "f", "mine", domain="com.acme"),
        node("Identity", "x", "y"),
    ]
    weights = {"w": numbers(1, 8, 3), "r": numbers(1, 8, 2)}
    problems = problems_of(
        nodes, {"x": ("n", 3, 3)}, weights, opsets=[helper.make_opsetid("com.acme", 1)]
    )
    assert list(problems) == [
        "ONNX node determinant",
        "ONNX node memory",
        "ONNX node (unnamed, makes z)",
        "ONNX node dynamic",
        "ONNX node mine",
    ]
    assert all(remedy for _, remedy in problems.values())
    assert problems["ONNX node memory"][0] == "LSTM: recurrent layers are not supported"
    assert "weight" in problems["ONNX node dynamic"][0]
    assert "'com.acme'" in problems["ONNX node mine"][0]


def test_nodes_behind_an_unsupported_one_are_not_blamed() -> None:
    nodes = [node("Det", "x", "d", "first"), node("Relu", "d", "y", "second")]
    assert list(problems_of(nodes, {"x": ("n", 3, 3)})) == ["ONNX node first"]


def test_training_mode_is_refused() -> None:
    weights = {f"p{i}": np.abs(numbers(3)) for i in range(4)}
    nodes = [
        node("BatchNormalization", "x p0 p1 p2 p3", "h m v", "norm", training_mode=1),
        node("Dropout", "x ratio mode", "y", "drop"),
    ]
    weights |= {"ratio": np.array(0.5, np.float32), "mode": np.array(True)}
    problems = problems_of(nodes, {"x": ("n", 3, 4)}, weights)
    assert all("training mode" in what for what, _ in problems.values())
    assert len(problems) == 2


def test_results_that_nobody_computes_are_refused() -> None:
    pool = node("MaxPool", "x", "y indices", "pool", kernel_shape=[2, 2])
    problems = problems_of([pool], {"x": ("n", 3, 4, 4)}, outputs="y", opset=12)
    assert "indices" in problems["ONNX node pool"][0]


def test_a_size_as_a_result_is_refused() -> None:
    problems = problems_of([node("Shape", "x", "y")], {"x": ("n", 3)}, kinds={"y": 7})
    assert "depends on the batch size" in problems["output 'y'"][0]


def test_sizes_as_numbers_are_refused() -> None:
    nodes = [
        node("Size", "x", "count"),
        node("Cast", "count", "number", "convert", to=1),
        node("Div", "x number", "y"),
    ]
    assert list(problems_of(nodes, {"x": ("n", 3)})) == ["ONNX node convert"]


def test_reasons_are_given_for_ops_without_a_rule_only() -> None:
    assert not set(UNSUPPORTED) & set(RULES)
    assert not set(BODIES) & (set(RULES) | set(UNSUPPORTED))
