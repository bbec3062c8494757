"""Values in a form of their own: the same for some steps, or as whole numbers of quanta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spikec.ir.graph import Node
from spikec.ir.ops.affine import Conv, Linear
from spikec.ir.ops.coding import Cycle, Impulse


@dataclass(frozen=True)
class Pulse:
    """A value that is the same for some steps and 0 from then on."""

    x: Tensor
    """[steps, ...], all steps on the same memory"""
    on: int
    """steps before it falls silent"""

    def whole(self) -> Tensor:
        """Give the value with memory of its own."""
        y = self.x.clone()
        y[self.on :] = 0
        return y


@dataclass(frozen=True)
class Quanta:
    """Events as bytes: the value is amplitude · (k - zero)."""

    k: Tensor
    zero: int
    amplitude: float
    x: Tensor | None
    """the value itself, where somebody needs it"""

    def whole(self) -> Tensor:
        """Give the value."""
        if self.x is not None:
            return self.x
        return self.k.to(torch.float32).sub_(self.zero).mul_(self.amplitude)


@dataclass(frozen=True)
class Sum:
    """Two values of equal sizes whose sum nobody has written down yet."""

    a: Tensor
    b: Tensor | Quanta

    def whole(self) -> Tensor:
        """Give the sum."""
        return self.a + whole(self.b)


Operand = Tensor | Pulse | Quanta | Sum


def whole(x: Operand) -> Tensor:
    """Give any operand as a tensor."""
    return x if isinstance(x, Tensor) else x.whole()


def added(node: Node, operands: Sequence[Operand], spent: Sequence[bool], lazy: bool) -> Operand:
    """Add two operands; ``spent`` ones have no other reader, ``lazy`` may put it off.

    An impulse is added to the steps that it lasts: to a convolution's result in place.
    """
    rows = zip(operands, operands[::-1], spent, node.inputs, strict=True)
    for x, pulse, last, value in rows:
        if isinstance(pulse, Pulse) and isinstance(x, Tensor) and _covers(x, pulse.x):
            own = last and isinstance(value.producer.op, Linear | Conv)
            y = x if own else x.clone()
            y[: pulse.on] += pulse.x[: pulse.on]
            return y
    a, b = operands
    if isinstance(a, Quanta):
        a, b = b, a
    first, second = whole(a), b if isinstance(b, Quanta) else whole(b)
    if lazy and (second.k if isinstance(second, Quanta) else second).shape == first.shape:
        return Sum(first, second)
    return first + whole(second)


def _covers(x: Tensor, y: Tensor) -> bool:
    """Tell whether y broadcasts into x, step by step."""
    return x.dim() == y.dim() and x.shape == np.broadcast_shapes(x.shape, y.shape)


class Repeated:
    """The op Repeat."""

    def advance(self, operands: Sequence[Operand], first: int, count: int) -> tuple[Tensor, ...]:
        """Give the same memory at each step."""
        x = whole(operands[0])
        return (x.unsqueeze(0).expand(count, *x.shape),)


class Pulsed:
    """The op Impulse."""

    def __init__(self, op: Impulse) -> None:
        self.steps = op.steps

    def advance(self, operands: Sequence[Operand], first: int, count: int) -> tuple[Pulse, ...]:
        """Give the same memory while the impulse lasts."""
        x = whole(operands[0])
        share = x if self.steps == 1 else x / self.steps
        on = min(max(self.steps - (first - 1), 0), count)
        return (Pulse(share.unsqueeze(0).expand(count, *x.shape), on),)


class InTurn:
    """The op Cycle."""

    def __init__(self, op: Cycle) -> None:
        self.axis = op.axis
        self.order = torch.tensor(op.order)

    def advance(self, operands: Sequence[Operand], first: int, count: int) -> tuple[Tensor, ...]:
        """Gather the parts of these steps."""
        turns = torch.arange(first - 1, first - 1 + count) % len(self.order)
        parts = whole(operands[0]).index_select(self.axis, self.order[turns])
        return (parts.movedim(self.axis, 0).contiguous(),)
