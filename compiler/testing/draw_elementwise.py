"""Draws of activations, elementary functions, merges, logic and casts.

Elementwise ops without options are drawn from the table of ops; nothing is to be added for them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikec.ir import ops
from spikec.ir.array import Array
from spikec.ir.graph import Value
from spikec.ir.op import Op
from spikec.ir.types import DType, TensorType
from spikec.testing.draft import Draft, ints
from spikec.testing.tame import Range, Tame, takes, tame_ops, without_options

WHOLE = (DType.I64, DType.I32)


def activation(d: Draft) -> None:
    """A continuous function of one operand."""
    d.add(d.choose(*_SMOOTH)(d), d.floats())


def parametric(d: Draft) -> None:
    """PReLU with slopes that broadcast."""
    x = d.floats()
    d.add(ops.PReLU(d.array(*d.trailing(x.type), low=0.0, high=0.5)), x)


def guarded(d: Draft) -> None:
    """A function that is steep or undefined somewhere, behind a Clip that keeps away from there."""
    tame = d.choose(*(t for t in _UNARY if not t.free and not t.jumps))
    d.add(tame.op, _within(d, d.floats(), tame.ranges[0]))


def softmax(d: Draft) -> None:
    """Softmax or its logarithm, sometimes with masked elements."""
    x = d.floats()
    axis = d.axis(x.type)
    if d.chance(0.3):
        (size,) = ints((x.type.dims[axis],))
        keep = np.arange(size) < max(1, size - 1)
        shape = (size, *(1,) * (-axis - 1))
        condition = d.hidden(ops.Constant(Array(keep.reshape(shape))))
        masked = d.hidden(ops.Constant(Array(np.float32(-np.inf))))
        x = d.hidden(ops.Where(), condition, x, masked)
        d.add(ops.Softmax(axis), x)
        return
    d.add(ops.Softmax(axis, d.chance(0.3)), x)


def steps(d: Draft) -> None:
    """A function that jumps."""
    x = d.floats()
    if d.chance(0.3):
        step = d.array(*d.trailing(x.type), low=0.1, high=1.0)
        quantiser = ops.QuantReLU(step, d.integer(1, 7), low=d.choose(0, -3))
        even = ops.Quantise(step, d.integer(-5, 0), d.integer(1, 5))
        d.add(d.choose(quantiser, even, ops.ThresholdedReLU(d.real(0, 1))), x)
        return
    tame = d.choose(*(t for t in _UNARY if t.jumps))
    d.add(tame.op, _within(d, x, tame.ranges[0]))


def merge(d: Draft) -> None:
    """Add, Sub, Maximum, Minimum: whatever takes any numbers, integers too, and does not jump."""
    x = d.pick(lambda t: t.dtype is not DType.BOOL)
    y = d.partner(x)
    free = (t.op for t in _BINARY if t.free and not t.jumps and takes(t.op, x.type.dtype))
    d.add(d.choose(*free), *((x, y) if d.chance() else (y, x)))


def combine(d: Draft) -> None:
    """Mul, Div, Pow: whatever is tame for some operands only."""
    _combined(d, d.choose(*(t for t in _BINARY if not t.free and not t.jumps)))


def remainder(d: Draft) -> None:
    """FloorMod, or another merge that jumps."""
    _combined(d, d.choose(*(t for t in _BINARY if t.jumps)))


def whole_numbers(d: Draft) -> None:
    """Arithmetic of integers."""
    x = d.pick(lambda t: t.dtype in WHOLE)
    y = d.constant(d.trailing(x.type), x.type.dtype)
    positive = d.hidden(ops.Constant(Array(np.array(d.integer(1, 5), x.type.dtype.numpy))))
    row: tuple[tuple[Op, tuple[Value, ...]], ...] = (
        (ops.Mul(), (d.hidden(ops.FloorMod(), x, positive), y)),
        (ops.Div(), (x, positive)),
        (ops.FloorMod(), (x, positive)),
        (d.choose(ops.Abs(), ops.Neg(), ops.Sign(), ops.ReLU()), (x,)),
    )
    op, operands = d.choose(*row)
    d.add(op, *operands)


def compare(d: Draft) -> None:
    """A comparison: of integers, or (it jumps) of floating values."""
    x = d.pick(lambda t: t.dtype in WHOLE or (t.dtype.is_float and not d.smooth))
    d.add(d.choose(*_COMPARISONS), x, d.partner(x))


def logic(d: Draft) -> None:
    """Boolean algebra."""
    x = d.pick(_is_truth)
    if d.chance(0.2):
        d.add(ops.Not(), x)
    else:
        d.add(d.choose(*_TRUTHS), x, d.partner(x))


def where(d: Draft) -> None:
    """Where, by a drawn or a constant condition."""
    x = d.pick(lambda t: t.dtype is not DType.BOOL)
    y = d.partner(x)
    truth = TensorType(x.type.dims, DType.BOOL)
    fit = [v for v in d.values if v.type == truth]
    condition = d.choose(*fit) if fit else d.constant(d.trailing(x.type), DType.BOOL)
    d.add(ops.Where(), condition, x, y)


def cast(d: Draft) -> None:
    """Cast to floating point and back; to integers and truth values it jumps."""
    x = d.pick(lambda t: t.dtype is not DType.F64)
    if not x.type.dtype.is_float:
        small = x if x.type.dtype is DType.BOOL else d.hidden(ops.Sign(), x)
        d.add(ops.Cast(DType.F32), small)
    elif d.smooth:
        d.add(ops.Cast(DType.F32), d.hidden(ops.Cast(DType.F64), x))
    else:
        targets = (DType.I64, DType.I32, DType.BOOL, DType.F64, DType.F16, DType.I8)
        d.add(ops.Cast(d.choose(*targets)), x)


def matmul(d: Draft) -> None:
    """Matmul with itself transposed, with a matrix, or with a vector."""
    x = d.squashed(d.floats(2))
    rows, columns = ints(x.type.dims[-2:])
    match d.integer(0, 3):
        case 0:
            d.add(ops.Matmul(), x, d.hidden(ops.Permute((-1, -2)), x))
        case 1:
            d.add(ops.Matmul(), x, d.constant((columns, d.integer(1, 4))))
        case 2:
            d.add(ops.Matmul(), d.constant((d.integer(1, 4), rows)), x)
        case _:
            d.add(ops.Matmul(), x, d.constant((columns,)))


def einsum(d: Draft) -> None:
    """Einsum: products with itself or with a constant, sums, transposition."""
    x = d.squashed(d.floats(2))
    columns = ints(x.type.dims[-1:])[0]
    equation, operands = d.choose(
        ("...ij,...kj->...ik", (x, x)),
        ("...ij,...ij->...ij", (x, x)),
        ("...ij,j->...i", (x, d.constant((columns,)))),
        ("...ij,jk->...ik", (x, d.constant((columns, 2)))),
        ("...ij->...ji", (x,)),
        ("...ij->...i", (x,)),
    )
    d.add(ops.Einsum(equation), *operands)


def embedding(d: Draft) -> None:
    """Embedding of ids, brought into the table's range first."""
    x = d.pick(lambda t: t.dtype in WHOLE and t.rank <= 3)
    rows = d.integer(4, 7)
    count = d.hidden(ops.Constant(Array(np.array(rows, x.type.dtype.numpy))))
    d.add(ops.Embedding(d.array(rows, d.integer(1, 5))), d.hidden(ops.FloorMod(), x, count))


