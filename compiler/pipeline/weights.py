"""What the weights of linear maps do to channels: views per input, per output, and their reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Node, ops

Vector = NDArray[np.float64]
Axes = tuple[int, ...]
Weighted = ops.Linear | ops.Conv | ops.ConvTranspose

MOVES = (
    *(ops.Reshape, ops.Permute, ops.Slice, ops.Flip, ops.Pad, ops.Concat, ops.Expand, ops.Tile),
    *(ops.Gather, ops.PixelShuffle, ops.PixelUnshuffle, ops.Roll),
)
"""Ops that carry elements elsewhere and compute nothing."""


def per_input(op: Weighted, vector: Vector) -> Vector:
    """Spread one number per input channel over the weight."""
    tail = (1,) * (op.weight.ndim - 2)
    match op:
        case ops.Linear():
            return vector
        case ops.Conv():
            outputs, inputs = op.weight.shape[:2]
            group = np.arange(outputs) // (outputs // op.groups)
            index = group[:, None] * inputs + np.arange(inputs)
            return np.asarray(vector[index].reshape(outputs, inputs, *tail))
        case ops.ConvTranspose():
            return vector.reshape(-1, 1, *tail)


def outputs_of(op: Weighted) -> int:
    """Number of output channels."""
    if isinstance(op, ops.ConvTranspose):
        return op.weight.shape[1] * op.groups
    return op.weight.shape[0]


def inputs_of(op: Weighted) -> int:
    """Number of input channels."""
    match op:
        case ops.Linear():
            return op.weight.shape[1]
        case ops.Conv():
            return op.weight.shape[1] * op.groups
        case ops.ConvTranspose():
            return op.weight.shape[0]


def per_output(op: Weighted, vector: Vector) -> Vector:
    """Spread one number per output channel over the weight."""
    tail = (1,) * (op.weight.ndim - 2)
    if not isinstance(op, ops.ConvTranspose):
        return vector.reshape(-1, 1, *tail)
    # weight [in, out/groups, *k]: rows of one group share that group's numbers
    inputs, outputs = op.weight.shape[:2]
    rows = vector.reshape(op.groups, 1, outputs).repeat(inputs // op.groups, axis=1)
    return rows.reshape(inputs, outputs, *tail)


def largest(weights: Vector, axes: Axes) -> Vector:
    """Give the largest size along axes."""
    return np.asarray(np.abs(weights).max(axis=axes))


def reach_of(
    op: Weighted, scale: Vector, size_of: Callable[[Vector, Axes], Vector] = largest
) -> Vector:
    """The size of weight · scale per output channel, ``size_of`` taking it over the others."""
    weight = op.weight.data * per_input(op, scale)
    if not isinstance(op, ops.ConvTranspose):
        return size_of(weight.reshape(len(weight), -1), (1,))
    inputs, outputs = op.weight.shape[:2]
    blocks = weight.reshape(op.groups, inputs // op.groups, outputs, -1)
    return size_of(blocks, (1, 3)).reshape(-1)


def with_weights(op: Weighted, weight: Vector, unit: Vector) -> Weighted:
    """Give the op with whole weights, and its bias in units of ``unit`` per output channel."""
    bias = None if op.bias is None else Array(np.round(op.bias.data / unit), "float32")
    return replace(op, weight=Array(weight, "float32"), bias=bias)


def factor_of(node: Node) -> Vector:
    """What a node multiplies its (first) operand by; 1 for all that do not multiply."""
    op = node.op
    if isinstance(op, ops.Scale):
        return op.scale.data.astype(np.float64).reshape(-1, *(1,) * (-op.axis - 1))
    if not isinstance(op, ops.Mul | ops.Div):
        return np.ones(1)
    constants = [v.producer.op for v in node.inputs if isinstance(v.producer.op, ops.Constant)]
    number = constants[0].value.data.astype(np.float64)
    return np.asarray(1 / number if isinstance(op, ops.Div) else number)
