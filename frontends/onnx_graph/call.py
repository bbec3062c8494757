"""What a rule sees of one node: operands, attributes, and how to emit ops or to refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import numpy as np
from onnx import AttributeProto, NodeProto

from spikec.frontends.common import Refused
from spikec.frontends.onnx_graph.entries import Entry, Known, Spread, Symbolic, dims_of
from spikec.ir.array import NumpyArray
from spikec.ir.dims import Dim, Dims
from spikec.ir.graph import Value
from spikec.ir.op import Op, broadcast_dims


class Emitter(Protocol):
    """How ops get into the graph, with the name and place of the node at hand."""

    def emit(self, op: Op, values: Sequence[Value]) -> tuple[Value, ...]:
        """Add a node."""
        ...

    def materialise(self, entry: Entry) -> Value:
        """Turn known numbers into a constant of the graph."""
        ...


@dataclass(frozen=True)
class Call:
    """One node at work; ``opset`` is the version of its domain that the model imports."""

    node: NodeProto
    opset: int
    operands: tuple[Entry | None, ...]
    attributes: dict[str, AttributeProto]
    emitter: Emitter
    decode: Callable[[Any], NumpyArray]

    # operands

    def has(self, index: int) -> bool:
        """Tell whether an optional operand is there."""
        return index < len(self.operands) and self.operands[index] is not None

    def entry(self, index: int) -> Entry:
        """Give an operand, whatever it is."""
        entry = self.operands[index] if index < len(self.operands) else None
        if entry is None:
            self.refuse(f"operand {index} is missing")
        return entry

    def value(self, index: int) -> Value:
        """Give an operand as a value of the graph."""
        return self.emitter.materialise(self.entry(index))

    def terms(self, *indices: int) -> tuple[Value, ...]:
        """Give operands that broadcast against each other.

        Numbers that are merely repeated along the batch stay small where the others have that axis.
        """
        entries = [self.entry(index) for index in indices]
        small = [_unspread(entry) for entry in entries]
        full = broadcast_dims(*map(dims_of, entries))
        chosen = small if broadcast_dims(*map(dims_of, small)) == full else entries
        return tuple(self.emitter.materialise(entry) for entry in chosen)

    def dims(self, index: int) -> Dims:
        """Give an operand's sizes."""
        return dims_of(self.entry(index))

    def known(self, index: int, role: str) -> NumpyArray:
        """Give an operand that must be constant."""
        entry = self.entry(index)
        if not isinstance(entry, Known):
            self.refuse(
                f"its {role} (operand {index}) must be constant",
                "make it a weight (initializer) of the model",
            )
        return entry.array

    def optional(self, index: int, role: str) -> NumpyArray | None:
        """Give an operand that must be constant where it is there."""
        return self.known(index, role) if self.has(index) else None

    def sizes(self, index: int, role: str) -> Dims:
        """Give a vector of sizes, symbols included."""
        entry = self.entry(index)
        if not isinstance(entry, Known | Symbolic):
            self.refuse(
                f"its {role} (operand {index}) depends on data",
                "compute it from shapes and constants only",
            )
        return tuple(_size(item) for item in np.atleast_1d(entry.array).flat)

    def scalar(self, index: int, role: str) -> Any:
        """Give the one number of a constant operand."""
        array = self.known(index, role)
        if array.size != 1:
            self.refuse(f"its {role} (operand {index}) must be one number, not {array.size}")
        return array.reshape(()).item()

    # attributes

    def integer(self, name: str, default: int | None = None) -> int:
        """Give an integer attribute."""
        found = self._find(name, AttributeProto.INT, default is None)
        return default if found is None else found.i  # type: ignore[return-value]

    def real(self, name: str, default: float | None = None) -> float:
        """Give a number attribute."""
        found = self._find(name, AttributeProto.FLOAT, default is None)
        return default if found is None else found.f  # type: ignore[return-value]

    def text(self, name: str, default: str | None = None) -> str:
        """Give a text attribute."""
        found = self._find(name, AttributeProto.STRING, default is None)
        if found is None:
            return default  # type: ignore[return-value]
        return found.s.decode(errors="replace")

    def ints(self, name: str) -> tuple[int, ...] | None:
        """Give a list of integers, or None."""
        found = self._find(name, AttributeProto.INTS, False)
        return None if found is None else tuple(found.ints)

    def floats(self, name: str) -> tuple[float, ...] | None:
        """Give a list of numbers, or None."""
        found = self._find(name, AttributeProto.FLOATS, False)
        return None if found is None else tuple(found.floats)

    def tensor(self, name: str) -> NumpyArray | None:
        """Give a tensor attribute, or None."""
        found = self._find(name, AttributeProto.TENSOR, False)
        return None if found is None else self.decode(found.t)

    def ints_at(self, name: str, index: int, since: int) -> tuple[int, ...] | None:
        """Give integers that were an attribute before opset ``since`` and are an operand now."""
        if self.opset < since:
            return self.ints(name)
        array = self.optional(index, name)
        return None if array is None else tuple(int(item) for item in np.atleast_1d(array).flat)

    def axis(self, rank: int, default: int | None = None, name: str = "axis") -> int:
        """Give an axis attribute, counted from the front."""
        return self.front(self.integer(name, default), rank)

    def front(self, axis: int, rank: int) -> int:
        """Count an axis from the front, or refuse it."""
        if not -rank <= axis < rank:
            self.refuse(f"axis {axis} does not exist in an operand of rank {rank}")
        return axis % rank

    # results

    def emit(self, op: Op, *values: Value) -> Value:
        """Add an op with one result to the graph."""
        return self.emitter.emit(op, values)[0]

    def emit_all(self, op: Op, *values: Value) -> tuple[Value, ...]:
        """Add an op to the graph."""
        return self.emitter.emit(op, values)

    def refuse(self, reason: str, remedy: str = "") -> NoReturn:
        """Give this node up; the importer lists all such nodes together."""
        raise Refused(reason, remedy)

    @property
    def wanted(self) -> tuple[bool, ...]:
        """Which results somebody may read: those that have a name."""
        return tuple(bool(name) for name in self.node.output)

    def only_first(self, unused: str) -> None:
        """Refuse further results."""
        if any(self.wanted[1:]):
            self.refuse(unused)

    def _find(self, name: str, kind: int, required: bool) -> AttributeProto | None:
        found = self.attributes.get(name)
        if found is None:
            if required:
                self.refuse(f"its attribute {name} is missing")
            return None
        if found.type != kind:
            self.refuse(f"its attribute {name} has the wrong type")
        return found


def _unspread(entry: Entry) -> Entry:
    return Known(entry.base) if isinstance(entry, Spread) else entry


def _size(item: Any) -> Dim:
    return int(item) if isinstance(item, int | np.integer | np.bool_ | np.floating) else item
