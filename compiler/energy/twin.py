"""The network that a spiking one stands for: once on numbers, what energy is compared with."""

from __future__ import annotations

from spikec.errors import SpikecError, UnsupportedModel
from spikec.ir import Editor, Graph, Node, Op, Stage, TensorType, Value, ops
from spikec.ir.dims import without_time
from spikec.ir.op import Family, ScanOp
from spikec.ir.ops.coding import FromStatic
from spikec.ir.ops.readout import OverTime


def analog_twin(graph: Graph) -> Graph:
    """Give an analog graph as it is; of a spiking one, the same layers without time.

    Neurons become ReLUs.  What encodes, integrates or reads out falls away: of the part in front of
    an encoder that shows something else at each step (DCT-SNN), so does everything, and the twin
    begins with one of its frames.
    """
    if graph.stage is Stage.ANALOG:
        return graph
    return _Twin(graph).run()


class _Twin:
    """Copies a graph without its time axis."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.edit = Editor(Graph(graph.name), by="analog_twin")
        self.known: dict[Value, Value] = {}

    def run(self) -> Graph:
        """Copy all nodes, and drop those that nothing reads."""
        for node in self.graph:
            if len(node.outputs) == 1 and self._falls_away(node):
                self.known[node.outputs[0]] = self._operand(node)
            else:
                self._copy(node)
        for node in reversed(list(self.edit.graph)):
            read = any(value.users for value in node.outputs)
            if not read and not isinstance(node.op, ops.Input | ops.Output):
                self.edit.remove(node)
        return self.edit.graph

    def _falls_away(self, node: Node) -> bool:
        """Tell whether a node only says when values come."""
        if node.op.family is Family.NEURON:
            return isinstance(node.inputs[0].producer.op, FromStatic)  # it encodes
        return isinstance(node.op, ScanOp | OverTime)

    def _operand(self, node: Node) -> Value:
        operand, wanted = self.known[node.inputs[0]], still(node.outputs[0].type)
        if operand.type.dims == wanted.dims:
            return operand
        return self.edit.input(node.name, wanted, node.location)

    def _copy(self, node: Node) -> None:
        operands = [self.known[value] for value in node.inputs]
        op: Op = ops.ReLU() if node.op.family is Family.NEURON else _timeless(node.op)
        try:
            new = self.edit.add_node(op, operands, node.name, node.location)
        except SpikecError as error:
            raise UnsupportedModel(
                f"{node.place} has no counterpart in a network without time",
                remedy="name one to compare with: dataclasses.replace(program, reference=…)",
            ) from error
        self.known.update(zip(node.outputs, new.outputs, strict=True))


def _timeless(op: Op) -> Op:
    """Give an op whose sizes, options that they are, hold no steps."""
    match op:
        case ops.Input(type=kind):
            return ops.Input(still(kind))
        case ops.Reshape(dims=dims):
            return ops.Reshape(without_time(dims))
    return op


def still(kind: TensorType) -> TensorType:
    """Give a type without its time axis."""
    return kind.analog().with_dims(without_time(kind.dims))
