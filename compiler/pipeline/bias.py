"""Adds a constant per channel to a current, inside the bias that is there already if possible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Editor, Node, Op, Value, ops
from spikec.ir.ops import CumulativeSum, Difference, Repeat

Vector = NDArray[np.float64]


def add_to_bias(edit: Editor, current: Value, shift: Vector, axis: int) -> None:
    """Let ``current`` be larger by shift[c] at every step, c the index on ``axis``.

    Walks back through sums, max-pools and repetition to a linear map that only this current reads;
    where there is none, a Scale of 1 is put behind the current.
    """
    value, readers = current, 1
    while True:
        node = value.producer
        readers = max(readers, len(value.users))
        if readers > 1:
            break
        op = _with_bias(node.op, shift, axis)
        if op is not None:
            edit.change_op(node, op)
            return
        if not isinstance(node.op, _TRANSPARENT) or not _passes_on(node, axis):
            break
        value = node.inputs[0]
    _behind(edit, current, shift, axis)


def _passes_on(node: Node, axis: int) -> bool:
    """Tell whether the first operand has all channels of the result, and stands in it once."""
    x, *others = node.inputs
    wide = x.type.rank >= -axis and x.type.dims[axis] == node.outputs[0].type.dims[axis]
    return wide and x not in others


_MAXIMA = (CumulativeSum, ops.MaxPool, ops.AdaptiveMaxPool, Difference)
_TRANSPARENT = (ops.Add, Repeat, *_MAXIMA)


def _with_bias(op: Op, shift: Vector, axis: int) -> Op | None:
    match op:
        case ops.Linear() if axis == -1:
            return replace(op, bias=_sum(op.bias, shift))
        case ops.Conv() | ops.ConvTranspose() if axis == -len(op.kernel) - 1:
            return replace(op, bias=_sum(op.bias, shift))
        case ops.Scale() if axis == op.axis:
            return replace(op, shift=_sum(op.shift, shift))
    return None


def _sum(bias: Array | None, shift: Vector) -> Array:
    return Array(shift if bias is None else bias.data + shift, "float32")


def _behind(edit: Editor, current: Value, shift: Vector, axis: int) -> None:
    ones = Array(np.ones(len(shift)), "float32")
    readers = tuple(current.users)
    node = edit.add(
        ops.Scale(ones, Array(shift, "float32"), axis),
        current,
        name=f"{current.producer.name}_bias",
        sources=(current.producer,),
        before=next(node for node in edit.graph if node in current.users),
    )
    for reader in readers:
        edit.rewire(reader, [node if v is current else v for v in reader.inputs])
