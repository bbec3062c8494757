"""Where whole models are found: inside the onnx package, and in the folder of shared data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
DATA = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[4] / "shared"))


def with_random_weights(proto: ModelProto, seed: int = 0) -> ModelProto:
    """Fill the constants of a light model with numbers instead of one and the same.

    A softmax at the end is cut off: behind large numbers it would hide every difference.
    """
    random = np.random.default_rng(seed)
    shapes = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    for node in [n for n in proto.graph.node if n.op_type == "ConstantOfShape"]:
        shape = tuple(int(size) for size in shapes[node.input[0]])
        if len(shape) > 1:
            array = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        else:
            array = random.uniform(0.5, 1.5, shape)
        tensor = onnx.numpy_helper.from_array(array.astype(np.float32), node.output[0])
        proto.graph.initializer.append(tensor)
        proto.graph.node.remove(node)
    last = proto.graph.node[-1]
    if last.op_type == "Softmax":
        proto.graph.output[0].name = last.input[0]
        proto.graph.node.remove(last)
    return proto
