"""Draws of activations, elementary functions, merges, logic and casts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikec.ir import ops
from spikec.ir.array import Array
from spikec.ir.graph import Value
from spikec.ir.op import Op
from spikec.ir.types import DType, TensorType
from spikec.testing.draft import Draft, ints

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
    op, low, high = d.choose(
        (ops.Exp(), -2.0, 2.0),
        (ops.Log(), 0.1, 8.0),
        (ops.Sqrt(), 0.1, 8.0),
        (ops.Reciprocal(), 0.5, 4.0),
        (ops.Tan(), -1.0, 1.0),
    )
    d.add(op, d.hidden(ops.Clip(low, high), d.floats()))


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
    quantiser = ops.QuantReLU(d.array(*d.trailing(x.type), low=0.1, high=1.0), d.integer(1, 7))
    jumps: tuple[Op, ...] = (ops.Sign(), ops.Floor(), ops.Ceil(), ops.Round(), quantiser)
    d.add(d.choose(*jumps, ops.ThresholdedReLU(d.real(0, 1))), x)


def merge(d: Draft) -> None:
    """Add, Sub, Maximum or Minimum."""
    x = d.pick(lambda t: t.dtype is not DType.BOOL)
    y = d.partner(x)
    op = d.choose(ops.Add(), ops.Sub(), ops.Maximum(), ops.Minimum())
    d.add(op, *((x, y) if d.chance() else (y, x)))


def multiply(d: Draft) -> None:
    """Mul of squashed values."""
    x = d.squashed(d.floats())
    y = d.partner(x)
    d.add(ops.Mul(), x, d.squashed(y))


def divide(d: Draft) -> None:
    """Div by what is not near 0, or Pow of it."""
    x = d.floats()
    y = d.hidden(ops.Clip(0.5, 3.0), d.partner(x))
    if d.chance(0.6):
        d.add(ops.Div(), x, y)
    else:
        d.add(ops.Pow(), y, d.squashed(x))


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


def remainder(d: Draft) -> None:
    """FloorMod of floating values."""
    x = d.floats()
    d.add(ops.FloorMod(), x, d.hidden(ops.Constant(Array(np.float32(d.real(0.5, 2))))))


def compare(d: Draft) -> None:
    """A comparison: of integers, or (it jumps) of floating values."""
    x = d.pick(lambda t: t.dtype in WHOLE or (t.dtype.is_float and not d.smooth))
    op = d.choose(ops.Equal(), ops.Less(), ops.LessEqual(), ops.Greater(), ops.GreaterEqual())
    d.add(op, x, d.partner(x))


def logic(d: Draft) -> None:
    """Boolean algebra."""
    x = d.pick(_is_truth)
    if d.chance(0.2):
        d.add(ops.Not(), x)
    else:
        d.add(d.choose(ops.And(), ops.Or(), ops.Xor()), x, d.partner(x))


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


def _clip(d: Draft) -> Op:
    low = d.choose(None, 0.0, d.real(-1, 0), -np.inf)
    return ops.Clip(low, d.choose(None, 6.0, d.real(0.5, 2), np.inf))


_SMOOTH: tuple[Callable[[Draft], Op], ...] = (
    lambda d: ops.ReLU(),
    lambda d: ops.ReLU(),
    _clip,
    lambda d: ops.LeakyReLU(d.real(0, 0.3)),
    lambda d: ops.ELU(d.choose(1.0, d.real(0.5, 2)), d.choose(1.0, 1.05), d.choose(1.0, 2.0)),
    lambda d: ops.GELU(d.chance()),
    lambda d: ops.Sigmoid(),
    lambda d: ops.SiLU(),
    lambda d: ops.Mish(),
    lambda d: ops.Softplus(d.choose(1.0, d.real(0.5, 2))),
    lambda d: ops.Softsign(),
    lambda d: ops.Tanh(),
    lambda d: ops.HardSigmoid(),
    lambda d: ops.HardSwish(),
    lambda d: ops.Abs(),
    lambda d: ops.Neg(),
    lambda d: ops.Erf(),
    lambda d: ops.Sin(),
    lambda d: ops.Cos(),
    lambda d: ops.Atan(),
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
    multiply,
    divide,
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
