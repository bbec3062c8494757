"""What elementwise ops share: one operand or several that broadcast, one formula."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import Family, Op, Types, Values, broadcast_dims, expect, expect_float
from spikec.ir.types import DType, TensorType


@dataclass(frozen=True)
class Unary(Op):
    """y = f(x), element by element."""

    family: ClassVar[Family] = Family.ACTIVATION
    floats_only: ClassVar[bool] = True

    @abstractmethod
    def f(self, x: NDArray[Any]) -> NDArray[Any]:
        """Give the formula."""

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        if self.floats_only:
            expect_float(x)
        expect(x.dtype is not DType.BOOL, f"operand {x}", "numbers", "insert a Cast")
        return (x.analog(),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        with np.errstate(all="ignore"):  # inf and nan are results here, not accidents
            return (np.asarray(self.f(x)).astype(x.dtype, copy=False),)


@dataclass(frozen=True)
class Binary(Op):
    """y = f(a, b), element by element, with broadcasting."""

    family: ClassVar[Family] = Family.MERGE
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    result: ClassVar[DType | None] = None
    """element type of the result; None for that of the operands"""
    numbers_only: ClassVar[bool] = False
    """truth values are refused"""

    @abstractmethod
    def f(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """Give the formula."""

    def infer(self, inputs: Types) -> Types:
        dtype = joint_dtype(inputs)
        if self.numbers_only:
            expect(dtype is not DType.BOOL, "truth values", "numbers", "insert a Cast")
        return (TensorType(joint_dims(inputs), self.result or dtype),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        a, b = inputs
        with np.errstate(all="ignore"):
            return (np.asarray(self.f(a, b)),)


def joint_dtype(inputs: Types) -> DType:
    """Give the one element type of all operands."""
    kinds = {x.dtype for x in inputs}
    expect(
        len(kinds) == 1,
        f"operands of element types {', '.join(sorted(k.value for k in kinds))}",
        "one element type",
        "insert a Cast",
    )
    return kinds.pop()


def joint_dims(inputs: Types) -> tuple[Any, ...]:
    """Broadcast sizes of all operands; time must lie on one common axis."""
    axes = {x.time_axis for x in inputs} - {None}
    expect(len(axes) <= 1, "operands hold T on different axes", "T on one common axis")
    return broadcast_dims(*(x.dims for x in inputs))


def check_broadcast(array: Array, x: TensorType, name: str) -> None:
    """Refuse a parameter that does not broadcast into x without widening it."""
    expect(
        array.ndim <= x.rank and broadcast_dims(x.dims, array.shape) == x.dims,
        f"{name} {array} does not broadcast into {x}",
    )
