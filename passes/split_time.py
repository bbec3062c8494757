"""Takes steps and samples apart where a network that was trained spiking has merged them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.errors import SpikecError
from spikec.ir import B, Editor, Graph, Node, Op, Stage, T, Value
from spikec.ir.dims import Dims, multiply
from spikec.ir.ops import Reshape
from spikec.pipeline import Context, Exactly, Pass, Promise

MERGED = multiply(T, B)


@dataclass(frozen=True)
class SplitTime(Pass):
    """[T B, …] becomes [T, B, …]: steps and samples stand on axes of their own.

    Torch's layers take one axis of samples, so that spiking networks merge time into it and split
    it again behind the layer.  Ops of the IR take any leading axes: the two reshapes fall away, and
    what lies between is known to treat each step alone.

    ::

        %a = Reshape(%s; dims=(T*B, 3, 8, 8))       ->     %c = Conv(%s; W) : [T, B, 4, 8, 8]
        %b = Conv(%a; W) : [T*B, 4, 8, 8]
        %c = Reshape(%b; dims=(T, B, 4, 8, 8))
    """

    name: ClassVar[str] = "split-time"
    promise: ClassVar[Promise] = Exactly(1e-6)

    def apply(self, edit: Editor, context: Context) -> None:
        if edit.graph.stage is not Stage.SPIKING:
            return
        split = _Copy(edit.graph, self.name).run()
        if str(split) != str(edit.graph):
            edit.become(split)


def is_merged(dims: Dims) -> bool:
    """Tell whether the first axis holds steps and samples."""
    return bool(dims) and dims[0] == MERGED


def _apart(dims: Dims) -> Dims:
    return (T, B, *dims[1:]) if is_merged(dims) else dims


class _Copy:
    """Copies a graph; ``known`` is what each value has become, apart wherever that can be."""

    def __init__(self, graph: Graph, by: str) -> None:
        self.graph = graph
        self.edit = Editor(Graph(graph.name, graph.stage), by)
        self.edit.graph.notes.update(graph.notes)
        self.known: dict[Value, Value] = {}

    def run(self) -> Graph:
        """Copy all nodes."""
        for node in self.graph:
            if isinstance(node.op, Reshape):
                self.known[node.outputs[0]] = self._reshaped(node, node.op)
            elif not self._copy_apart(node):
                self._keep(node, node.op, [self._as_it_was(value) for value in node.inputs])
        return self.edit.graph

    def _reshaped(self, node: Node, op: Reshape) -> Value:
        operand = self.known[node.inputs[0]]
        dims = _apart(op.dims)
        if dims == operand.type.dims:
            return operand
        if operand.type.dims[:2] == (T, B) and dims[:2] != (T, B):
            operand = self._as_it_was(node.inputs[0])
        return self.edit.add(Reshape(dims), operand, name=node.name, location=node.location)

    def _copy_apart(self, node: Node) -> bool:
        """Try a node on operands whose steps stand apart; tell whether it gives what it gave."""
        operands = [self.known[value] for value in node.inputs]
        if all(
            new.type.dims == old.type.dims for new, old in zip(operands, node.inputs, strict=True)
        ):
            return False  # nothing is apart
        if node.op.mixes_time(node.input_types):
            return False
        try:
            types = node.op.infer(tuple(value.type for value in operands))
        except SpikecError:
            return False
        wanted = [_apart(value.type.dims) for value in node.outputs]
        if [type_.dims for type_ in types] != wanted:
            return False
        self._keep(node, node.op, operands)
        return True

    def _keep(self, node: Node, op: Op, operands: list[Value]) -> None:
        new = self.edit.add_node(op, operands, node.name, node.location)
        self.known.update(zip(node.outputs, new.outputs, strict=True))

    def _as_it_was(self, value: Value) -> Value:
        """Give a value with steps and samples merged, where they were."""
        new = self.known[value]
        if new.type.dims == value.type.dims:
            return new
        return self.edit.add(Reshape(value.type.dims), new, name=value.producer.name)
