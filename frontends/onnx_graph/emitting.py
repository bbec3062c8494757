"""Puts ops into the graph under the name and place of the ONNX node at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spikec.frontends.common import Refused, node_name
from spikec.frontends.onnx_graph.entries import Entry, Known, Ramp, Sized, Spread, Symbolic
from spikec.ir.array import Array, NumpyArray
from spikec.ir.edit import Editor
from spikec.ir.graph import Value
from spikec.ir.location import Location
from spikec.ir.op import Op
from spikec.ir.ops import Constant, Expand


class GraphEmitter:
    """Emitter into an IR graph; ``at`` says which ONNX node comes next."""

    def __init__(self, edit: Editor, reserved: Iterable[str]) -> None:
        self._edit = edit
        self._reserved = frozenset(reserved)
        self._name = "node"
        self._location = Location()
        self._constants: dict[int, tuple[Entry, Value]] = {}
        self._labels: dict[int, tuple[Known, str]] = {}

    def at(self, label: str, name: str = "") -> None:
        """Give place and name to everything that is emitted from now on."""
        self._name = self._free(node_name(name or label))
        self._location = Location.at(onnx=label)

    def label(self, entry: Known, name: str) -> None:
        """Remember how a weight is called."""
        self._labels[id(entry)] = (entry, name)

    def emit(self, op: Op, values: Sequence[Value]) -> tuple[Value, ...]:
        """Add a node."""
        node = self._edit.add_node(op, values, name=self._name, location=self._location)
        return node.outputs

    def materialise(self, entry: Entry) -> Value:
        """Turn known numbers into a constant of the graph, once for each."""
        if isinstance(entry, Value):
            return entry
        found = self._constants.get(id(entry))
        if found is None:
            found = self._constants[id(entry)] = (entry, self._constant(entry))
        return found[1]

    def _constant(self, entry: Entry) -> Value:
        match entry:
            case Known(array):
                _, label = self._labels.get(id(entry), (None, ""))
                return self._numbers(array, label)
            case Spread(base, dims):
                return self.emit(Expand(dims), [self._numbers(base, "")])[0]
            case Value():
                return entry
            case Symbolic() | Ramp() | Sized():
                raise Refused(
                    "it computes with a number that depends on the batch size",
                    "use sizes as shapes only",
                )

    def _numbers(self, array: NumpyArray, label: str) -> Value:
        name = self._free(node_name(label)) if label else f"{self._name}.constant"
        location = Location.at(onnx=label) if label else self._location
        return self._edit.add(Constant(Array(array)), name=name, location=location)

    def _free(self, name: str) -> str:
        return f"{name}_op" if name in self._reserved else name
