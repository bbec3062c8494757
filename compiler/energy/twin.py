"""The network that a spiking one stands for, on numbers: what energy is compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from spikec.errors import SpikecError, UnsupportedModel
from spikec.ir import Editor, Graph, Node, Op, Stage, TensorType, Timing, Value, ops
from spikec.ir.dims import without_time
from spikec.ir.op import Family, ScanOp
from spikec.ir.ops.coding import Encoder, FromStatic
from spikec.ir.ops.readout import OverTime, Readout


def analog_twin(graph: Graph) -> Graph:
    """Give an analog graph as it is; of a spiking one, the same layers without time.

    Neurons become ReLUs.  What encodes, integrates or reads out falls away: of the part in front of
    an encoder that shows something else at each step (DCT-SNN), so does everything, and the twin
    begins with one of its frames.  Where layers mix steps (wavelets over time), there is no network
    without time: the twin is then the same layers on numbers, at every step.
    """
    if graph.stage is Stage.ANALOG:
        return graph
    mixes = any(n.timing is Timing.WHOLE and not isinstance(n.op, OverTime) for n in graph)
    return (_Clip if mixes else _Still)(graph).run()


class _Copy(ABC):
    """Copies a graph with ReLUs for neurons."""

    stage: ClassVar[Stage]

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.edit = Editor(Graph(graph.name, self.stage), by="analog_twin")
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
        return self._only_times(node.op)

    @abstractmethod
    def _only_times(self, op: Op) -> bool:
        """Tell whether an op, no neuron, is left out."""

    @abstractmethod
    def _counterpart(self, op: Op) -> Op:
        """Give an op on numbers."""

    @abstractmethod
    def _operand(self, node: Node) -> Value:
        """Give what stands for the result of a node that falls away."""

    def _copy(self, node: Node) -> None:
        operands = [self.known[value] for value in node.inputs]
        op: Op = ops.ReLU() if node.op.family is Family.NEURON else self._counterpart(node.op)
        try:
            new = self.edit.add_node(op, operands, node.name, node.location)
        except SpikecError as error:
            raise UnsupportedModel(
                f"{node.place} has no counterpart in an analog network",
                remedy="name one to compare with: dataclasses.replace(program, reference=…)",
            ) from error
        self.known.update(zip(node.outputs, new.outputs, strict=True))


class _Still(_Copy):
    """Without the time axis."""

    stage = Stage.ANALOG

    def _only_times(self, op: Op) -> bool:
        return isinstance(op, ScanOp | OverTime)

    def _operand(self, node: Node) -> Value:
        operand, wanted = self.known[node.inputs[0]], still(node.outputs[0].type)
        if operand.type.dims == wanted.dims:
            return operand
        return self.edit.input(node.name, wanted, node.location)

    def _counterpart(self, op: Op) -> Op:
        """Let sizes, options that they are, hold no steps."""
        match op:
            case ops.Input(type=kind):
                return ops.Input(still(kind))
            case ops.Reshape(dims=dims):
                return ops.Reshape(without_time(dims))
        return op


class _Clip(_Copy):
    """With the time axis, and numbers along it."""

    stage = Stage.SPIKING  # the only one that has time

    def _only_times(self, op: Op) -> bool:
        return isinstance(op, Encoder | Readout)

    def _operand(self, node: Node) -> Value:
        return self.known[node.inputs[0]]

    def _counterpart(self, op: Op) -> Op:
        match op:
            case ops.Input(type=kind):
                return ops.Input(kind.analog())
            case ops.AndOverTime(axis=axis):
                return ops.ReduceMin((axis,), keepdims=False)
        return op


def still(kind: TensorType) -> TensorType:
    """Give a type without its time axis."""
    return kind.analog().with_dims(without_time(kind.dims))
