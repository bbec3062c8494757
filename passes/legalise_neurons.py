"""Rewrites neurons of kinds that a target lacks into kinds that it has, where that is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Array, Editor, Family, Node, Value, ops
from spikec.ir.ops import Comparison, Decision, IntegrateFire, Leak, Negative, Reset
from spikec.pipeline import Context, Exactly, Pass, Promise
from spikec.pipeline.wholeness import first_fractions, whole_values
from spikec.target import Rule, examine, load_target, partition
from spikec.target.model import NeuronKind, Target
from spikec.target.neuron_rules import node_violations
from spikec.target.reach import shape_of

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class LegaliseNeurons(Pass):
    """Four rewrites, each where the target lacks what stands there:

    - a reset potential r (hard reset, no leak): v, θ, v(0) become v - r, θ - r, v(0) - r;
    - decision before the input (soft reset, no leak, v(0) fires nothing): the neuron that decides
      behind it, with its events one step later;
    - ``>=`` where there is ``>`` alone, in whole numbers: soft reset v(0) + 1, hard reset θ - 1;
      the other way round v(0) - 1 and θ + 1;
    - an initial potential: a current v(0) in the first step, where the target has Impulse.

    Negative events need a sign: a neuron for each sign would not know what the other has sent.
    What remains that the target's neurons cannot do is listed in one error.
    """

    target: str

    name: ClassVar[str] = "legalise-neurons"
    promise: ClassVar[Promise] = Exactly(1e-6)

    def apply(self, edit: Editor, context: Context) -> None:
        target = load_target(self.target)
        chip = partition(edit.graph, target).chip
        for node in chip:
            kind = target.neurons.get(IntegrateFire)
            if kind is not None and isinstance(node.op, IntegrateFire):
                _Neuron(edit, node, kind, target).legalise()
        neurons = [n for n in partition(edit.graph, target).chip if n.op.family is Family.NEURON]
        found = [v.problem for node in neurons for v in node_violations(node, target)]
        if found:
            what = f"{target.name} has no neurons that do what these do"
            problems = [*_causes(edit, target), *_fractions(edit, target), *found]
            raise UnsupportedModel(what, problems=list(dict.fromkeys(problems)))


def _causes(edit: Editor, target: Target) -> list[Problem]:
    """Give what else the target cannot do: it may be why neurons could not be rewritten."""
    sizes = (Rule.CAPACITY, Rule.FAN_IN, Rule.FAN_OUT)
    return [v.problem for v in examine(edit.graph, target).violations if v.rule not in sizes]


def _fractions(edit: Editor, target: Target) -> Iterator[Problem]:
    """Give the nodes for which comparisons could not be rewritten: they need whole numbers."""
    kind = target.neurons.get(IntegrateFire)
    allowed = None if kind is None else kind.options.get("comparison")
    for node in partition(edit.graph, target).chip:
        if allowed is None or not isinstance(node.op, IntegrateFire):
            continue
        if node.op.comparison not in allowed:
            for cause in first_fractions(edit.graph, node.inputs[0]):
                what = f"what {type(cause.op).__name__} gives need not be whole"
                remedy = "quantise-input, or convert in whole numbers (--input-bits)"
                yield Problem(what, cause.place, "whole numbers", remedy)


@dataclass
class _Neuron:
    """A neuron that is being rewritten."""

    edit: Editor
    node: Node
    kind: NeuronKind
    target: Target

    def legalise(self) -> None:
        for rule in _RULES:
            op = self.op
            changed = rule(self, op)
            if changed is not None and changed != op:
                self.edit.change_op(self.node, changed)

    @property
    def op(self) -> IntegrateFire:
        assert isinstance(self.node.op, IntegrateFire)
        return self.node.op

    def has(self, name: str, member: Enum) -> bool:
        """Tell whether the target's neurons know an option."""
        return member in self.kind.options.get(name, (member,))

    def at_zero(self, op: IntegrateFire) -> IntegrateFire | None:
        """Shift potentials so that the reset is to 0."""
        r = op.reset_potential
        if "reset_potential" not in self.kind.absent or r is None or not _plain(op):
            return None
        threshold, v0 = _data(op.threshold) - _data(r), _data(op.v0) - _data(r)
        if not (threshold > 0).all():
            return None
        valued = _with_amplitude(op)
        return replace(valued, threshold=_array(threshold), v0=_start(v0), reset_potential=None)

    def behind_input(self, op: IntegrateFire) -> IntegrateFire | None:
        """Decide in the step of the input, and send one step later."""
        if self.has("decision", op.decision) or op.decision is not Decision.BEFORE_INPUT:
            return None
        quiet = _data(op.v0) < _data(op.threshold)
        if not _plain(op) or op.reset is not Reset.SOFT or not quiet.all():
            return None
        value = self.node.outputs[0]
        readers = tuple(value.users)
        late = self.edit.add(
            ops.Delay(1),
            value,
            name=f"{self.node.name}_late",
            sources=(self.node,),
            before=readers[0] if readers else None,
        )
        for reader in readers:
            self.edit.rewire(reader, tuple(late if v is value else v for v in reader.inputs))
        return replace(op, decision=Decision.AFTER_INPUT)

    def compared(self, op: IntegrateFire) -> IntegrateFire | None:
        """Move whole potentials, or thresholds, by one."""
        wanted = Comparison.ABOVE if op.comparison is Comparison.AT_LEAST else Comparison.AT_LEAST
        if self.has("comparison", op.comparison) or not self.has("comparison", wanted):
            return None
        if not _plain(op) or not self._whole(op):
            return None
        up = 1.0 if wanted is Comparison.ABOVE else -1.0
        if op.reset is Reset.SOFT:
            return replace(op, comparison=wanted, v0=_start(_data(op.v0) + up))
        threshold = _data(op.threshold) - up
        if not (threshold > 0).all():
            return None
        return replace(_with_amplitude(op), comparison=wanted, threshold=_array(threshold))

    def _whole(self, op: IntegrateFire) -> bool:
        numbers = (op.threshold, op.v0, op.reset_potential)
        whole = all((_data(n) == np.round(_data(n))).all() for n in numbers)
        return whole and self.node.inputs[0] in whole_values(self.edit.graph)

    def started(self, op: IntegrateFire) -> IntegrateFire | None:
        """Let the initial potential come as a current."""
        if "v0" not in self.kind.absent or op.v0 is None:
            return None
        if not issubclass(ops.Impulse, self.target.operations.allowed.value):
            return None
        current = self.node.inputs[0]
        if current.type.time_axis != -current.type.rank:
            return None
        kick = self._impulse(current, op.v0)
        total = self.edit.add(
            ops.Add(),
            current,
            kick,
            name=f"{self.node.name}_started",
            sources=(self.node,),
            before=self.node,
        )
        self.edit.rewire(self.node, (total,))
        return replace(op, v0=None)

    def _impulse(self, current: Value, v0: Array) -> Value:
        """Give v(0) as a current that comes in the first step alone."""
        name = self.node.name
        sizes = shape_of(current.type)[1:]
        tail = (1,) * (len(sizes) - v0.ndim) + v0.shape
        data = v0.data.astype(current.type.dtype.numpy).reshape(tail)
        constant = self.edit.add(
            ops.Constant(Array(data)), name=f"{name}_v0", sources=(self.node,), before=self.node
        )
        return self.edit.add(
            ops.Impulse(), constant, name=f"{name}_kick", sources=(self.node,), before=self.node
        )


def _plain(op: IntegrateFire) -> bool:
    """Tell that potentials can be shifted: nothing depends on where their zero is."""
    return op.leak is Leak.NONE and op.negative is Negative.NONE


def _with_amplitude(op: IntegrateFire) -> IntegrateFire:
    """Let events keep their value where the threshold moves."""
    return replace(op, amplitude=op.threshold) if op.amplitude is None else op


def _data(array: Array | None) -> Numbers:
    return np.zeros(()) if array is None else array.data.astype(np.float64)


def _array(data: Numbers) -> Array:
    return Array(np.asarray(data, np.float32))


def _start(data: Numbers) -> Array | None:
    return _array(data) if data.any() else None


_RULES: tuple[Callable[[_Neuron, IntegrateFire], IntegrateFire | None], ...] = (
    _Neuron.at_zero,
    _Neuron.behind_input,
    _Neuron.compared,
    _Neuron.started,
)
"""in this order: a comparison moves the initial potential, which then has to come somehow"""
