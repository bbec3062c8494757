"""Copies an analog graph into a spiking one: sites become neurons, and time spreads from them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Editor, Graph, Node, Op, Stage, T, Value, ops
from spikec.ir.ops import CumulativeSum, Difference, MeanReadout, Repeat, TimeScale
from spikec.pipeline.base import Context, Pass
from spikec.pipeline.roles import MAXIMUM, behind, carries_sums, gates, is_site, suffix

Around = tuple[Sequence[Op], Sequence[Op]]
"""ops in front of each operand of a function, and behind its result"""


@dataclass(frozen=True)
class SpikingRewrite(Pass):
    """Base of the rewrites, one per code; a subclass says what stands at the borders of time."""

    every_step: ClassVar[bool] = True
    """whether constants (biases) come at every step, or once"""
    keeps_signs: ClassVar[bool] = False
    """whether there are neurons for quantisers that keep negative values"""

    @abstractmethod
    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        """Give the neuron for a site: it stands for step · clip(round(x / step), 0, levels)."""

    @abstractmethod
    def source(self) -> Op:
        """Give the op that turns a static current into one over time."""

    @abstractmethod
    def readout(self, context: Context) -> Op:
        """Give the op that turns a current over time into the running estimate of its value."""

    def around(self, homogeneous: bool) -> Around:
        """Give the ops that make a function f one of decoded values: what it sends decodes to f.

        ``homogeneous`` tells that f(c x) = c f(x) for c > 0, as a maximum does; f of sums is then
        as good as f of means.  Sum code: y[t] = f(S[t]) - f(S[t-1]) with S[t] = Σ_{τ <= t} x[τ], so
        that Σ y = f(Σ x) after every step.
        """
        return (CumulativeSum(),), (Difference(),)

    def settle(self, graph: Graph, edit: Editor) -> None:
        """Finish the copied graph; by default there is nothing to do."""

    def apply(self, edit: Editor, context: Context) -> None:
        if edit.graph.stage is not Stage.ANALOG:
            return
        _check(edit.graph)
        _check_signs(edit.graph, self)
        copy = _Copy(self, edit.graph, context)
        copy.run()
        self.settle(copy.edit.graph, copy.edit)
        edit.become(copy.edit.graph)


@dataclass(frozen=True)
class MeanCode(SpikingRewrite):
    """Base of the codes whose decoded value is the mean over time."""

    def source(self) -> Op:
        return Repeat()

    def readout(self, context: Context) -> Op:
        return MeanReadout()

    def around(self, homogeneous: bool) -> Around:
        """y[t] = t f(S[t] / t) - (t-1) f(S[t-1] / (t-1)): the mean of y is f(mean of x).

        Of a product: Σ_{τ <= t} y[τ] = A[t] B[t] / t, with A and B the sums of its factors.
        """
        if homogeneous:
            return super().around(homogeneous)
        return (CumulativeSum(), TimeScale(-1)), (TimeScale(1), Difference())


def _check(graph: Graph) -> None:
    """Refuse what would be computed on events instead of on what they stand for."""
    between = behind(graph, is_site) - suffix(graph) - gates(graph)
    problems = [
        Problem(f"{type(node.op).__name__} of what neurons send", node.place)
        for node in graph
        if node in between and not carries_sums(node)
    ]
    if problems:
        raise UnsupportedModel(
            f"{graph.name!r} holds what no synapse does",
            expected="linear maps, max-pools and gates between neurons",
            remedy="check-convertible, put in front, says what to do about each",
            problems=problems,
        )


def _check_signs(graph: Graph, code: SpikingRewrite) -> None:
    """Refuse quantisers that keep negative values where no neuron of the code does."""
    sites = (
        [] if code.keeps_signs else [node for node in graph if isinstance(node.op, ops.QuantReLU)]
    )
    problems = [
        Problem(f"values down to {node.op.low} quanta", node.place)
        for node in sites
        if isinstance(node.op, ops.QuantReLU) and node.op.low < 0
    ]
    if problems:
        raise UnsupportedModel(
            f"{code.name} has no neurons for negative values",
            remedy="use spike-sum, or leave out quantise-between-weights",
            problems=problems,
        )


class _Copy:
    def __init__(self, code: SpikingRewrite, source: Graph, context: Context) -> None:
        self.code = code
        self.context = context
        self.source = source
        self.behind = suffix(source)
        self.gates = gates(source)
        self.edit = Editor(Graph(source.name, Stage.SPIKING), by=code.name)
        self.value: dict[Value, Value] = {}
        self.summed: dict[tuple[Value, bool], Value] = {}

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
        over_time = sum(not value.type.is_static for value in operands)
        single = isinstance(node.op, ops.Mul) and over_time < 2  # linear in what moves
        if isinstance(node.op, MAXIMUM) and timed:
            self._function(node, operands, homogeneous=True)
        elif node in self.gates and timed and not single:
            self._function(node, operands, homogeneous=False)
        else:
            self._copy(node, operands)

    def _function(self, node: Node, operands: list[Value], homogeneous: bool) -> None:
        """Apply a function to what its operands stand for so far, and send what has changed."""
        before, after = self.code.around(homogeneous)
        add, at = self.edit.add, node.location
        decoded = [self._summed(x, before, homogeneous) for x in operands]
        value = result = add(node.op, *decoded, name=node.name, location=at)
        for op in after:
            name = f"{node.name}_{type(op).__name__.lower()}"
            result = add(op, result, name=name, location=at)
        self.summed[result, homogeneous] = value  # what the next function would add up again
        self._bind(node, result)

    def _summed(self, x: Value, before: Sequence[Op], homogeneous: bool) -> Value:
        """Sum a current for those functions that read it, once."""
        key = (x, homogeneous)
        if key not in self.summed:
            value, origin = x, x.producer
            for op in before:
                name = f"{origin.name}_{type(op).__name__.lower()}"
                value = self.edit.add(op, value, name=name, location=origin.location)
            self.summed[key] = value
        return self.summed[key]

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
