"""What an emitter gets to see of a node, and how it refuses one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.backends.onnx_graph.scope import Scope, element_type
from spikec.ir import Array, Dim, Dims, Op, SymbolicDim, TensorType
from spikec.ir.dims import has_batch, has_time, per_step


class Refused(Exception):  # noqa: N818  # as the errors of the house: named after what is wrong
    """Says that a node cannot be written in standard ONNX operators."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True)
class Call:
    """A node to be emitted: operands by their ONNX names, types whose sizes hold no T any more."""

    scope: Scope
    op: Op
    operands: tuple[str, ...]
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    steps: int | None
    """T of a whole-sequence model; None in a model of one step"""
    time: str = ""
    """name of the running step's number (from 1); empty in a whole-sequence model"""
    batch: str = ""
    """name of the batch size, a list of one number"""

    @property
    def x(self) -> str:
        return self.operands[0]

    @property
    def kind(self) -> np.dtype[Any]:
        """Element type of the first operand, which constants take on."""
        return np.dtype(self.inputs[0].dtype.numpy)

    def array(self, array: Array | NDArray[Any] | float, name: str = "constant") -> str:
        """Give a constant in the element type of the first operand."""
        data = array.data if isinstance(array, Array) else np.asarray(array)
        return self.scope.constant(data.astype(self.kind), name)

    def weight(self, array: Array) -> str:
        """Give a constant weight; whole numbers of 8 bits are stored as such, and cast on loading.

        Runtimes fold the cast.  Products stay in floating point, where sums of whole numbers are
        exact: ONNX has no fast integer convolution with a result of more than 8 bits.
        """
        data = array.data.astype(self.kind)
        small = data.size > 0 and self.kind.kind == "f" and data.min() >= -128 and data.max() <= 127
        if not small or not bool((data == np.rint(data)).all()):
            return self.scope.constant(data, "weight")
        stored = self.scope.constant(data.astype(np.int8), "weight")
        return self.scope("Cast", stored, to=element_type(self.kind))

    def reshaped(self, x: str, dims: Dims) -> str:
        """Reshape; at most one size holds the batch, and is left open."""
        return self.scope("Reshape", x, self.scope.ints(*open_shape(dims)))

    def shape_of(self, dims: Dims) -> str:
        """Give sizes as a tensor, the batch included."""
        if not any(map(has_batch, dims)):
            return self.scope.ints(*whole(dims))
        parts = [self._size(dim) for dim in dims]
        return self.scope("Concat", *parts, axis=0)

    def _size(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return self.scope.ints(dim)
        factor = self.scope.ints(int(dim.coefficient))
        return self.scope("Mul", self.batch, factor) if dim.coefficient != 1 else self.batch


Rule = Callable[[Any, Call], str | tuple[str, ...]]
"""emits the op (of the rule's class) and gives the names of its results"""


def fixed(dim: Dim, steps: int | None) -> Dim:
    """Give a size with T = ``steps``, or one step's share of it."""
    if not isinstance(dim, SymbolicDim) or not has_time(dim):
        return dim
    if steps is None:
        return per_step(dim)
    coefficient = dim.coefficient * Fraction(steps) ** dim.time
    if coefficient.denominator != 1:
        raise Refused(
            f"a value of {dim} elements over {steps} steps",
            f"steps divisible by {dim.coefficient.denominator}",
        )
    return SymbolicDim(coefficient, dim.batch, 0) if dim.batch else int(coefficient)


def fixed_type(x: TensorType, steps: int | None) -> TensorType:
    """Give a type whose sizes hold no T."""
    return x.analog().with_dims(tuple(fixed(dim, steps) for dim in x.dims))


def open_shape(dims: Dims) -> tuple[int, ...]:
    """Give sizes for a Reshape: -1 where the batch stands."""
    return tuple(dim if isinstance(dim, int) else -1 for dim in dims)


def whole(dims: Dims) -> tuple[int, ...]:
    """Give sizes that hold no batch, as numbers."""
    numbers = tuple(dim for dim in dims if isinstance(dim, int))
    if len(numbers) < len(dims):
        raise Refused("a size that depends on the batch where ONNX wants a number")
    return numbers
