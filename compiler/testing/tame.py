"""Where an elementwise op without options stays tame, and whether it jumps: found by trying it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import TypeMismatch
from spikec.ir import ops
from spikec.ir.dims import Sizes
from spikec.ir.op import Op
from spikec.ir.ops.elementwise import Binary, Unary
from spikec.ir.types import DType, TensorType

Range = tuple[float, float]
Ranges = tuple[Range | None, ...]
"""One per operand; None for any number."""


@dataclass(frozen=True)
class Tame:
    """An op, and operands for which its results are finite and moderate."""

    op: Op
    ranges: Ranges
    jumps: bool
    """a small change of an operand may change the result a lot"""

    @property
    def free(self) -> bool:
        """Tell whether any operand will do."""
        return not any(self.ranges)


def without_options(arity: int, operand: DType, result: DType) -> tuple[Op, ...]:
    """Give the elementwise ops of the table that have no fields, and these types."""
    found = (op for op in ops.OPS.values() if issubclass(op, Unary | Binary) and not fields(op))
    plain = (op() for op in found if op.arity[0] == arity)
    return tuple(op for op in plain if _result(op, operand) is result)


def takes(op: Op, operand: DType) -> bool:
    """Tell whether operands may have that element type."""
    return _result(op, operand) is not None


def tame_ops(arity: int) -> tuple[Tame, ...]:
    """Try such ops on floating numbers; one that is nowhere tame is left out.

    >>> for tame in tame_ops(1):
    ...     if isinstance(tame.op, ops.Log | ops.Tanh | ops.Floor):
    ...         print(type(tame.op).__name__, tame.ranges, tame.jumps)
    Tanh (None,) False
    Log ((0.5, 4.0),) False
    Floor (None,) True
    """
    tried = (_tried(op) for op in without_options(arity, DType.F64, DType.F64))
    return tuple(tame for tame in tried if tame is not None)


def _result(op: Op, operand: DType) -> DType | None:
    try:
        return op.infer((TensorType((), operand),) * op.arity[0])[0].dtype
    except TypeMismatch:
        return None


def _tried(op: Op) -> Tame | None:
    for ranges in _RANGES[op.arity[0]]:
        spans = [given or _WIDE for given in ranges]
        y = _value(op, [np.linspace(*span, _FINE[len(spans)]) for span in spans])
        if bool(np.isfinite(y).all()) and float(np.abs(y).max()) <= _MODERATE:
            return Tame(op, ranges, _jumps(op, spans))
    return None


def _jumps(op: Op, spans: Sequence[Range]) -> bool:
    """Look at either side of every multiple of 1/2."""
    halves = [np.arange(2 * low, 2 * high + 1) / 2 for low, high in spans]
    for operand in range(len(spans)):
        sides = [
            _value(op, [x + step * (i == operand) for i, x in enumerate(halves)])
            for step in (-_NEAR, _NEAR)
        ]
        if float(np.abs(sides[1] - sides[0]).max()) > _GAP:
            return True
    return False


def _value(op: Op, axes: Sequence[NDArray[np.float64]]) -> NDArray[Any]:
    grid = tuple(np.meshgrid(*axes, indexing="ij"))
    return op.run(grid, Sizes())[0]


_WIDE: Range = (-8.0, 8.0)
_MODERATE = 20.0
_FINE = {1: 4097, 2: 129}
_NEAR, _GAP = 1e-7, 1e-3
_RANGES: dict[int, tuple[Ranges, ...]] = {
    1: ((None,), ((-2.0, 2.0),), ((0.5, 4.0),), ((1.0, 4.0),), ((-1.0, 1.0),), ((-0.9, 0.9),)),
    2: (
        (None, None),
        ((-1.0, 1.0), (-1.0, 1.0)),
        (None, (0.5, 3.0)),
        ((0.5, 3.0), (-1.0, 1.0)),
        ((0.5, 3.0), (0.5, 3.0)),
    ),
}
"""Tried in this order."""
