"""Small ONNX models for tests, and the comparison with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from spikec.frontends.onnx_graph import import_model
from spikec.ir import Graph
from spikec.ir.verify import verify
from spikec.runtime import run

Array = NDArray[Any]
Shape = Sequence[int | str | None]
BOUND = 1e-4
"""On max |spikec - onnxruntime| / max |onnxruntime|."""


def node(kind: str, inputs: str, outputs: str, name: str = "", **attributes: Any) -> NodeProto:
    """One node; operands and results are words of a text, `_` stands for an absent one."""
    operands = ["" if word == "_" else word for word in inputs.split()]
    return helper.make_node(kind, operands, outputs.split(), name=name, **attributes)


def model(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Shape],
    weights: Mapping[str, Any] | None = None,
    outputs: str = "y",
    opset: int = 18,
    kinds: Mapping[str, int] | None = None,
    **more: Any,
) -> ModelProto:
    """A model; ``kinds`` are element types of inputs and outputs that are no float32."""
    given = {name: np.asarray(array) for name, array in (weights or {}).items()}
    kind = dict(kinds or {})
    graph = helper.make_graph(
        list(nodes),
        "test",
        [
            helper.make_tensor_value_info(n, kind.get(n, TensorProto.FLOAT), list(s))
            for n, s in inputs.items()
        ],
        [
            helper.make_tensor_value_info(n, kind.get(n, TensorProto.FLOAT), None)
            for n in outputs.split()
        ],
        [numpy_helper.from_array(array, name) for name, array in given.items()],
    )
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", ())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, **more)


def numbers(*shape: int, seed: int = 0) -> Array:
    """Normally distributed float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def with_onnxruntime(proto: ModelProto, feed: Mapping[str, Array]) -> list[Array]:
    """Run a model by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(feed)))


def assert_same(proto: ModelProto, feed: Mapping[str, Array], graph: Graph | None = None) -> None:
    """Import, run, and compare with onnxruntime: numbers, shapes, kinds."""
    graph = graph or import_model(proto)
    verify(graph)
    mine = run(graph, tuple(feed.values()))
    outputs = mine if isinstance(mine, tuple) else (mine,)
    theirs = with_onnxruntime(proto, feed)
    assert len(outputs) == len(theirs)
    for got, expected in zip(outputs, theirs, strict=True):
        assert got.shape == expected.shape
        assert got.dtype.kind == expected.dtype.kind
        if expected.size:
            scale = max(float(np.abs(expected.astype(np.float64)).max()), 1e-12)
            error = np.abs(got.astype(np.float64) - expected.astype(np.float64)).max()
            assert error <= BOUND * scale


def assert_same_for_batches(proto: ModelProto, shape: Sequence[int]) -> Graph:
    """Compare a model of one input, with a symbolic batch, at batch 2 and 3."""
    graph = import_model(proto)
    for batch in (2, 3):
        assert_same(proto, {"x": numbers(batch, *shape, seed=batch)}, graph)
    return graph
