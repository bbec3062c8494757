"""Where values enter and leave a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.errors import TypeMismatch
from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import Family, Op, Types, Values
from spikec.ir.types import DType, TensorType


@dataclass(frozen=True)
class Input(Op):
    """y = what the caller gives, of the declared type."""

    type: TensorType

    family: ClassVar[Family] = Family.BOUNDARY
    arity: ClassVar[tuple[int, int | None]] = (0, 0)

    def infer(self, inputs: Types) -> Types:
        return (self.type,)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        raise TypeMismatch("an Input is given by the caller, not computed")


@dataclass(frozen=True)
class Output(Op):
    """The operand is a result of the graph."""

    family: ClassVar[Family] = Family.BOUNDARY

    def infer(self, inputs: Types) -> Types:
        return ()

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return ()


@dataclass(frozen=True)
class Constant(Op):
    """y = value."""

    value: Array

    family: ClassVar[Family] = Family.BOUNDARY
    arity: ClassVar[tuple[int, int | None]] = (0, 0)

    def infer(self, inputs: Types) -> Types:
        return (TensorType(self.value.shape, DType.of(self.value.dtype)),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return (self.value.data,)
