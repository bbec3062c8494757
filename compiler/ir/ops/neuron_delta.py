"""Sigma-delta neurons: sum up changes, send changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import State, Types, Values, expect
from spikec.ir.ops.neuron_rules import Neuron, check_parameter, filled, number, quotient
from spikec.ir.types import Code, Signal, Spikes, TensorType

Numbers = NDArray[Any]


@dataclass(frozen=True)
class SigmaDelta(Neuron):
    """SDNN: σ += x[t];  a = clip(floor(σ / s + 1/2), low, high);  d = a - b;  e = d where
    |d| >= ``deadband``, else 0;  b += e;  y[t] = amplitude · e;  σ(0) = ``v0``, b(0) = 0,
    s = ``step_size``, which is the amplitude by default.

    x holds changes of the current; y holds changes of the activation, which is the quantised ReLU
    s a for low = 0.  With deadband 1 (in steps) the sum of e equals a at every step, exactly.
    """

    step_size: Array
    high: int
    low: int = 0
    deadband: int = 1
    v0: Array | None = None
    amplitude: Array | None = None

    @property
    def levels(self) -> int:
        """Most quanta per step."""
        return self.high - self.low

    @property
    def signal(self) -> Signal:
        amplitude = self.step_size if self.amplitude is None else self.amplitude
        return Spikes(amplitude, True, self.levels, Code.DELTA)

    def check(self, x: TensorType) -> None:
        check_parameter(self.step_size, x, "step_size", positive=True)
        check_parameter(self.amplitude, x, "amplitude", positive=True)
        check_parameter(self.v0, x, "v0")
        expect(self.low <= 0 < self.high, f"levels {self.low}..{self.high}", "low <= 0 < high")
        expect(self.deadband >= 1, f"deadband of {self.deadband} steps", "at least 1")

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give the sum v0 and 0 for what was sent."""
        sigma = filled(self.v0, inputs[0], sizes, dtype)
        return sigma, np.zeros_like(sigma)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        sigma, sent = state
        (x,) = inputs
        s = number(self.step_size, x.dtype)
        sigma = sigma + x
        change = np.clip(rounded(sigma, s), self.low, self.high) - sent
        e = np.where(np.abs(change) >= self.deadband, change, np.zeros_like(change))
        amplitude = s if self.amplitude is None else number(self.amplitude, x.dtype)
        return (sigma, sent + e), (amplitude * e,)


def rounded(x: Numbers, step: Numbers) -> Numbers:
    """floor(x / step + 1/2), in the dtype of x."""
    if x.dtype.kind == "i":
        return quotient(2 * x + step, 2 * step)
    result: Numbers = np.floor(x / step + x.dtype.type(0.5))
    return result
