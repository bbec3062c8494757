"""Rounds analog inputs to a grid where they enter, so that whole numbers start there."""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp, isfinite, ldexp
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import UsageError
from spikec.ir import Array, Editor, Graph, Node, ops
from spikec.ir.types import Analog
from spikec.pipeline import Approximately, Context, Inputs, Pass, Promise, check_option

Numbers = NDArray[Any]


@dataclass(frozen=True)
class QuantiseInput(Pass):
    """x  ->  s · clip(round(x / s), low, high), element by element, s a power of two.

    By a power of two everything divides exactly: every tool, in single or double precision, gets
    the same number.  Of data without negative values 0..2^bits - 1 are used, else -2^(bits - 1)..
    2^(bits - 1) - 1.  s is the smallest power of two that no calibration sample exceeds by more
    than one s: |x_q - x| <= s / 2, and at the upper end of the range s.

    ::

        %x = Input()                  ->      %x = Input()
        %y = Conv(%x)                         %x_rounded = Quantise(%x; step=s)
                                              %y = Conv(%x_rounded)
    """

    bits: int = 8
    """bits of an input value, with its sign"""
    step: float | None = None
    """s, a power of two; by default from the calibration data"""

    name: ClassVar[str] = "quantise-input"
    promise: ClassVar[Promise] = Approximately("inputs are rounded to a grid")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.bits", self.bits, 2, 16)
        step = self.step
        if step is not None and not (step > 0 and isfinite(step) and frexp(step)[0] == 0.5):
            expected = "a power of two, such as 0.0078125"
            raise UsageError(f"{self.name}.step = {step}", expected=expected)

    def apply(self, edit: Editor, context: Context) -> None:
        todo = _analog_inputs(edit.graph)
        if not todo:
            return
        if context.calibration is None and self.step is None:
            raise UsageError(
                f"{self.name} needs calibration data: the grid follows from their range",
                remedy=f"give calibration=data, or {self.name}{{step=0.0078125}}",
            )
        record = context.record.setdefault(self.name, {})
        for node in todo:
            rounds = self._quantise(node.name, context.calibration)
            value = node.outputs[0]
            nodes = edit.graph.nodes
            following = nodes[nodes.index(node) + 1]
            name = f"{node.name}_rounded"
            rounded = edit.add(rounds, value, name=name, sources=(node,), before=following)
            edit.replace(value, rounded)
            step = float(rounds.step.data)
            record[node.name] = {"step": step, "low": rounds.low, "high": rounds.high}

    def _quantise(self, name: str, calibration: Inputs | None) -> ops.Quantise:
        data = None if calibration is None else calibration[name]
        signed = data is None or bool(data.min() < 0)
        half = 2 ** (self.bits - 1)
        low, high = (-half, half - 1) if signed else (0, 2 * half - 1)
        step = self.step
        if step is None:
            assert data is not None  # apply has seen to it
            step = _step(data, low, high)
        return ops.Quantise(Array(np.float32(step)), low, high)


def _analog_inputs(graph: Graph) -> list[Node]:
    """Give the inputs of real numbers that somebody reads unrounded."""
    found = []
    for node in graph.inputs:
        (value,) = node.outputs
        real = value.type.dtype.is_float and isinstance(value.type.signal, Analog)
        if real and any(not isinstance(user.op, ops.Quantise) for user in value.users):
            found.append(node)
    return found


def _step(data: Numbers, low: int, high: int) -> float:
    """Give the smallest power of two s with s low <= x <= s (high + 1) for all x; 1 for zeros."""
    least, most = float(data.min()), float(data.max())
    reach = max(most / (high + 1), least / low if low else 0.0)
    mantissa, exponent = frexp(reach)
    return 1.0 if reach == 0 else ldexp(1.0, exponent - (mantissa == 0.5))
