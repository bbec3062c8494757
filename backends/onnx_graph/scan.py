"""How a scan says its step: parameters, states, and one step's equation in ONNX operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikec.backends.onnx_graph.scope import Scope, element_type
from spikec.ir import Array

Named = Mapping[str, str]
Arrays = Mapping[str, Array | None]
Start = float | str
"""a state before the first step: a number, or the name of a parameter (0 where that is absent)"""


@dataclass(frozen=True)
class Step:
    """One step under construction: names of the operand, the states, the parameters, the time."""

    scope: Scope
    kind: np.dtype[Any]
    x: str
    state: Named
    parameters: Named
    """those that are given"""
    time: str
    """number of the step, from 1; empty unless the rule asks for it"""

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node."""
        return self.scope(op, *inputs, **attributes)

    def number(self, value: float) -> str:
        """Give a constant in the element type of the operand."""
        return self.scope.constant(np.asarray(value, self.kind))

    def whole(self, value: int) -> str:
        """Give a constant in the element type of the time."""
        return self.scope.constant(np.asarray(value, np.int64))

    def get(self, *names: str, default: float = 0.0) -> str:
        """Give the first of these parameters that is there, else a number."""
        found = [self.parameters[name] for name in names if name in self.parameters]
        return found[0] if found else self.number(default)

    def real_time(self) -> str:
        """Give the time in the element type of the operand."""
        return self("Cast", self.time, to=element_type(self.kind))

    def phase(self, window: int) -> str:
        """(t - 1) mod window."""
        return self("Mod", self("Sub", self.time, self.whole(1)), self.whole(window))

    def clipped(self, x: str, low: float, high: float) -> str:
        """x, at least ``low`` and at most ``high``."""
        return self("Clip", x, self.number(low), self.number(high))


Body = Callable[[Any, Step], tuple[Named, str]]
"""gives the states behind the step, and the result"""


@dataclass(frozen=True)
class ScanRule:
    """A scan: its parameters by name, its states with their start, its step."""

    body: Body
    parameters: Callable[[Any], Arrays] = lambda op: op.arrays
    states: Callable[[Any], Mapping[str, Start]] = lambda op: {}
    timed: bool = False
    """whether a step needs to know its number"""
