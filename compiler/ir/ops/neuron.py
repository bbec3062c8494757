"""Integrate-and-fire neurons, leaky or not, and the accumulator that never fires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import State, Types, Values, expect
from spikec.ir.ops.neuron_rules import (
    Comparison,
    Decision,
    Leak,
    Negative,
    Neuron,
    Reset,
    check_levels,
    check_parameter,
    filled,
    negative_quanta,
    number,
    quanta,
)
from spikec.ir.types import Analog, Code, Signal, Spikes, TensorType

Numbers = NDArray[Any]


@dataclass(frozen=True)
class IntegrateFire(Neuron):
    """IF and LIF: integrate, compare, fire n[t] events of value ``amplitude``, reset.

    h = charge(v, x[t]) after ``leak``; n⁺ = clip(floor(h / θ), 0, levels); n⁻ after ``negative``
    with φ = ``negative_threshold``; n = n⁺ - n⁻; y[t] = amplitude · n; v(0) = ``v0``.
    Soft reset: v = h - θ n⁺ + φ n⁻.  Hard reset: v = reset_potential where n ≠ 0, else h.

    Decision BEFORE_INPUT: n comes from v itself, before this step's input.  Soft reset is then
    v = charge(v, x[t]) - θ n⁺ + φ n⁻ (the leak works on the potential before the reset); with a
    hard reset or a SILENT leak the potential is reset, or leaks, first and is charged then.

    Potentials and thresholds are in units of the current x; absent ones are 0, an absent amplitude
    or negative threshold is θ.  Parameters are scalars or broadcast against trailing axes.
    """

    threshold: Array
    amplitude: Array | None = None
    levels: int = 1
    v0: Array | None = None
    reset: Reset = Reset.SOFT
    reset_potential: Array | None = None
    leak: Leak = Leak.NONE
    leak_constant: Array | None = None
    rest_potential: Array | None = None
    negative: Negative = Negative.NONE
    negative_threshold: Array | None = None
    comparison: Comparison = Comparison.AT_LEAST
    decision: Decision = Decision.AFTER_INPUT
    code: Code = Code.RATE

    @property
    def signal(self) -> Signal:
        amplitude = self.threshold if self.amplitude is None else self.amplitude
        return Spikes(amplitude, self.negative is not Negative.NONE, self.levels, self.code)

    def check(self, x: TensorType) -> None:
        check_levels(self.levels)
        for name in ("threshold", "amplitude", "negative_threshold"):
            check_parameter(getattr(self, name), x, name, positive=True)
        for name in ("v0", "reset_potential"):
            check_parameter(getattr(self, name), x, name)
        check_leak(self.leak, self.leak_constant, self.rest_potential, x)
        expect(
            self.reset is Reset.HARD or self.reset_potential is None,
            "a reset potential with soft reset",
            remedy="leave it out, or reset hard",
        )
        expect(
            self.reset is Reset.SOFT or self.levels == 1,
            f"hard reset with {self.levels} levels per step",
            "1 level: a hard reset forgets the rest",
        )
        one_sided = self.negative in (Negative.NONE, Negative.CORRECTION)
        expect(
            self.negative_threshold is None or not one_sided,
            f"a negative threshold with negative={self.negative.value}",
            "negative=free or memory",
        )

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give the potential v0 and, with a memory, Σn = 0."""
        v = filled(self.v0, inputs[0], sizes, dtype)
        return (v, np.zeros_like(v)) if self._remembers else (v,)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        v, *memory = state
        (x,) = inputs
        sent = memory[0] if memory else np.zeros_like(v)
        if self.decision is Decision.AFTER_INPUT:
            h = self._charged(v, x)
            up, down = self._fired(h, sent)
            v = self._settled(h, up, down)
        else:
            up, down = self._fired(v, sent)
            if self.reset is Reset.HARD or self.leak is Leak.SILENT:
                v = self._charged(self._settled(v, up, down), x)
            else:
                v = self._charged(v, x) - self._taken(up, down)
        n = up - down
        amplitude = number(self.threshold if self.amplitude is None else self.amplitude, x.dtype)
        return ((v, sent + n) if self._remembers else (v,)), (n * amplitude,)

    @property
    def _remembers(self) -> bool:
        return self.negative in (Negative.MEMORY, Negative.CORRECTION)

    def _charged(self, v: Numbers, x: Numbers) -> Numbers:
        return charged(v, x, self.leak, self.leak_constant, self.rest_potential)

    def _fired(self, h: Numbers, sent: Numbers) -> tuple[Numbers, Numbers]:
        """Give the numbers of positive and of negative events."""
        theta, phi = self._thresholds(h.dtype)
        rule = (self.negative, self.comparison)
        up = quanta(h, theta, self.levels, self.comparison)
        return up, negative_quanta(h, sent, phi, self.levels, rule)

    def _taken(self, up: Numbers, down: Numbers) -> Numbers:
        theta, phi = self._thresholds(up.dtype)
        taken: Numbers = theta * up - phi * down
        return taken

    def _settled(self, h: Numbers, up: Numbers, down: Numbers) -> Numbers:
        """Give the potential behind the reset (and behind the leak of silent neurons)."""
        fired = up != down
        if self.reset is Reset.HARD:
            v = np.where(fired, number(self.reset_potential, h.dtype), h)
        else:
            v = h - self._taken(up, down)
        if self.leak is not Leak.SILENT:
            return v
        rest, k = number(self.rest_potential, h.dtype), number(self.leak_constant, h.dtype)
        return np.where(fired, v, rest + k * (v - rest))

    def _thresholds(self, dtype: np.dtype[Any]) -> tuple[Numbers, Numbers]:
        theta = number(self.threshold, dtype)
        phi = self.negative_threshold
        return theta, theta if phi is None else number(phi, dtype)