def _is_truth(type_: TensorType) -> bool:
    return type_.dtype is DType.BOOL


def _within(d: Draft, x: Value, span: Range | None) -> Value:
    """Bring a value into the range where an op is tame."""
    if span is None:
        return x
    return d.squashed(x) if span == (-1.0, 1.0) else d.hidden(ops.Clip(*span), x)


def _combined(d: Draft, tame: Tame) -> None:
    x = d.floats()
    operands = (x, d.partner(x))
    pairs = zip(operands if d.chance() else reversed(operands), tame.ranges, strict=True)
    d.add(tame.op, *(_within(d, operand, span) for operand, span in pairs))


def _clip(d: Draft) -> Op:
    low = d.choose(None, 0.0, d.real(-1, 0), -np.inf)
    return ops.Clip(low, d.choose(None, 6.0, d.real(0.5, 2), np.inf))


_UNARY = tame_ops(1)
_BINARY = tame_ops(2)
_COMPARISONS = without_options(2, DType.F32, DType.BOOL)
_TRUTHS = tuple(op for op in without_options(2, DType.BOOL, DType.BOOL) if not takes(op, DType.F32))
_FREE = tuple(t.op for t in _UNARY if t.free and not t.jumps)
_SMOOTH: tuple[Callable[[Draft], Op], ...] = (
    *(lambda d: d.choose(*_FREE),) * len(_FREE),
    lambda d: ops.ReLU(),
    _clip,
    lambda d: ops.LeakyReLU(d.real(0, 0.3)),
    lambda d: ops.ELU(d.choose(1.0, d.real(0.5, 2)), d.choose(1.0, 1.05), d.choose(1.0, 2.0)),
    lambda d: ops.GELU(d.chance()),
    lambda d: ops.Softplus(d.choose(1.0, d.real(0.5, 2))),
    lambda d: ops.HardSigmoid(),
)
ELEMENTWISE = (
    activation,
    activation,
    activation,
    parametric,
    guarded,
    softmax,
    merge,
    merge,
    combine,
    combine,
    whole_numbers,
    compare,
    logic,
    where,
    cast,
    matmul,
    einsum,
    embedding,
)
JUMPING = (steps, remainder)
"""Not drawn for smooth graphs."""
