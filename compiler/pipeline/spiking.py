"""Copies an analog graph into a spiking one: sites become neurons, and time spreads from them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from spikec.ir import Editor, Graph, Node, Op, Stage, T, Value, ops
from spikec.ir.ops import temporal
from spikec.pipeline.base import Context, Pass

LINEAR: tuple[type[Op], ...] = (
    *(ops.Linear, ops.Conv, ops.ConvTranspose, ops.Scale),
    *(ops.Add, ops.Sub, ops.Neg, ops.Mul, ops.Div),
    *(ops.AvgPool, ops.SumPool, ops.AdaptiveAvgPool, ops.ReduceSum, ops.ReduceMean),
    *(ops.Reshape, ops.Permute, ops.Slice, ops.Flip, ops.Pad, ops.Concat, ops.Expand, ops.Tile),
    *(ops.Gather, ops.Resize, ops.PixelShuffle, ops.PixelUnshuffle, ops.Roll),
)
"""Ops that map a sum over time to the sum of their results (Mul and Div: by a constant)."""

_OTHERS: tuple[type[Op], ...] = (ops.QuantReLU, ops.Input, ops.Output, ops.Constant)

MAXIMUM: tuple[type[Op], ...] = (ops.MaxPool, ops.AdaptiveMaxPool, ops.ReduceMax)
"""Ops that become exact by the difference of cumulative maxima."""


def is_site(node: Node) -> bool:
    """Tell whether a neuron will stand here."""
    return isinstance(node.op, ops.QuantReLU)


def is_activation(node: Node) -> bool:
    """Tell whether a neuron can compute this: ReLU, or Clip(0, h)."""
    op = node.op
    clipped = isinstance(op, ops.Clip) and op.low == 0 and op.high is not None and op.high > 0
    return clipped or isinstance(op, ops.ReLU)


def suffix(graph: Graph) -> set[Node]:
    """Give the nodes behind the decoded value: a Scale, or non-linear ones, with no site behind.

    A softmax on the logits, say: it is applied to the decoded estimate of each step.
    """
    leads_to_site: set[Node] = set()
    for node in reversed(graph.nodes):
        users = [user for value in node.outputs for user in value.users]
        if is_site(node) or any(user in leads_to_site for user in users):
            leads_to_site.add(node)
    found: set[Node] = set()
    for node in graph:
        behind = any(value.producer in found for value in node.inputs)
        inner = bool(node.inputs) and not isinstance(node.op, ops.Output)
        last = behind or isinstance(node.op, ops.Scale) or not carries_sums(node)
        if inner and node not in leads_to_site and last:
            found.add(node)
    return found


def carries_sums(node: Node) -> bool:
    """Tell whether the node may stand between neurons."""
    if isinstance(node.op, ops.Mul | ops.Div):
        constant = [isinstance(v.producer.op, ops.Constant) for v in node.inputs]
        return constant[1] or (constant[0] and isinstance(node.op, ops.Mul))
    if isinstance(node.op, ops.Pad) and node.op.mode is ops.PadMode.CONSTANT:
        return node.op.value == 0  # another value would come at every step
    return isinstance(node.op, (*LINEAR, *MAXIMUM, *_OTHERS))


@dataclass(frozen=True)
class SpikingRewrite(Pass):
    """Base of the rewrites, one per code; a subclass says what stands at the borders of time."""

    every_step: ClassVar[bool] = True
    """whether constants (biases) come at every step, or once"""

    @abstractmethod
    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        """Give the neuron for a site: it stands for step · clip(round(x / step), 0, levels)."""

    @abstractmethod
    def source(self) -> Op:
        """Give the op that turns a static current into one over time."""

    @abstractmethod
    def readout(self, context: Context) -> Op:
        """Give the op that turns a current over time into the running estimate of its value."""

    def around_maximum(self) -> tuple[Op, Op]:
        """Give the ops in front of a maximum and behind it, so that it is one of decoded values.

        y[t] = max S[t] - max S[t-1] with S[t] = Σ_{τ ≤ t} x[τ]: Σ y = max Σ x, always.
        """
        return temporal.CumulativeSum(), temporal.Difference()

    def settle(self, graph: Graph, edit: Editor) -> None:
        """Finish the copied graph; by default there is nothing to do."""

    def apply(self, edit: Editor, context: Context) -> None:
        if edit.graph.stage is not Stage.ANALOG:
            return
        copy = _Copy(self, edit.graph, context)
        copy.run()
        self.settle(copy.edit.graph, copy.edit)
        edit.become(copy.edit.graph)


class _Copy:
    def __init__(self, code: SpikingRewrite, source: Graph, context: Context) -> None:
        self.code = code
        self.context = context
        self.source = source
        self.behind = suffix(source)
        self.edit = Editor(Graph(source.name, Stage.SPIKING), by=code.name)
        self.value: dict[Value, Value] = {}

    def run(self) -> None:
        for node in self.source:
            if is_site(node):
                self._site(node)
            elif isinstance(node.op, ops.Output) or node in self.behind:
                self._behind(node)
            else:
                self._between(node)

    def _site(self, node: Node) -> None:
        assert isinstance(node.op, ops.QuantReLU)
        x = self._timed(self.value[node.inputs[0]], node)
        neuron = self.code.neuron(node.op, self.context)
        self._bind(node, self.edit.add(neuron, x, name=node.name, location=node.location))

    def _behind(self, node: Node) -> None:
        """Decode what comes from neurons, then go on with the decoded estimates."""
        operands = []
        for old in node.inputs:
            value = self.value[old]
            if old.producer not in self.behind and not value.type.is_static:
                value = self._decoded(old, value)
            operands.append(value)
        self._copy(node, operands)

    def _decoded(self, old: Value, value: Value) -> Value:
        name = f"{old.producer.name}_readout"
        if name in self.edit.graph:
            return self.edit.graph[name].outputs[0]
        readout = self.code.readout(self.context)
        return self.edit.add(readout, value, name=name, location=old.producer.location)

    def _between(self, node: Node) -> None:
        operands = [self.value[value] for value in node.inputs]
        timed = any(not value.type.is_static for value in operands)
        if timed and isinstance(node.op, self._needs_time):
            rank = max(value.type.rank for value in operands) - 1
            operands = [self._timed(self._ranked(value, rank), node) for value in operands]
        if timed and isinstance(node.op, MAXIMUM):
            self._maximum(node, operands[0])
        else:
            self._copy(node, operands)

    def _maximum(self, node: Node, x: Value) -> None:
        at, add = node.location, self.edit.add
        before, behind = self.code.around_maximum()
        total = add(before, x, name=f"{node.name}_sum", location=at)
        most = add(node.op, total, name=node.name, location=at)
        change = add(behind, most, name=f"{node.name}_change", location=at)
        self._bind(node, change)

    @property
    def _needs_time(self) -> tuple[type[Op], ...]:
        """Ops whose static operands must come over time as well.

        Where a constant comes at every step it may as well stay static beside a sum.
        """
        return (ops.Concat,) if self.code.every_step else (ops.Concat, ops.Add, ops.Sub)

    def _ranked(self, value: Value, rank: int) -> Value:
        """Give a static value leading axes of size 1, so that the time axis meets time."""
        if not value.type.is_static or value.type.rank >= rank:
            return value
        dims = (1,) * (rank - value.type.rank) + value.type.dims
        return self.edit.add(ops.Reshape(dims), value, name=f"{value.producer.name}_wide")

    def _timed(self, value: Value, reader: Node) -> Value:
        """Give a static value its time axis."""
        if not value.type.is_static:
            return value
        name = f"{value.producer.name}_over_time"
        if name in self.edit.graph:
            return self.edit.graph[name].outputs[0]
        return self.edit.add(self.code.source(), value, name=name, location=reader.location)

    def _copy(self, node: Node, operands: list[Value]) -> None:
        timed = any(not value.type.is_static for value in operands)
        op = lifted(node.op) if timed else node.op
        new = self.edit.add_node(op, operands, name=node.name, location=node.location)
        self.value.update(zip(node.outputs, new.outputs, strict=True))

    def _bind(self, node: Node, value: Value) -> None:
        self.value[node.outputs[0]] = value


def lifted(op: Op) -> Op:
    """Give the op that does the same at each step of a leading time axis.

    Axes count from the end, so that most ops already do; two name all their sizes.
    """
    rule = _LIFTED.get(type(op))
    return op if rule is None else rule(op)


def _with_time(op: Op) -> Op:
    assert isinstance(op, ops.Reshape | ops.Expand)
    return replace(op, dims=(T, *op.dims))


_LIFTED: Mapping[type[Op], Callable[[Op], Op]] = {ops.Reshape: _with_time, ops.Expand: _with_time}