@dataclass(frozen=True)
class Accumulator(Neuron):
    """y[t] = v[t], v = charge(v, x[t]) after ``leak`` (not SILENT), v(0) = ``v0``: never fires."""

    v0: Array | None = None
    leak: Leak = Leak.NONE
    leak_constant: Array | None = None
    rest_potential: Array | None = None

    @property
    def signal(self) -> Signal:
        return Analog()

    def check(self, x: TensorType) -> None:
        check_parameter(self.v0, x, "v0")
        check_leak(self.leak, self.leak_constant, self.rest_potential, x)
        expect(self.leak is not Leak.SILENT, "a leak of silent neurons", "none, decay, decay-input")

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        return (filled(self.v0, inputs[0], sizes, dtype),)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        v = charged(state[0], inputs[0], self.leak, self.leak_constant, self.rest_potential)
        return (v,), (v,)


def charged(
    v: Numbers, x: Numbers, leak: Leak, constant: Array | None, rest: Array | None
) -> Numbers:
    """Let the potential decay and add the current."""
    if leak in (Leak.NONE, Leak.SILENT):
        return v + x
    k, r = number(constant, x.dtype), number(rest, x.dtype)
    h: Numbers = r + k * (v - r) + x if leak is Leak.DECAY else v + (x - (v - r)) / k
    return h


def check_leak(leak: Leak, constant: Array | None, rest: Array | None, x: TensorType) -> None:
    """Refuse a leak without its constant, and constants without a leak."""
    if leak is Leak.NONE:
        absent = constant is None and rest is None
        expect(absent, "a leak constant or rest potential without a leak", remedy="choose a leak")
        return
    expect(x.dtype.is_float, f"a leak over {x}", "floating point")
    expect(constant is not None, f"leak {leak.value} without its constant")
    check_parameter(constant, x, "leak_constant", positive=True)
    check_parameter(rest, x, "rest_potential")
    if constant is not None:
        tau = leak is Leak.DECAY_INPUT
        inside = (constant.data >= 1) if tau else (constant.data <= 1)
        expect(bool(inside.all()), f"leak_constant {constant}", "τ >= 1" if tau else "0 < λ <= 1")
