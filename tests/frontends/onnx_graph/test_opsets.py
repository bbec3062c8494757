"""Each opset's own meaning of an op, compared with onnxruntime at batch 2 and 3."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from spikec.errors import UnsupportedModel
from spikec.frontends.onnx_graph import import_model
from spikec.runtime import run
from tests.frontends.onnx_graph.models import (
    Shape,
    assert_same,
    assert_same_for_batches,
    model,
    node,
    numbers,
)

IMAGE = (4, 6, 5)
ROW = (6,)


def case(
    kind: str, opset: int, shape: tuple[int, ...], *weights: object, outputs: str = "y", **more: Any
) -> Any:
    """One node on input x and weights w0, w1, …; None stands for an absent operand."""
    names = ["_" if w is None else f"w{i}" for i, w in enumerate(weights)]
    label = f"{kind}-{opset}-{'-'.join(f'{k}={v}' for k, v in more.items())}"
    return pytest.param(kind, opset, shape, weights, names, outputs, more, id=label)


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def floats(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values, np.float32)


AXES: tuple[dict[str, Any], ...] = ({}, {"axis": 1}, {"axis": 2})
FLATTENING = [
    case(kind, opset, IMAGE, **axis)
    for kind in ("Softmax", "LogSoftmax", "Hardmax")
    for opset in (8, 11, 12, 13, 18)
    for axis in AXES
]
ATTRIBUTES_OR_OPERANDS = [
    case("Clip", 8, IMAGE, min=-0.5, max=0.5),
    case("Clip", 8, IMAGE),
    case("Clip", 11, IMAGE, np.float32(-0.5), np.float32(0.5)),
    case("Clip", 13, IMAGE, None, np.float32(0.5)),
    case("Dropout", 8, IMAGE, ratio=0.3),
    case("Dropout", 12, IMAGE, np.float32(0.3)),
    case("Dropout", 13, IMAGE, np.float32(0.3), np.array(False)),
    case("Slice", 9, IMAGE, starts=[1, 0], ends=[3, -1], axes=[1, 3]),
    case("Slice", 10, IMAGE, ints(-1, 0), ints(-9, 1 << 40), ints(2, 3), ints(-2, 2)),
    case("Slice", 13, IMAGE, ints(1), ints(9), ints(-2)),
    case("Pad", 10, IMAGE, pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="reflect"),
    case("Pad", 10, IMAGE, pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.5),
    case("Pad", 11, IMAGE, ints(0, 0, 1, 2, 0, 0, 0, 1), np.float32(2)),
    case("Pad", 13, IMAGE, ints(0, 0, 1, 2, 0, 0, 0, 1), mode="edge"),
    case("Pad", 18, IMAGE, ints(1, 2, 0, 1), np.float32(3), ints(-1, 2)),
    case("Pad", 19, IMAGE, ints(0, 0, 1, 2, 0, 0, 0, 1), mode="wrap"),
    case("Pad", 18, IMAGE, ints(0, 0, -1, 2, 0, 0, 0, -1)),
    case("Squeeze", 11, (1, 4), axes=[1]),
    case("Squeeze", 13, (1, 4), ints(1)),
    case("Unsqueeze", 11, (4,), axes=[1, 3]),
    case("Unsqueeze", 13, (4,), ints(-1, 1)),
    case("Split", 11, IMAGE, outputs="y z", axis=1, split=[1, 3]),
    case("Split", 13, IMAGE, ints(1, 3), outputs="y z", axis=1),
    case("Split", 18, (5,), outputs="y z", axis=1, num_outputs=2),
    case("ReduceSum", 11, IMAGE, axes=[1, -1]),
    case("ReduceSum", 13, IMAGE, ints(1, -1), keepdims=0),
    case("ReduceMean", 11, IMAGE, axes=[2, 3], keepdims=0),
    case("ReduceMean", 18, IMAGE, ints(2, 3)),
    case("ReduceL2", 13, IMAGE, axes=[1]),
    case("ReduceLogSumExp", 18, IMAGE, ints(1), keepdims=0),
    case("ReduceSum", 13, IMAGE, noop_with_empty_axes=1),
    case("TopK", 9, ROW, outputs="y z", k=2),
    case("TopK", 11, ROW, ints(2), outputs="y z", largest=0),
    case("BatchNormalization", 8, IMAGE, *(np.abs(numbers(4, seed=i)) for i in range(4))),
    case("BatchNormalization", 15, IMAGE, *(np.abs(numbers(4, seed=i)) for i in range(4))),
    case("ArgMax", 11, ROW, axis=1, keepdims=0),
    case("ArgMin", 13, ROW, axis=-1, select_last_index=1),
    case("CumSum", 14, ROW, np.int64(1), exclusive=1, reverse=1),
    case("Reshape", 13, IMAGE, ints(0, -1, 5)),
    case("Flatten", 13, IMAGE, axis=2),
    case("Flatten", 11, IMAGE, axis=-1),
    case("Expand", 13, (1, 4), ints(1, 3, 1)),
    case("Tile", 13, ROW, ints(1, 3)),
]
RESAMPLING = [
    case("Upsample", 8, IMAGE, mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]),
    case("Upsample", 9, IMAGE, floats(1, 1, 2, 2), mode="linear"),
    case("Resize", 10, IMAGE, floats(1, 1, 1.5, 2), mode="nearest"),
    case("Resize", 10, IMAGE, floats(1, 1, 2, 2), mode="linear"),
    case("Resize", 11, IMAGE, floats(), floats(1, 1, 2, 2), mode="linear"),
    case(
        *("Resize", 11, IMAGE, floats(), floats(1, 1, 2, 2)),
        coordinate_transformation_mode="tf_half_pixel_for_nn",
        nearest_mode="floor",
    ),
    case(
        *("Resize", 13, IMAGE, None, floats(1, 1, 0.6, 0.6)),
        mode="linear",
        coordinate_transformation_mode="align_corners",
    ),
    case("Resize", 13, IMAGE, None, floats(1, 1, 1.7, 1.3), mode="cubic"),
    case("Resize", 18, IMAGE, None, floats(0.5, 0.5), axes=[2, 3], mode="linear", antialias=1),
    case("Resize", 18, IMAGE, None, floats(0.5, 0.6), axes=[2, 3], mode="cubic", antialias=1),
    case("DepthToSpace", 11, (8, 2, 3), blocksize=2, mode="DCR"),
    case("DepthToSpace", 13, (8, 2, 3), blocksize=2, mode="CRD"),
    case("SpaceToDepth", 13, (2, 4, 6), blocksize=2),
]
POOLING = [
    case(
        *(kind, 19 if kind == "AveragePool" else 12, IMAGE),
        kernel_shape=[3, 2],
        strides=[2, 2],
        ceil_mode=ceil,
        **options,
    )
    for kind in ("MaxPool", "AveragePool")
    for ceil in (0, 1)
    for options in ({"pads": [1, 0, 1, 1]}, {"dilations": [1, 2]}, {"auto_pad": "SAME_LOWER"})
    if "auto_pad" not in options or not ceil
]
POOLING += [
    case("AveragePool", 19, IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    case("LpPool", 18, IMAGE, kernel_shape=[2, 2], p=3),
    case("GlobalLpPool", 11, IMAGE, p=2),
    case("GlobalMaxPool", 11, IMAGE),
]
WEIGHTED = [
    case("Conv", 11, IMAGE, numbers(6, 2, 3, 3), numbers(6), group=2, auto_pad="SAME_UPPER"),
    case(
        "Conv", 11, IMAGE, numbers(3, 4, 3, 2), strides=[2, 1], dilations=[1, 2], pads=[2, 1, 0, 1]
    ),
    case("Conv", 11, (4, 9), numbers(3, 4, 3), pads=[1, 1]),
    case("ConvTranspose", 11, IMAGE, numbers(4, 2, 3, 3), strides=[2, 2], output_padding=[1, 0]),
    case("ConvTranspose", 11, IMAGE, numbers(4, 2, 3, 3), numbers(4), strides=[2, 2], group=2),
    case("ConvTranspose", 11, IMAGE, numbers(4, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    case("ConvTranspose", 11, IMAGE, numbers(4, 2, 3, 3), strides=[2, 2], output_shape=[13, 12]),
    case("Gemm", 11, ROW, numbers(4, 6), numbers(1, 4), alpha=0.5, beta=2.0, transB=1),
    case("Gemm", 13, ROW, numbers(6, 4), np.float32(2)),
    case("MatMul", 13, (3, 6), numbers(6, 4)),
    case("MatMul", 13, (3, 6), numbers(6)),
    case("PRelu", 16, IMAGE, numbers(4, 1, 1)),
    case("GroupNormalization", 21, IMAGE, numbers(4), numbers(4, seed=1), num_groups=2),
    case("InstanceNormalization", 8, IMAGE, numbers(4), numbers(4, seed=1)),
    case("LayerNormalization", 17, IMAGE, numbers(6, 5), numbers(6, 5, seed=1), axis=2),
    case("LRN", 13, (7, 3, 2), size=5, alpha=0.5, beta=0.6, bias=1.5),
    case("LpNormalization", 11, IMAGE, axis=1, p=1),
    case("MeanVarianceNormalization", 13, IMAGE),
    case("Mod", 13, ROW, np.float32(0.4), fmod=1),
    case("Einsum", 13, ROW, numbers(6, 4), equation="ij, jk"),
    case("Trilu", 14, (4, 5), np.int64(1), upper=0),
    case("QuantizeLinear", 13, ROW, np.float32(0.1), np.int8(3)),
    case("Swish", 24, ROW, alpha=1.5),
]

RESULT_TYPES = {
    "ArgMax": {"y": TensorProto.INT64},
    "ArgMin": {"y": TensorProto.INT64},
    "QuantizeLinear": {"y": TensorProto.INT8},
    "TopK": {"z": TensorProto.INT64},
}


@pytest.mark.parametrize(
    ("kind", "opset", "shape", "weights", "names", "outputs", "attributes"),
    [*FLATTENING, *ATTRIBUTES_OR_OPERANDS, *RESAMPLING, *POOLING, *WEIGHTED],
)
def test_op_means_what_its_opset_says(
    kind: str,
    opset: int,
    shape: tuple[int, ...],
    weights: tuple[object, ...],
    names: list[str],
    outputs: str,
    attributes: dict[str, Any],
) -> None:
    given = {n: np.asarray(w) for n, w in zip(names, weights, strict=True) if n != "_"}
    op = node(kind, " ".join(["x", *names]), outputs, **attributes)
    inputs: dict[str, Shape] = {"x": ("n", *shape)}
    kinds = RESULT_TYPES.get(kind, {})
    assert_same_for_batches(model([op], inputs, given, outputs, opset, kinds), shape)


def test_group_normalization_18_scales_groups() -> None:
    # onnxruntime has no kernel for this opset: the definition of opset 21 with repeated scales
    scale, bias = numbers(2), numbers(2, seed=1)
    groups: dict[str, Any] = {"num_groups": 2, "epsilon": 1e-3}
    old = model([node("GroupNormalization", "x s b", "y", **groups)], {"x": ("n", 4, 3)},
                {"s": scale, "b": bias}, opset=18)  # fmt: skip
    new = model([node("GroupNormalization", "x s b", "y", **groups)], {"x": ("n", 4, 3)},
                {"s": np.repeat(scale, 2), "b": np.repeat(bias, 2)}, opset=21)  # fmt: skip
    data = numbers(2, 4, 3, seed=2)
    assert np.array_equal(run(import_model(old), data), run(import_model(new), data))


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("opset", "mode"),
    [
        *((16, mode) for mode in ("bilinear", "nearest", "bicubic")),
        *((20, mode) for mode in ("linear", "nearest", "cubic")),
    ],
)
def test_modes_of_grid_sample_are_called_as_in_their_opset(
    opset: int, mode: str, padding: str
) -> None:
    nodes = [node("GridSample", "x grid", "y", mode=mode, padding_mode=padding)]
    proto = model(nodes, {"x": ("n", 2, 5, 4), "grid": ("n", 3, 7, 2)}, opset=opset)
    assert_same(proto, {"x": numbers(3, 2, 5, 4), "grid": numbers(3, 3, 7, 2, seed=1)})


def test_a_mode_of_another_opset_is_refused() -> None:
    nodes = [node("GridSample", "x grid", "y", mode="bicubic")]
    proto = model(nodes, {"x": ("n", 2, 5, 4), "grid": ("n", 3, 7, 2)}, opset=20)
    with pytest.raises(UnsupportedModel, match="mode 'bicubic' is unknown"):
        import_model(proto)
