"""Writes piecewise-linear activations as sums of ReLU and Clip(0, h), which neurons can compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikec.ir import Array, Editor, Node, Op, Value
from spikec.ir.ops import Add, Clip, Constant, HardSigmoid, LeakyReLU, Mul, Neg, PReLU, ReLU, Sub
from spikec.pipeline import Context, Pass


@dataclass(frozen=True)
class SplitActivations(Pass):
    """Exact rewritings, one per kind.

    LeakyReLU, PReLU:   y = ReLU(x) - slope ReLU(-x)
    Clip(a, b), a ≠ 0:  y = a + Clip(x - a; 0, b - a), without b: a + ReLU(x - a)
    Clip(0, ∞):         y = ReLU(x)
    HardSigmoid:        y = Clip(alpha x + beta; 0, 1)

    ::

        %y = LeakyReLU(%x; slope=0.1)     ->      %p = ReLU(%x)
                                                  %m = Neg(%x)
                                                  %n = ReLU(%m)
                                                  %s = Mul(%n, 0.1)
                                                  %y = Sub(%p, %s)
    """

    name: ClassVar[str] = "split-activations"

    def apply(self, edit: Editor, context: Context) -> None:
        for node in edit.graph.nodes:
            rule = RULES.get(type(node.op))
            if rule is not None:
                rule(Writer(edit, node))


@dataclass(frozen=True)
class Writer:
    """Writes nodes in place of one node."""

    edit: Editor
    node: Node

    @property
    def x(self) -> Value:
        return self.node.inputs[0]

    def add(self, op: Op, *operands: Value) -> Value:
        name = f"{self.node.name}_{type(op).__name__.lower()}"
        return self.edit.add(op, *operands, name=name, sources=(self.node,), before=self.node)

    def number(self, value: float | Array) -> Value:
        array = value if isinstance(value, Array) else Array(np.asarray(value))
        return self.add(Constant(Array(array.data, self.x.type.dtype.numpy.name)))

    def finish(self, value: Value) -> None:
        self.edit.replace(self.node.outputs[0], value)
        self.edit.remove(self.node)


def _leaky(write: Writer) -> None:
    op: Any = write.node.op
    positive = write.add(ReLU(), write.x)
    negative = write.add(ReLU(), write.add(Neg(), write.x))
    write.finish(write.add(Sub(), positive, write.add(Mul(), negative, write.number(op.slope))))


def _clip(write: Writer) -> None:
    op = write.node.op
    assert isinstance(op, Clip)
    low, high = op.low, op.high
    if low is None or (low == 0 and high is not None):
        return  # nothing to split: no lower bound is no ReLU, and Clip(0, h) is canonical
    ramp: Op = ReLU() if high is None else Clip(0.0, high - low)
    if low == 0:
        write.finish(write.add(ramp, write.x))
        return
    shifted = write.add(Sub(), write.x, write.number(low))
    write.finish(write.add(Add(), write.add(ramp, shifted), write.number(low)))


def _hard_sigmoid(write: Writer) -> None:
    op = write.node.op
    assert isinstance(op, HardSigmoid)
    scaled = write.add(Mul(), write.x, write.number(op.alpha))
    write.finish(write.add(Clip(0.0, 1.0), write.add(Add(), scaled, write.number(op.beta))))


RULES: Mapping[type[Op], Callable[[Writer], None]] = {
    LeakyReLU: _leaky,
    PReLU: _leaky,
    Clip: _clip,
    HardSigmoid: _hard_sigmoid,
}
