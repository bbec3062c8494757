"""Means as sums of whole numbers: the same count of elements everywhere, each an equal share."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm, prod

import numpy as np

from spikec.errors import UnsupportedModel
from spikec.ir import Array, Node, Op, ops

MEANS = (ops.AvgPool, ops.AdaptiveAvgPool, ops.ReduceMean)
Windows = list[list[int]]
"""for each result, the elements along one axis that it is the mean of"""


def as_sum(node: Node) -> tuple[tuple[Op, ...], int]:
    """Give ops, one behind the other, and a number: the mean is their sum over the number.

    Where windows differ in size, each is spread to the least common multiple of all sizes, its
    elements repeated equally often.
    """
    match node.op:
        case ops.ReduceMean() as op:
            dims = [node.inputs[0].type.dims[axis] for axis in op.axes]
            if all(isinstance(d, int) for d in dims):
                count = prod(d for d in dims if isinstance(d, int))
                return (ops.ReduceSum(op.axes, op.keepdims),), count
        case ops.AvgPool() as op if _is_full(op):
            return (ops.SumPool(op.kernel, op.stride, op.padding, op.dilation),), prod(op.kernel)
        case ops.AvgPool() | ops.AdaptiveAvgPool():
            return _spread(node)
    raise _refused(node)


def _is_full(op: ops.AvgPool) -> bool:
    """Tell whether every window has all of its elements, padded zeros included."""
    return not op.ceil_mode and (op.count_padding or not any(map(any, op.padding)))


def _spread(node: Node) -> tuple[tuple[Op, ...], int]:
    op, rank = node.op, len(_sizes(node))
    before: list[Op] = []
    if isinstance(op, ops.AvgPool) and op.count_padding and any(map(any, op.padding)):
        before.append(ops.Pad(op.padding))
    counts = []
    for position, windows in enumerate(_windows(node)):
        if not all(windows):
            raise _refused(node)
        count = lcm(*map(len, windows))
        counts.append(count)
        index = [i for window in windows for i in np.repeat(window, count // len(window))]
        if index != list(range(len(index))) or not _covers(node, position, index):
            before.append(ops.Gather(Array(np.array(index, np.int64)), position - rank))
    kernel = tuple(counts)
    total = ops.SumPool(kernel, kernel, ((0, 0),) * rank, (1,) * rank)
    return (*before, total), prod(kernel)


def _covers(node: Node, position: int, index: Sequence[int]) -> bool:
    """Tell whether an index along an axis is all of it, so that nothing need be gathered."""
    op, size = node.op, _sizes(node)[position]
    if isinstance(op, ops.AvgPool) and op.count_padding:
        size += sum(op.padding[position])
    return len(index) == size


def _windows(node: Node) -> list[Windows]:
    results = node.outputs[0].type.dims[-len(_sizes(node)) :]
    found = []
    for position, (size, out) in enumerate(zip(_sizes(node), results, strict=True)):
        assert isinstance(out, int)  # follows from the operand's size
        match node.op:
            case ops.AvgPool() as op:
                found.append(_of_pool(op, position, size, out))
            case _:
                first = [r * size // out for r in range(out)]
                last = [-(-r * size // out) for r in range(1, out + 1)]
                found.append([[*range(*pair)] for pair in zip(first, last, strict=True)])
    return found


def _of_pool(op: ops.AvgPool, position: int, size: int, out: int) -> Windows:
    """Give the elements that count: with ``count_padding`` of the padded axis, else of x."""
    lo, hi = op.padding[position]
    first = 0 if op.count_padding else -lo
    end = size + lo + hi if op.count_padding else size
    starts = [first + r * op.stride[position] for r in range(out)]
    taps = [k * op.dilation[position] for k in range(op.kernel[position])]
    return [[s + k for k in taps if 0 <= s + k < end] for s in starts]


def _sizes(node: Node) -> list[int]:
    op = node.op
    assert isinstance(op, ops.AvgPool | ops.AdaptiveAvgPool)
    rank = len(op.kernel if isinstance(op, ops.AvgPool) else op.output)
    dims = node.inputs[0].type.dims[-rank:]
    if not all(isinstance(d, int) for d in dims):
        raise _refused(node)
    return [d for d in dims if isinstance(d, int)]


def _refused(node: Node) -> UnsupportedModel:
    return UnsupportedModel(
        f"{type(node.op).__name__} over no elements, or a number of them that is not fixed",
        where=node.place,
        expected="a mean over a known number of elements everywhere",
        remedy="use recipe=graded or recipe=signed",
    )
