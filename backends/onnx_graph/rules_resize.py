"""Resampling as constant matrices, one per axis: runtimes round coordinates differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from spikec.backends.onnx_graph.rule import Call, Refused, Rule
from spikec.backends.onnx_graph.rules_pool import weighed
from spikec.ir import Sizes, ops
from spikec.ir.ops import Coordinates, Interpolation


def resize(op: ops.Resize, call: Call) -> str:
    """Gather the nearest pixels, or multiply each axis by its interpolation matrix."""
    if op.coordinates is Coordinates.CROP:
        raise Refused("a Resize that crops", "crop the input before the network")
    y, rank = call.x, len(op.sizes)
    for position, (out, scale) in enumerate(zip(op.sizes, op.scales, strict=True)):
        axis = position - rank
        size = call.inputs[0].dims[axis]
        assert isinstance(size, int)
        alone = replace(op, sizes=(out,), scales=(scale,))
        (matrix,) = alone.run((np.eye(size),), Sizes())
        if op.mode is Interpolation.NEAREST:
            pixels = call.scope.constant(matrix.argmax(axis=0).astype(np.int64), "pixels")
            y = call.scope("Gather", y, pixels, axis=axis)
        else:
            y = weighed(call, y, axis, matrix)
    return y


RULES: Mapping[type[ops.Op], Rule] = {ops.Resize: resize}
