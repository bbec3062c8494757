"""Finds the matrix of any linear path: unit vectors go in, columns come out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.backends.lava_net.paths import Path
from spikec.ir import Node, Op, Sizes, Value, ops
from spikec.ir.layout import elements, folded, unfolded, unit_shape

Numbers = NDArray[Any]
ROOM = 2**22
"""numbers that one batch of unit vectors may turn into"""


def entries(path: Path, amplitude: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Give rows, columns and values of the matrix, by rows and then columns."""
    count = elements(path.source.type)
    widest = max(elements(v.type) for node, _ in path.steps for v in node.outputs)
    chunk = max(1, ROOM // max(count, widest))
    found: list[tuple[Numbers, Numbers, Numbers]] = []
    size = np.broadcast_to(amplitude, unit_shape(path.source.type)).reshape(-1)
    for start in range(0, count, chunk):
        place = np.arange(start, min(start + chunk, count))
        units = np.zeros((len(place), count))
        units[np.arange(len(place)), place] = size[place]
        columns = response(path, units)
        sent, reached = np.nonzero(columns)
        found.append((reached, place[sent], columns[sent, reached]))
    rows, sources, values = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((sources, rows))
    return rows[order], sources[order], values[order]


def response(path: Path, x: Numbers) -> Numbers:
    """Send rows of numbers along a path, each by itself; biases and other operands are 0."""
    sizes = Sizes(len(x), 1)
    value = unfolded(x, path.source.type, sizes)
    for node, position in path.steps:
        if not isinstance(node.op, ops.Delay):
            (value,) = bare(node.op).run(_operands(node, position, value, sizes), sizes)
    return folded(value, path.end.type, sizes).reshape(len(x), -1)


def _operands(node: Node, position: int, value: Numbers, sizes: Sizes) -> tuple[Numbers, ...]:
    return tuple(
        value if i == position else _other(node.op, operand, sizes)
        for i, operand in enumerate(node.inputs)
    )


def _other(op: Op, operand: Value, sizes: Sizes) -> Numbers:
    """Give a factor as it is, and 0 for everything else."""
    producer = operand.producer.op
    if isinstance(op, ops.Mul | ops.Div) and isinstance(producer, ops.Constant):
        return producer.value.data.astype(np.float64)
    return np.zeros(operand.type.shape(sizes))


def bare(op: Op) -> Op:
    """Give an op without its bias."""
    if isinstance(op, ops.Scale):
        return replace(op, shift=None)
    if isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose):
        return replace(op, bias=None)
    return op


def bias_of(node: Node) -> Numbers:
    """Give what a node puts out where nothing comes in, constants apart: [elements]."""
    sizes = Sizes(1, 1)
    operands = tuple(
        value.producer.op.value.data.astype(np.float64)
        if isinstance(value.producer.op, ops.Constant)
        else np.zeros(value.type.shape(sizes))
        for value in node.inputs
    )
    (result,) = node.op.run(operands, sizes)
    return folded(result, node.outputs[0].type, sizes).reshape(-1)
