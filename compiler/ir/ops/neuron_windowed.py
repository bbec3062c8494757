"""Neurons that take in one window of steps and fire in the next: phased and few-spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import State, Types, Values, expect
from spikec.ir.ops.neuron_rules import (
    Comparison,
    Neuron,
    check_levels,
    check_parameter,
    filled,
    number,
    quanta,
)
from spikec.ir.types import Code, Signal, Spikes, TensorType


@dataclass(frozen=True)
class PhasedFire(Neuron):
    """Integrate-and-fire in windows of K = ``window`` steps, one window later than its input.

    With p = (t - 1) mod K: at p = 0 the potential becomes v = v0 + u and the intake u = 0; then
    n = clip(floor(v / θ), 0, levels), v -= θ n, u += x[t], y[t] = amplitude · n.

    So window w holds clip(floor((v0 + Σ x over window w-1) / θ), 0, K levels) events: a quantiser
    of K · levels levels, exactly and however its input is spread.  Layers in a row answer for the
    same input in consecutive windows; under an input that repeats in each window, the l-th one
    gives the right answer in every window after the l-th.
    """

    threshold: Array
    window: int
    levels: int = 1
    v0: Array | None = None
    amplitude: Array | None = None

    @property
    def signal(self) -> Signal:
        amplitude = self.threshold if self.amplitude is None else self.amplitude
        return Spikes(amplitude, False, self.levels, Code.PHASED)

    def check(self, x: TensorType) -> None:
        check_levels(self.levels)
        expect(self.window >= 1, f"window of {self.window} steps", "at least 1")
        check_parameter(self.threshold, x, "threshold", positive=True)
        check_parameter(self.amplitude, x, "amplitude", positive=True)
        check_parameter(self.v0, x, "v0")

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give a potential and an intake of 0: nothing is fired in the first window."""
        zero = filled(None, inputs[0], sizes, dtype)
        return zero, zero.copy()

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        v, intake = next_window(state, self.v0, self.window, time)
        theta = number(self.threshold, x.dtype)
        amplitude = theta if self.amplitude is None else number(self.amplitude, x.dtype)
        n = quanta(v, theta, self.levels, Comparison.AT_LEAST)
        return (v - theta * n, intake + x), (amplitude * n,)


@dataclass(frozen=True)
class FewSpikes(Neuron):
    """FS neuron: at most one event per step of a window of K steps, K = length of ``thresholds``.

    With p = (t - 1) mod K: at p = 0, v = v0 + u and u = 0 (u: the sum of x over the window
    before); then z = [v >= α thresholds[p]], v -= α decrements[p] z, u += x[t], y[t] = α z;
    α = ``amplitude``.  Nothing is fired in the first window.

    An event at p stands for α d[p] z; the receiver multiplies step by step with d (the op
    PhaseScale).  Binary expansion of ReLU: thresholds = decrements = d = 2^-1 … 2^-K, which is
    α clip(floor(2^K (v0 + u) / α), 0, 2^K - 1) / 2^K.  Other functions have fitted coefficients.
    """

    amplitude: Array
    thresholds: Array
    decrements: Array
    v0: Array | None = None

    @staticmethod
    def binary(amplitude: Array, bits: int, v0: Array | None = None) -> FewSpikes:
        """Give the neuron that sends the first ``bits`` binary digits of clip(x / α, 0, 1)."""
        powers = Array(0.5 ** np.arange(1, bits + 1))
        return FewSpikes(amplitude, powers, powers, v0)

    @property
    def window(self) -> int:
        """Steps of a window."""
        return self.thresholds.size

    @property
    def levels(self) -> int:
        """Most quanta per step."""
        return 1

    @property
    def signal(self) -> Signal:
        return Spikes(self.amplitude, False, 1, Code.FEW_SPIKES)

    def check(self, x: TensorType) -> None:
        expect(x.dtype.is_float, f"current {x}", "floating point")
        check_parameter(self.amplitude, x, "amplitude", positive=True)
        check_parameter(self.v0, x, "v0")
        for name, table in (("thresholds", self.thresholds), ("decrements", self.decrements)):
            fits = table.ndim == 1 and table.size == self.window >= 1
            fits = fits and table.dtype.kind == "f" and bool(np.isfinite(table.data).all())
            expect(fits, f"{name} {table}", "one finite number per step of the window")

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give a potential that does not fire and an intake of 0."""
        silent = filled(None, inputs[0], sizes, dtype)
        silent.fill(-np.inf)  # fitted thresholds may lie below 0: silence has to be out of reach
        return silent, np.zeros_like(silent)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        v, intake = state if time == 1 else next_window(state, self.v0, self.window, time)
        phase = (time - 1) % self.window
        alpha = number(self.amplitude, x.dtype)
        z = (v >= alpha * self.thresholds.astype(x.dtype)[phase]).astype(x.dtype)
        v = v - alpha * self.decrements.astype(x.dtype)[phase] * z
        return (v, intake + x), (alpha * z,)


def next_window(state: State, v0: Array | None, window: int, time: int) -> State:
    """At the start of each window but the first, what was taken in becomes the potential."""
    v, intake = state
    if time == 1 or (time - 1) % window:
        return v, intake
    return intake + number(v0, intake.dtype), np.zeros_like(intake)
