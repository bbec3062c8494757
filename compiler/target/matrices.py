"""Linear ops as edges between the elements of one sample in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spikec.ir import Array, Node, Op, ops
from spikec.ir.ops.window import padded, taps, trailing
from spikec.target.axes import regions
from spikec.target.edges import Edges, Indices, Numbers
from spikec.target.reach import Shape, moved, shape_of

Rule = Callable[[Any, Shape, Shape], Edges]
"""``(op, shape of the operand, shape of the result)``"""


def matrix_of(node: Node) -> Edges | None:
    """Give the edges of an op that adds up elements; None for all others."""
    rule = next((r for kind, r in _RULES.items() if isinstance(node.op, kind)), None)
    if rule is None:
        return None
    return rule(node.op, shape_of(node.inputs[0].type), shape_of(node.outputs[0].type))


def move_of(node: Node, position: int) -> Edges:
    """Give where the elements of operand ``position`` go, for an op that only moves elements."""
    shape = shape_of(node.inputs[position].type)
    count = int(np.prod(shape, dtype=np.int64))
    numbers = np.arange(1, count + 1).reshape(shape)
    return Edges.moved(moved(node, position, numbers) - 1, count)


def spread_of(node: Node, position: int) -> Edges:
    """Give where elements go by broadcasting, for an op that works element by element."""
    numbers = _numbered(shape_of(node.inputs[position].type))
    wide = np.broadcast_to(numbers, shape_of(node.outputs[0].type))
    return Edges.moved(wide, numbers.size)


def _numbered(shape: Shape) -> Indices:
    return np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)


def _linear(op: ops.Linear, shape: Shape, out: Shape) -> Edges:
    rows, columns = np.nonzero(op.weight.data)
    weight = op.weight.data[rows, columns].astype(np.float64)
    outputs, features = op.weight.shape
    lead = int(np.prod(shape[:-1], dtype=np.int64))
    block = np.arange(lead)[:, None]
    return Edges(
        (block * outputs + rows).ravel(),
        (block * features + columns).ravel(),
        np.tile(weight, lead),
        lead * outputs,
        lead * features,
    )


def _conv(op: ops.Conv, shape: Shape, out: Shape) -> Edges:
    rank = len(op.kernel)
    return _windows(op, shape, (shape[-rank:], out[-rank:]), op.channels)


def _transposed(op: ops.ConvTranspose, shape: Shape, out: Shape) -> Edges:
    """Turn round the convolution whose adjoint it is."""
    rank = len(op.kernel)
    adjoint = _windows(op, out, (out[-rank:], shape[-rank:]), (op.channels[1], op.channels[0]))
    return Edges(adjoint.source, adjoint.target, adjoint.weight, adjoint.sources, adjoint.targets)


def _windows(
    op: ops.Conv | ops.ConvTranspose, shape: Shape, sizes: tuple[Shape, Shape], channels: Shape
) -> Edges:
    """Relate windows of ``sizes[1]`` to elements of ``sizes[0]``; weight [out, in/groups, k]."""
    size, windows = sizes
    rank, (inputs, outputs) = len(size), channels
    lead = int(np.prod(shape[: -rank - 1], dtype=np.int64))
    numbers = np.arange(1, lead * inputs * int(np.prod(size)) + 1).reshape(lead, inputs, *size)
    rows = zip(size, op.kernel, op.stride, op.padding, op.dilation, windows, strict=True)
    far = tuple(max(0, (o - 1) * s + d * (k - 1) + 1 - i - lo) for i, k, s, (lo, _), d, o in rows)
    before = tuple((lo, 0) for lo, _ in op.padding)
    wide = padded(numbers, before, 0, extra=far)
    group = np.arange(outputs) // (outputs // op.groups) * (inputs // op.groups)
    places = np.arange(lead)[:, None] * outputs
    cells = int(np.prod(windows))
    parts = []
    for position, view in taps(wide, op.kernel, op.stride, op.dilation, windows):
        tap = op.weight.data[trailing(*position)]
        of, into = np.nonzero(tap)
        origin = view.reshape(lead, inputs, cells)[:, group[of] + into]
        target = ((places + of)[:, :, None] * cells + np.arange(cells)).ravel()
        weight = np.broadcast_to(tap[of, into].astype(np.float64)[:, None], origin.shape).ravel()
        held = origin.ravel() > 0
        parts.append((target[held], origin.ravel()[held] - 1, weight[held]))
    target, source, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Edges(target, source, weights, lead * outputs * cells, numbers.size)


def _sum_pool(op: ops.SumPool | ops.AvgPool, shape: Shape, out: Shape) -> Edges:
    numbers = _numbered(shape) + 1
    index = np.arange(int(np.prod(out)))
    views = [view.ravel() for view in op.views(numbers, 0)]
    source = np.concatenate(views) - 1
    target = np.tile(index, len(views))
    held = source >= 0
    count = int(held.sum())
    return Edges(target[held], source[held], np.ones(count), len(index), numbers.size)


def _average(op: ops.AvgPool, shape: Shape, out: Shape) -> Edges:
    counts = np.ones(1)
    for along in op.tap_counts(shape[-len(op.kernel) :]):
        counts = np.multiply.outer(counts, along)
    each = np.broadcast_to(1 / counts[0], out).ravel()
    return _sum_pool(op, shape, out).scaled(each)


def _adaptive(op: ops.AdaptiveAvgPool, shape: Shape, out: Shape) -> Edges:
    rank = len(op.output)
    flags: Numbers = np.ones((1, 1))
    for size, count in zip(shape[-rank:], out[-rank:], strict=True):
        flags = np.asarray(np.kron(flags, regions(size, count).flags), np.float64)
    weight = flags / flags.sum(axis=1, keepdims=True)
    wide = ops.Linear(Array(weight))
    cells = (int(np.prod(shape[-rank:])), int(np.prod(out[-rank:])))
    return _linear(wide, (*shape[:-rank], cells[0]), (*out[:-rank], cells[1]))


def _reduce(op: ops.ReduceSum | ops.ReduceMean, shape: Shape, out: Shape) -> Edges:
    axes = tuple(axis % len(shape) for axis in op.axes)
    kept = tuple(1 if i in axes else size for i, size in enumerate(shape))
    target = np.broadcast_to(_numbered(kept), shape).ravel()
    count = int(np.prod(kept, dtype=np.int64))
    weight = np.full(target.size, count / target.size if isinstance(op, ops.ReduceMean) else 1.0)
    return Edges(target, np.arange(target.size), weight, count, target.size)


_RULES: Mapping[type[Op], Rule] = {
    ops.Linear: _linear,
    ops.Conv: _conv,
    ops.ConvTranspose: _transposed,
    ops.SumPool: _sum_pool,
    ops.AvgPool: _average,
    ops.AdaptiveAvgPool: _adaptive,
    ops.ReduceSum: _reduce,
    ops.ReduceMean: _reduce,
}
