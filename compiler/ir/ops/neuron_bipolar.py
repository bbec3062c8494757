"""Bipolar integrate-and-fire with a spike tracer: a clipped quantiser that works by events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import State, Types, Values, expect
from spikec.ir.ops.neuron_rules import (
    Neuron,
    check_levels,
    check_parameter,
    filled,
    number,
    quotient,
)
from spikec.ir.types import Code, Signal, Spikes, TensorType


@dataclass(frozen=True)
class BipolarIF(Neuron):
    """ST-BIF, sum code: y[t] = amplitude · e[t], with the tracer a = Σ e kept in low..high.

    q += x[t];  e = clip(floor(q / s), max(-levels, low - a), min(levels, high - a));
    q -= s e;  a += e;  q(0) = ``v0``, a(0) = 0, s = ``threshold``.

    Once quiet, a = clip(floor((v0 + Σ x) / s), low, high), whatever the order in which x came;
    with v0 = s/2 that is clip(round(Σ x / s), low, high).  In integers everything is exact.
    """

    threshold: Array
    high: int
    low: int = 0
    levels: int = 1
    v0: Array | None = None
    amplitude: Array | None = None

    @property
    def signal(self) -> Signal:
        amplitude = self.threshold if self.amplitude is None else self.amplitude
        return Spikes(amplitude, True, self.levels, Code.SUM)

    def check(self, x: TensorType) -> None:
        check_levels(self.levels)
        check_parameter(self.threshold, x, "threshold", positive=True)
        check_parameter(self.amplitude, x, "amplitude", positive=True)
        check_parameter(self.v0, x, "v0")
        expect(
            self.low <= 0 <= self.high and self.low < self.high,
            f"tracer bounds {self.low}..{self.high}",
            "low <= 0 <= high, low < high",
        )

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give the potential v0 and the tracer 0."""
        q = filled(self.v0, inputs[0], sizes, dtype)
        return q, np.zeros_like(q)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        q, traced = state
        (x,) = inputs
        s = number(self.threshold, x.dtype)
        amplitude = s if self.amplitude is None else number(self.amplitude, x.dtype)
        q = q + x
        least = np.maximum(self.low - traced, -self.levels)
        most = np.minimum(self.high - traced, self.levels)
        e = np.clip(quotient(q, s), least, most)
        return (q - s * e, traced + e), (amplitude * e,)
