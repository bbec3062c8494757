"""What a rule gets to see of a NIR node, and how it adds to the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikec.frontends.common import Refused
from spikec.frontends.nir_graph.raw import RawNode
from spikec.frontends.nir_graph.settings import Settings
from spikec.ir import Array, Editor, Op, Value, ops
from spikec.ir.location import Location

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Call:
    """A node to be imported, with its operand: the sum of what leads to it."""

    node: RawNode
    x: Value
    edit: Editor
    name: str
    location: Location
    settings: Settings
    legacy: bool
    """written by nir up to 1.0.5, where a spike subtracts the threshold"""
    dt: float | None
    """length of a step; None where neither the user nor the file has said it"""

    @property
    def sample(self) -> tuple[int, ...]:
        """Sizes of the operand behind time and batch."""
        return tuple(dim for dim in self.x.type.dims[2:] if isinstance(dim, int))

    def add(self, op: Op, *operands: Value, name: str = "") -> Value:
        """Add a node; the node's own result has its name."""
        return self.edit.add(op, *operands, name=name or self.name, location=self.location)

    def has(self, name: str) -> bool:
        return name in self.node.fields

    def array(self, name: str, rank: int | None = None) -> Numbers:
        """Give a field of numbers."""
        value = self.node.fields[name]
        if isinstance(value, str):  # of those that may be one
            raise Refused(f"{name} {value!r}", expected="numbers")
        if rank is not None and value.ndim != rank:
            raise Refused(f"{name!r} of shape {list(value.shape)}", expected=f"{rank} axes")
        return np.asarray(value, np.float64)

    def text(self, name: str) -> str | None:
        """Give a field that is a text; None where it is numbers."""
        value = self.node.fields.get(name)
        return value if isinstance(value, str) else None

    def ints(self, name: str, count: int) -> tuple[int, ...]:
        """Give one whole number per axis."""
        data = self.array(name).reshape(-1)
        if data.size not in (1, count) or not bool((data == np.rint(data)).all()):
            raise Refused(f"{name} {data.tolist()}", expected=f"{count} whole numbers")
        return tuple(int(n) for n in np.broadcast_to(data, (count,)))

    def parameter(self, name: str) -> Numbers:
        """Give a parameter of neurons, which must fit the operand."""
        value = self.array(name)
        if value.shape not in ((), (1,), self.sample):
            raise Refused(
                f"{name} of shape {list(value.shape)} for neurons {list(self.sample)}",
                expected="one number per neuron, or one for all",
            )
        return value.reshape(()) if value.size == 1 else value

    def scaled(self, value: Value, factor: Numbers, name: str) -> Value:
        """Multiply element by element; a factor of 1 adds no node."""
        if (factor.astype(np.float32) == 1).all():
            return value
        constant = self.edit.add(ops.Constant(compact(factor)), name=f"{self.name}.{name}")
        return self.add(ops.Mul(), value, constant, name=f"{self.name}.times_{name}")


Rule = Callable[[Call], Value]


def compact(data: Numbers) -> Array:
    """Give numbers in as few axes as say the same, e.g. [C, 1, 1] where a map has one number."""
    for axis in range(data.ndim):
        first = data.take([0], axis) if data.shape[axis] else data
        if bool((data == first).all()):
            data = first
    while data.ndim and data.shape[0] == 1:
        data = data[0]
    return Array(data, "float32")
