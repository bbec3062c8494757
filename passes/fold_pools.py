"""Multiplies sums over windows into the weights behind them, where a target needs that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spikec.ir import Array, Editor, Node, Op, Value, ops
from spikec.pipeline import Context, Exactly, Pass, Promise
from spikec.target import load_target, partition
from spikec.target.matrices import matrix_of
from spikec.target.reach import shape_of

POOLS = (ops.SumPool, ops.ReduceSum)


@dataclass(frozen=True)
class FoldPools(Pass):
    """W (P x)  ->  (W P) x, where the target has no sums in series with weights.

    ::

        %p = SumPool(%x; k=2, stride=2)        ->   %c = Conv(%x; kernel 6, stride 2)
        %c = Conv(%p; kernel 3, padding=1)                 padding=2

    A convolution stays one: its kernel is that of W, each element repeated over a window.  Behind a
    Linear, with or without a Reshape in between, P is a matrix.  What would be wrong at the border
    (windows that leave elements out, where padding lies behind them) stays as it is, and is listed
    by a check.
    """

    target: str

    name: ClassVar[str] = "fold-pools"
    promise: ClassVar[Promise] = Exactly(1e-6)

    def apply(self, edit: Editor, context: Context) -> None:
        target = load_target(self.target)
        kinds = tuple(k for k in POOLS if k not in target.operations.in_series.value)
        for node in partition(edit.graph, target).chip:
            if isinstance(node.op, kinds):
                _fold(edit, node)


def _fold(edit: Editor, pool: Node) -> None:
    """Fold a pool into all weights that read it; it goes where nothing else does."""
    for reader in tuple(pool.outputs[0].users):
        rule = _RULES.get(type(reader.op))
        if rule is not None:
            rule(edit, pool, reader)
    if not pool.outputs[0].users:
        edit.remove(pool)


def _into_conv(edit: Editor, pool: Node, reader: Node) -> None:
    if not isinstance(pool.op, ops.SumPool) or not isinstance(reader.op, ops.Conv):
        return
    op = _composed(pool, reader)
    if op is not None:
        _put(edit, reader, op, pool.inputs[0], pool)


def _into_linear(edit: Editor, pool: Node, reader: Node) -> None:
    """Fold into one Linear; its operand becomes all elements of the pool's, one after another."""
    x, op = pool.inputs[0], reader.op
    lead = tuple(dim for dim in x.type.dims if not isinstance(dim, int))
    if not isinstance(op, ops.Linear) or reader.inputs[0].type.dims[:-1] != lead:
        return
    matrix = matrix_of(pool)
    assert matrix is not None  # of a pool
    weight = np.zeros((matrix.sources, op.weight.shape[0]))
    np.add.at(weight, matrix.source, op.weight.data.T[matrix.target] * matrix.weight[:, None])
    flat = edit.add(
        ops.Reshape((*lead, matrix.sources)),
        x,
        name=f"{pool.name}_flat",
        sources=(pool,),
        before=reader,
    )
    _put(edit, reader, replace(op, weight=Array(weight.T.astype(op.weight.data.dtype))), flat, pool)


def _behind_reshape(edit: Editor, pool: Node, reader: Node) -> None:
    for last in tuple(reader.outputs[0].users):
        if isinstance(last.op, ops.Linear):
            _into_linear(edit, pool, last)
    if not reader.outputs[0].users:
        edit.remove(reader)


def _put(edit: Editor, reader: Node, op: Op, x: Value, pool: Node) -> None:
    name = f"{reader.name}_{pool.name}"
    new = edit.add(op, x, name=name, sources=(pool, reader), before=reader)
    edit.replace(reader.outputs[0], new)
    edit.remove(reader)


_RULES: Mapping[type[Op], Callable[[Editor, Node, Node], None]] = {
    ops.Conv: _into_conv,
    ops.Linear: _into_linear,
    ops.Reshape: _behind_reshape,
}


def _composed(pool: Node, reader: Node) -> ops.Conv | None:
    """Give one convolution that does what both do; None where there is none."""
    first, conv = pool.op, reader.op
    assert isinstance(first, ops.SumPool)
    assert isinstance(conv, ops.Conv)
    if len(first.kernel) != len(conv.kernel):
        return None
    axes = [axis for axis in _axes(pool, reader) if axis is not None]
    if len(axes) < len(conv.kernel):
        return None
    return replace(
        conv,
        weight=_spread(conv, first, tuple(size for size, _ in axes)),
        stride=tuple(s * t for s, t in zip(first.stride, conv.stride, strict=True)),
        padding=tuple(pads for _, pads in axes),
        dilation=(1,) * len(axes),
    )


def _spread(conv: ops.Conv, pool: ops.SumPool, kernel: tuple[int, ...]) -> Array:
    """Repeat each weight over the window of its element of the pool."""
    weight = np.zeros((*conv.weight.shape[:2], *kernel))
    for tap in np.ndindex(*conv.kernel):
        at = [a * d * s for a, d, s in zip(tap, conv.dilation, pool.stride, strict=True)]
        window = (slice(a, a + k) for a, k in zip(at, pool.kernel, strict=True))
        single = (slice(a, a + 1) for a in tap)
        cells: tuple[slice, ...] = (slice(None), slice(None), *window)
        weight[cells] += conv.weight.data[(slice(None), slice(None), *single)]
    return Array(weight.astype(conv.weight.data.dtype))


def _axes(pool: Node, reader: Node) -> Iterator[tuple[int, tuple[int, int]] | None]:
    """Give kernel and padding of both together, axis by axis; None where that is not exact.

    Element q of the pool is the sum of x from s q to s q + k - 1.  Padding of the convolution lies
    at q < 0 and q >= m: there these elements have to be padding of x, too.
    """
    first, conv = pool.op, reader.op
    assert isinstance(first, ops.SumPool)
    assert isinstance(conv, ops.Conv)
    rank = len(first.kernel)
    shapes = (pool.inputs[0], pool.outputs[0], reader.outputs[0])
    sizes = zip(*(shape_of(value.type)[-rank:] for value in shapes), strict=True)
    windows = zip(first.kernel, first.stride, first.padding, first.dilation, strict=True)
    kernels = zip(conv.kernel, conv.stride, conv.padding, conv.dilation, strict=True)
    for (n, m, o), (k, s, pads, dilation), (width, t, (low, _), d) in zip(
        sizes, windows, kernels, strict=True
    ):
        kernel = d * (width - 1) * s + k
        last = (o - 1) * t - low + d * (width - 1)
        whole = pads == (0, 0) and dilation == 1 and (m - 1) * s + k <= n
        borders = (low == 0 or k <= s) and (last < m or m * s >= n)
        high = max(0, (o - 1) * t * s - low * s + kernel - n)
        count = (n + low * s + high - kernel) // (s * t) + 1
        yield (kernel, (low * s, high)) if whole and borders and count == o else None
