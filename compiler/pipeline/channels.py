"""Which axis of a value holds the channels that thresholds and biases go by."""

from __future__ import annotations

from spikec.ir import Op, Value, ops
from spikec.ir.ops import CumulativeSum, Difference, Repeat, TimeScale


def channel_axis(value: Value) -> int:
    """Give the axis (negative) that the weights in front write their channels to.

    Where no linear map stands directly in front, it is the axis behind the batch.
    """
    node = value.producer
    while node.inputs and isinstance(node.op, _SAME_AXES):
        node = node.inputs[0].producer
    leading = 1 if value.type.time_axis is None else 2
    return _axis(node.op, min(leading - value.type.rank, -1))


def _axis(op: Op, otherwise: int) -> int:
    match op:
        case ops.Linear():
            return -1
        case ops.Conv() | ops.ConvTranspose():
            return -len(op.kernel) - 1
        case ops.Scale() | ops.BatchNorm():
            return op.axis
    return otherwise


_SUMS = (ops.Add, ops.Sub, ops.Neg, ops.Mul)
_POOLS = (ops.MaxPool, ops.AvgPool, ops.AdaptiveMaxPool, ops.AdaptiveAvgPool)
_OVER_TIME = (Repeat, CumulativeSum, TimeScale, Difference)
_SAME_AXES = (*_SUMS, *_POOLS, *_OVER_TIME, ops.Sigmoid)
