"""An integrate-and-fire neuron as a person would write it down, for one scalar."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from spikec.ir import Array
from spikec.ir.ops import Comparison, Decision, IntegrateFire, Leak, Negative, Reset
from tests.ir.ops.scans import Numbers

A = Array
Scalar = Any
"""np.float32 or np.float64: one number of the precision under test"""
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(["float32", "float64"])


def scalars(
    one: Callable[[list[Scalar], tuple[int, ...]], list[Scalar]], x: Numbers, dtype: str
) -> Numbers:
    """Run a scalar simulation for every element of x [T, ...]."""
    y = np.zeros(x.shape, dtype)
    for place in np.ndindex(*x.shape[1:]):
        y[(slice(None), *place)] = one(list(x[(slice(None), *place)].astype(dtype)), place)
    return y


def levels_reached(h: Scalar, theta: Scalar, levels: int, above: bool) -> int:
    n = 0
    while n < levels and (h / theta > n + 1 if above else h / theta >= n + 1):
        n += 1
    return n


@dataclasses.dataclass
class ScalarNeuron:
    """One integrate-and-fire neuron as a person would write it down."""

    op: IntegrateFire
    theta: Scalar
    phi: Scalar
    v: Scalar
    k: Scalar
    rest: Scalar
    base: Scalar
    sent: int = 0

    def charge(self, v: Scalar, x: Scalar) -> Scalar:
        if self.op.leak is Leak.DECAY:
            return self.rest + self.k * (v - self.rest) + x
        if self.op.leak is Leak.DECAY_INPUT:
            return v + (x - (v - self.rest)) / self.k
        return v + x

    def decide(self, h: Scalar) -> tuple[int, int]:
        above = self.op.comparison is Comparison.ABOVE
        up = levels_reached(h, self.theta, self.op.levels, above)
        down = 0
        if self.op.negative is Negative.CORRECTION:
            while h / self.theta < -down and down < self.op.levels:
                down += 1
        elif self.op.negative is not Negative.NONE:
            down = levels_reached(-h, self.phi, self.op.levels, above)
        if self.op.negative in (Negative.MEMORY, Negative.CORRECTION):
            down = min(down, max(self.sent, 0))
        return up, down

    def behind_the_reset(self, h: Scalar, up: int, down: int) -> Scalar:
        if up != down:
            return self.base if self.op.reset is Reset.HARD else self.less(h, up, down)
        return self.rest + self.k * (h - self.rest) if self.op.leak is Leak.SILENT else h

    def less(self, h: Scalar, up: int, down: int) -> Scalar:
        number = type(h)
        return h - (self.theta * number(up) - self.phi * number(down))

    def step(self, x: Scalar) -> int:
        if self.op.decision is Decision.AFTER_INPUT:
            h = self.charge(self.v, x)
            up, down = self.decide(h)
            self.v = self.behind_the_reset(h, up, down)
        else:
            up, down = self.decide(self.v)
            if self.op.reset is Reset.HARD or self.op.leak is Leak.SILENT:
                self.v = self.charge(self.behind_the_reset(self.v, up, down), x)
            else:
                self.v = self.less(self.charge(self.v, x), up, down)
        self.sent += up - down
        return up - down


@st.composite
def neurons(draw: st.DrawFn) -> IntegrateFire:
    """Draw options that fit each other; thresholds per channel of three."""
    random = np.random.default_rng(draw(seeds))
    reset, leak = draw(st.sampled_from(Reset)), draw(st.sampled_from(Leak))
    negative = draw(st.sampled_from(Negative))
    two_sided = negative in (Negative.FREE, Negative.MEMORY)
    constant = 2.0 if leak is Leak.DECAY_INPUT else 0.9
    return IntegrateFire(
        threshold=A(random.uniform(0.5, 2, 3).astype(np.float32)),
        amplitude=draw(st.sampled_from([None, A(1.0)])),
        levels=1 if reset is Reset.HARD else draw(st.integers(1, 4)),
        v0=draw(st.sampled_from([None, A(0.25)])),
        reset=reset,
        reset_potential=A(-0.125) if reset is Reset.HARD and draw(st.booleans()) else None,
        leak=leak,
        leak_constant=None if leak is Leak.NONE else A(np.float32(constant)),
        rest_potential=A(0.5) if leak is not Leak.NONE and draw(st.booleans()) else None,
        negative=negative,
        negative_threshold=A(np.float32(0.75)) if two_sided and draw(st.booleans()) else None,
        comparison=draw(st.sampled_from(Comparison)),
        decision=draw(st.sampled_from(Decision)),
    )


def scalar_neuron(op: IntegrateFire, channel: int, number: type[Any]) -> ScalarNeuron:
    def value(array: A | None) -> Scalar:
        return number(0 if array is None else np.broadcast_to(array.data, 3)[channel])

    theta = value(op.threshold)
    phi = theta if op.negative_threshold is None else value(op.negative_threshold)
    return ScalarNeuron(
        op,
        theta,
        phi,
        value(op.v0),
        value(op.leak_constant),
        value(op.rest_potential),
        value(op.reset_potential),
    )
