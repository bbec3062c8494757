"""Neurons with thresholds θ, θ/2, θ/4, …: multi-threshold (rate code) and differential."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Sizes
from spikec.ir.op import State, Types, Values, expect
from spikec.ir.ops.neuron_rules import (
    Comparison,
    Negative,
    Neuron,
    check_levels,
    check_parameter,
    filled,
    largest_power,
    negative_quanta,
    number,
    quanta,
)
from spikec.ir.types import Code, Signal, Spikes, TensorType

Numbers = NDArray[Any]


class Firing(Enum):
    """How many of its thresholds a neuron may use in one step."""

    ALL = "all"
    """every threshold once, the largest first: a binary expansion"""
    LARGEST = "largest"
    """only the largest that the potential reaches"""


@dataclass(frozen=True)
class MultiThreshold(Neuron):
    """H-MT: fires λ_i = θ / 2^(i-1), i = 1..count, greedily; soft reset; v(0) = ``v0``.

    h = v + x[t]; for each i: s_i = [h >= λ_i], h -= λ_i s_i; y[t] = Σ λ_i s_i; v = h.
    In quanta of λ_count: n = clip(floor(h / λ_count), 0, 2^count - 1), y = λ_count n.

    With v0 = λ_count / 2 and a constant input z, Σ y / T = λ_count / T · clip(floor(z T / λ_count
    + 1/2), 0, (2^count - 1) T).  Firing.LARGEST keeps only the highest bit of n.  Negative events
    as in IntegrateFire, in the same quanta and at the same thresholds.  A quantum is sent as
    ``amplitude``, by default λ_count.
    """

    threshold: Array
    count: int
    v0: Array | None = None
    firing: Firing = Firing.ALL
    negative: Negative = Negative.NONE
    code: Code = Code.RATE
    amplitude: Array | None = None

    @property
    def quantum(self) -> Array:
        """The smallest threshold λ_count, the value of one quantum."""
        return smallest(self.threshold, self.count)

    @property
    def levels(self) -> int:
        """Most quanta per step."""
        return (1 << self.count) - 1 if self.firing is Firing.ALL else 1 << (self.count - 1)

    @property
    def signal(self) -> Signal:
        amplitude = self.quantum if self.amplitude is None else self.amplitude
        return Spikes(amplitude, self.negative is not Negative.NONE, self.levels, self.code)

    def check(self, x: TensorType) -> None:
        check_count(self.count)
        expect(x.dtype.is_float, f"current {x}", "floating point")
        check_parameter(self.threshold, x, "threshold", positive=True)
        check_parameter(self.amplitude, x, "amplitude", positive=True)
        check_parameter(self.v0, x, "v0")

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give the potential v0 and Σn = 0."""
        v = filled(self.v0, inputs[0], sizes, dtype)
        return v, np.zeros_like(v)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        v, sent = state
        h = v + inputs[0]
        quantum, most = number(self.quantum, h.dtype), (1 << self.count) - 1
        up = quanta(h, quantum, most, Comparison.AT_LEAST)
        rule = (self.negative, Comparison.AT_LEAST)
        down = negative_quanta(h, sent, quantum, most, rule)
        if self.firing is Firing.LARGEST:
            up, down = largest_power(up), largest_power(down)
        n = up - down
        amplitude = quantum if self.amplitude is None else number(self.amplitude, h.dtype)
        return (h - quantum * n, sent + n), (amplitude * n,)


@dataclass(frozen=True)
class Differential(Neuron):
    """DCGS: sends corrections to a decoded mean, m[t] = m[t-1] + y[t] / t; signed by nature.

    w += x[t] + r - m;  y[t] = ± the largest θ / 2^k, k = 0..count-1, that w reaches:
    + where w >= margin · level;  - where w <= -negative_margin · level;
    then w -= y, r += x[t] / t, m += y / t;  w(0) = ``v0``, r(0) = m(0) = 0; t from 1.

    x is decoded in the same way (r is its mean), so a constant current such as a bias comes once,
    at t = 1.  With ``rectify`` a negative event is held back where it would make m negative
    (level > t m[t-1]).  One threshold (IF_diff): count 1, margin 1, negative_margin 0, v0 = θ/2.
    """

    threshold: Array
    count: int
    v0: Array | None = None
    margin: float = 0.75
    negative_margin: float = 0.75
    rectify: bool = True

    @property
    def quantum(self) -> Array:
        """The smallest level, the value of one quantum."""
        return smallest(self.threshold, self.count)

    @property
    def levels(self) -> int:
        """Most quanta per step."""
        return 1 << (self.count - 1)

    @property
    def signal(self) -> Signal:
        return Spikes(self.quantum, True, self.levels, Code.DIFFERENTIAL)

    def check(self, x: TensorType) -> None:
        check_count(self.count)
        expect(x.dtype.is_float, f"current {x}", "floating point")
        check_parameter(self.threshold, x, "threshold", positive=True)
        check_parameter(self.v0, x, "v0")
        margins = (self.margin, self.negative_margin)
        expect(
            0 < self.margin <= 1 and 0 <= self.negative_margin <= 1, f"margins {margins}", "0..1"
        )

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give the potential v0 and the decoded means 0 of input and output."""
        w = filled(self.v0, inputs[0], sizes, dtype)
        return w, np.zeros_like(w), np.zeros_like(w)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        w, r, m = state
        (x,) = inputs
        w = w + (x + r - m)
        y = self._fired(w, m * x.dtype.type(time))
        t = x.dtype.type(time)
        return (w - y, r + x / t, m + y / t), (y,)

    def _fired(self, w: Numbers, total: Numbers) -> Numbers:
        """Give the event value; ``total`` is t m[t-1], what may be taken back."""
        theta, dtype = number(self.threshold, w.dtype), w.dtype.type
        y = np.zeros_like(w)
        for k in reversed(range(self.count)):  # the largest comes last and wins
            level = theta * dtype(0.5**k)
            y = np.where(w >= dtype(self.margin) * level, level, y)
            down = w <= -dtype(self.negative_margin) * level
            allowed = total >= level if self.rectify else np.ones_like(down)
            y = np.where(down & allowed, -level, y)
        return y


def smallest(threshold: Array, count: int) -> Array:
    """Give θ / 2^(count-1)."""
    data = threshold.data
    scale = data.dtype.type(0.5 ** (count - 1)) if data.dtype.kind == "f" else 0.5 ** (count - 1)
    return Array(data * scale)


def check_count(count: int) -> None:
    """Refuse numbers of thresholds that no float can tell apart."""
    check_levels(count)
    expect(count <= 16, f"{count} thresholds", "at most 16")
