"""Copies an analog graph into a spiking one: sites become neurons, and time spreads from them."""

from __future__ import annotations

import string
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Editor, Graph, Node, Op, Stage, T, Value, ops
from spikec.ir.ops import CumulativeSum, Difference, MeanReadout, Repeat, TimeScale
from spikec.pipeline.base import Context, Pass
from spikec.pipeline.roles import (
    MAXIMUM,
    PRODUCTS,
    WEIGHTED,
    behind,
    carries_sums,
    gates,
    is_site,
    suffix,
)

Around = tuple[Sequence[Op], Sequence[Op]]
"""ops in front of each operand of a function, and behind its result"""


@dataclass(frozen=True)
class SpikingRewrite(Pass):
    """Base of the rewrites, one per code; a subclass says what stands at the borders of time."""

    every_step: ClassVar[bool] = True
    """whether constants (biases) come at every step, or once"""
    keeps_signs: ClassVar[bool] = False
    """whether there are neurons for quantisers that keep negative values"""
    functions: ClassVar[bool] = False
    """whether any function may stand between neurons, or maxima and gates only"""
    telescopes: ClassVar[bool] = False
    """whether a[t] B[t] + A[t-1] b[t] is what a product changes by, A and B being decoded"""

    frames: ClassVar[bool] = False
    """whether an input is another frame at each step, or the same sample all the time"""

    @abstractmethod
    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        """Give the neuron for a site: it stands for step · clip(round(x / step), 0, levels)."""

    @abstractmethod
    def source(self) -> Op:
        """Give the op that turns a static current into one over time."""

    @abstractmethod
    def readout(self, context: Context) -> Op:
        """Give the op that turns a current over time into the running estimate of its value."""

    def arriving(self) -> tuple[Op, ...]:
        """Give the ops between a current and the neuron that it reaches."""
        return ()

    def around(self, homogeneous: bool) -> Around:
        """Give the ops that make a function f one of decoded values: what it sends decodes to f.

        ``homogeneous`` tells that f(c x) = c f(x) for c > 0, as a maximum does; f of sums is then
        as good as f of means.  Sum code: y[t] = f(S[t]) - f(S[t-1]) with S[t] = Σ_{τ <= t} x[τ], so
        that Σ y = f(Σ x) after every step.
        """
        return (CumulativeSum(),), (Difference(),)

    def on_decoded(self, graph: Graph) -> set[Node]:
        """Give the sums and moves that must see what has been decoded, and not what it changes by.

        None, where changes of what they give are what they give of changes, up to rounding.
        """
        return set()

    def settle(self, graph: Graph, edit: Editor) -> None:
        """Finish the copied graph; by default there is nothing to do."""

    def apply(self, edit: Editor, context: Context) -> None:
        if edit.graph.stage is not Stage.ANALOG:
            return
        if not self.functions:
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
    """A copy over time, in which a value has up to two forms.

    Its *changes*: what each step brings, as events and the currents that they cause; and what has
    been *decoded* so far, which functions read and give.  One is made of the other on demand, once.
    """

    def __init__(self, code: SpikingRewrite, source: Graph, context: Context) -> None:
        self.code = code
        self.context = context
        self.source = source
        self.behind = suffix(source)
        self.gates = gates(source)
        self.on_decoded = code.on_decoded(source)
        self.edit = Editor(Graph(source.name, Stage.SPIKING), by=code.name)
        self.value: dict[Value, Value] = {}
        """static values, changes, and estimates behind the read-out"""
        self.decoded: dict[tuple[Value, bool], Value] = {}
        """by value, and whether for functions that are homogeneous"""
        self.functional: set[Value] = set()
        """what comes from functions: decoded in the first place"""

    def run(self) -> None:
        for node in self.source:
            if is_site(node):
                self._site(node)
            elif isinstance(node.op, ops.Input) and self.code.frames:
                self._frames(node, node.op)
            elif isinstance(node.op, ops.Output) or node in self.behind:
                self._behind(node)
            else:
                self._between(node)

    def _frames(self, node: Node, op: ops.Input) -> None:
        """Let an input come over time: it needs no decoding."""
        over_time = replace(op.type, dims=(T, *op.type.dims))
        self._bind_decoded(node, [], False, ops.Input(over_time))

    def _site(self, node: Node) -> None:
        assert isinstance(node.op, ops.QuantReLU)
        x = self._timed(self._changes(node.inputs[0]), node)
        x = self._through(self.code.arriving(), x, node)
        neuron = self.code.neuron(node.op, self.context)
        self._bind(node, self.edit.add(neuron, x, name=node.name, location=node.location))

    def _behind(self, node: Node) -> None:
        """Decode what comes from neurons, then go on with the decoded estimates."""
        operands = []
        for old in node.inputs:
            known = old.producer in self.behind or not self._is_timed(old)
            operands.append(self.value[old] if known else self._estimate(old))
        self._copy(node, operands)

    def _estimate(self, old: Value) -> Value:
        if old in self.functional:
            return self.decoded[old, False]
        name = f"{old.producer.name}_readout"
        if name in self.edit.graph:
            return self.edit.graph[name].outputs[0]
        readout = self.code.readout(self.context)
        return self.edit.add(readout, self.value[old], name=name, location=old.producer.location)

    def _between(self, node: Node) -> None:
        timed = [value for value in node.inputs if self._is_timed(value)]
        if self._is_function(node, timed):
            if self.code.telescopes and isinstance(node.op, PRODUCTS) and len(timed) == 2:
                self._product(node)
            else:
                self._function(node)
        elif timed and self._stays_decoded(node, timed):
            self._go_on_decoded(node)
        else:
            operands = [self._changes(value) for value in node.inputs]
            if timed and isinstance(node.op, self._needs_time):
                operands = [self._timed(x, node) for x in self._ranked(operands)]
            self._copy(node, operands)

    def _is_function(self, node: Node, timed: Sequence[Value]) -> bool:
        """Tell whether changes of the operands do not say what the result changes by."""
        if not timed:
            return False
        if isinstance(node.op, MAXIMUM):
            return True
        linear = isinstance(node.op, (ops.Mul, *PRODUCTS)) and len(timed) == 1
        linear |= isinstance(node.op, ops.Div) and not self._is_timed(node.inputs[1])
        between = self.code.functions and not carries_sums(node)
        return not linear and (between or node in self.gates)

    def _stays_decoded(self, node: Node, timed: Sequence[Value]) -> bool:
        """Tell whether a linear map works on decoded values."""
        made = self.functional.issuperset(timed) and not isinstance(node.op, WEIGHTED)
        return made or node in self.on_decoded

    def _function(self, node: Node) -> None:
        """Apply a function to what its operands stand for so far."""
        timed = [value for value in node.inputs if self._is_timed(value)]
        plain = any((value, False) in self.decoded for value in timed)
        homogeneous = isinstance(node.op, MAXIMUM) and not plain
        operands = [
            self._decoded(value, homogeneous) if self._is_timed(value) else self.value[value]
            for value in node.inputs
        ]
        self._bind_decoded(node, operands, homogeneous)

    def _go_on_decoded(self, node: Node) -> None:
        """Apply a linear map to what functions give."""
        operands = [
            self._decoded(value, False) if self._is_timed(value) else self.value[value]
            for value in node.inputs
        ]
        if isinstance(node.op, ops.Concat):  # a constant stands beside it at every step
            operands = [self._repeated(x, node) for x in self._ranked(operands)]
        self._bind_decoded(node, operands, False)

    def _bind_decoded(
        self, node: Node, operands: Sequence[Value], homogeneous: bool, op: Op | None = None
    ) -> None:
        op = op or lifted(node.op, operands)
        new = self.edit.add_node(op, operands, name=node.name, location=node.location)
        for old, value in zip(node.outputs, new.outputs, strict=True):
            self.decoded[old, homogeneous] = value
            if homogeneous:
                self._encoded(old, homogeneous)
            else:
                self.functional.add(old)

    def _product(self, node: Node) -> None:
        """y[t] = a[t] B[t] + A[t-1] b[t]: one operand of each product is events."""
        a, b = (self._changes(value) for value in node.inputs)
        so_far = [self._decoded(value, False) for value in node.inputs]
        add, at, name = self.edit.add, node.location, node.name
        op = lifted(node.op, [a, b])
        before = add(ops.Delay(), so_far[0], name=f"{name}_before", location=at)
        first = add(op, a, so_far[1], name=f"{name}_first", location=at)
        second = add(op, before, b, name=f"{name}_second", location=at)
        self._bind(node, add(ops.Add(), first, second, name=name, location=at))

    def _changes(self, old: Value) -> Value:
        """Give a static value, or what each step brings of one over time."""
        if old not in self.value:
            self._encoded(old, False)
        return self.value[old]

    def _encoded(self, old: Value, homogeneous: bool) -> None:
        """Send what has changed of a decoded value."""
        _, after = self.code.around(homogeneous)
        self.value[old] = self._through(after, self.decoded[old, homogeneous], old.producer)

    def _decoded(self, old: Value, homogeneous: bool) -> Value:
        """Decode a current for those functions that read it, once."""
        key = (old, homogeneous)
        if key not in self.decoded:
            before, _ = self.code.around(homogeneous)
            self.decoded[key] = self._through(before, self.value[old], old.producer)
        return self.decoded[key]

    def _through(self, steps: Sequence[Op], value: Value, origin: Node) -> Value:
        for op in steps:
            name = f"{origin.name}_{type(op).__name__.lower()}"
            value = self.edit.add(op, value, name=name, location=origin.location)
        return value

    def _is_timed(self, old: Value) -> bool:
        return old in self.functional or not self.value[old].type.is_static

    @property
    def _needs_time(self) -> tuple[type[Op], ...]:
        """Ops whose static operands must come over time as well.

        Where a constant comes at every step it may as well stay static beside a sum.
        """
        return (ops.Concat,) if self.code.every_step else (ops.Concat, ops.Add, ops.Sub)

    def _ranked(self, operands: Sequence[Value]) -> list[Value]:
        """Give static values leading axes of size 1, so that the time axis meets time."""
        rank = max(value.type.rank - (not value.type.is_static) for value in operands)
        return [self._wide(value, rank) for value in operands]

    def _wide(self, value: Value, rank: int) -> Value:
        if not value.type.is_static or value.type.rank >= rank:
            return value
        dims = (1,) * (rank - value.type.rank) + value.type.dims
        return self.edit.add(ops.Reshape(dims), value, name=f"{value.producer.name}_wide")

    def _timed(self, value: Value, reader: Node) -> Value:
        """Give a static value its time axis, as the code sends constants."""
        return self._spread(value, self.code.source(), "over_time", reader)

    def _repeated(self, value: Value, reader: Node) -> Value:
        """Give a static value at every step."""
        return self._spread(value, Repeat(), "at_each_step", reader)

    def _spread(self, value: Value, op: Op, how: str, reader: Node) -> Value:
        if not value.type.is_static:
            return value
        name = f"{value.producer.name}_{how}"
        if name in self.edit.graph:
            return self.edit.graph[name].outputs[0]
        return self.edit.add(op, value, name=name, location=reader.location)

    def _copy(self, node: Node, operands: Sequence[Value]) -> None:
        op = lifted(node.op, operands)
        new = self.edit.add_node(op, operands, name=node.name, location=node.location)
        self.value.update(zip(node.outputs, new.outputs, strict=True))

    def _bind(self, node: Node, value: Value) -> None:
        self.value[node.outputs[0]] = value


def lifted(op: Op, operands: Sequence[Value]) -> Op:
    """Give the op that does the same at each step of a leading time axis of these operands.

    Axes count from the end, so that most ops already do; some name all their sizes or axes.
    """
    timed = [not value.type.is_static for value in operands]
    rule = _LIFTED.get(type(op))
    return op if rule is None or not any(timed) else rule(op, timed)


def _with_time(op: Op, timed: Sequence[bool]) -> Op:
    assert isinstance(op, ops.Reshape | ops.Expand)
    return replace(op, dims=(T, *op.dims))


def _einsum_with_time(op: Op, timed: Sequence[bool]) -> Op:
    """Give each term over time, and the result, one more letter in front."""
    assert isinstance(op, ops.Einsum)
    left, _, right = op.equation.replace(" ", "").partition("->")
    letter = next(c for c in string.ascii_letters if c not in op.equation)
    terms = [letter * now + term for term, now in zip(left.split(","), timed, strict=True)]
    return ops.Einsum(f"{','.join(terms)}->{letter}{right}")


_LIFTED: Mapping[type[Op], Callable[[Op, Sequence[bool]], Op]] = {
    ops.Reshape: _with_time,
    ops.Expand: _with_time,
    ops.Einsum: _einsum_with_time,
}
