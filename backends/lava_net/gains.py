"""Ops that multiply each element by a number and leave it in its place, or only rename axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Node, Op, TensorType, ops
from spikec.ir.layout import unit_shape
from spikec.ir.ops.affine import per_channel

Numbers = NDArray[Any]
Rule = Callable[[Node, int, Numbers], Numbers | None]
"""gives the factors behind a node from those in front of it; None where elements move"""


def _same(node: Node, position: int, gain: Numbers) -> Numbers | None:
    return _fitted(node, gain)


def _neg(node: Node, position: int, gain: Numbers) -> Numbers | None:
    return _fitted(node, -gain)


def _sub(node: Node, position: int, gain: Numbers) -> Numbers | None:
    return _fitted(node, -gain if position else gain)


def _scale(node: Node, position: int, gain: Numbers) -> Numbers | None:
    op = node.op
    assert isinstance(op, ops.Scale)
    return _fitted(node, gain * per_channel(op.scale, op.axis, gain.dtype))


def _times(node: Node, position: int, gain: Numbers) -> Numbers | None:
    factor = _constant(node, 1 - position)
    return None if factor is None else _fitted(node, gain * factor)


def _over(node: Node, position: int, gain: Numbers) -> Numbers | None:
    factor = _constant(node, 1 - position)
    return None if factor is None else _fitted(node, gain / factor)


def _constant(node: Node, position: int) -> Numbers | None:
    op = node.inputs[position].producer.op
    return op.value.data.astype(np.float64) if isinstance(op, ops.Constant) else None


def _fitted(node: Node, gain: Numbers) -> Numbers | None:
    """Give factors in the result's sizes; None where elements were repeated."""
    shape = unit_shape(node.outputs[0].type)
    return gain.reshape(shape) if gain.size == np.prod(shape, dtype=np.int64) else None


def _reshape(node: Node, position: int, gain: Numbers) -> Numbers | None:
    """Elements keep their order where batch and time stand in front on both sides."""
    kept = _leads(node.inputs[0].type) and _leads(node.outputs[0].type)
    return _fitted(node, gain) if kept else None


def _leads(x: TensorType) -> bool:
    """Tell whether the axes of time and batch come before all others."""
    axes = {axis for axis in (x.time_axis, x.batch_axis) if axis is not None}
    return axes == set(range(-x.rank, len(axes) - x.rank))


def _delay(node: Node, position: int, gain: Numbers) -> Numbers | None:
    return gain


GAINS: Mapping[type[Op], Rule] = {
    ops.Add: _same,
    ops.Sub: _sub,
    ops.Neg: _neg,
    ops.Scale: _scale,
    ops.Mul: _times,
    ops.Div: _over,
    ops.Reshape: _reshape,
    ops.Delay: _delay,
}
