"""What neurons compute in one step, in NumPy alone: floating point, or whole numbers."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

Numbers = Any
"""an array of float64, or of int64 that holds whole numbers"""


class Reset(Enum):
    """What an event does to the potential."""

    SOFT = "soft"
    HARD = "hard"


class Leak(Enum):
    """How the potential decays."""

    NONE = "none"
    DECAY = "decay"
    DECAY_INPUT = "decay-input"
    SILENT = "silent"


class Negative(Enum):
    """When negative events are sent."""

    NONE = "none"
    FREE = "free"
    MEMORY = "memory"
    CORRECTION = "correction"


class Comparison(Enum):
    """Whether a potential equal to the threshold fires."""

    AT_LEAST = ">="
    ABOVE = ">"


class Decision(Enum):
    """Which potential decides."""

    AFTER_INPUT = "after-input"
    BEFORE_INPUT = "before-input"


def charged(v: Numbers, x: Numbers, leak: Leak, k: Numbers, r: Numbers) -> Numbers:
    """Add the current and decay: v + x, r + k (v - r) + x, or v + (x - (v - r)) / k."""
    if leak in (Leak.NONE, Leak.SILENT):
        return v + x
    return r + k * (v - r) + x if leak is Leak.DECAY else v + (x - (v - r)) / k


def quotient(h: Numbers, quantum: Numbers) -> Numbers:
    """Give floor(h / quantum)."""
    return h // quantum if h.dtype.kind == "i" else np.floor(h / quantum)


def quanta(h: Numbers, theta: Numbers, levels: int, comparison: Comparison) -> Numbers:
    """N = clip(floor(h / θ), 0, levels); with ``>`` clip(ceil(h / θ) - 1, 0, levels)."""
    n = quotient(h, theta) if comparison is Comparison.AT_LEAST else -quotient(-h, theta) - 1
    return np.clip(n, 0, levels)


def taken_back(
    h: Numbers, sent: Numbers, phi: Numbers, levels: int, rule: tuple[Negative, Comparison]
) -> Numbers:
    """Give how many quanta φ are taken back after ``sent`` of them."""
    negative, comparison = rule
    if negative is Negative.NONE:
        return np.zeros_like(h)
    if negative is Negative.CORRECTION:
        wanted = np.clip(-quotient(h, phi), 0, levels)
    else:
        wanted = quanta(-h, phi, levels, comparison)
    return wanted if negative is Negative.FREE else np.minimum(wanted, np.maximum(sent, 0))


def largest_power(n: Numbers) -> Numbers:
    """Give the largest power of two that is not above n; 0 for 0."""
    exponent = np.frexp(n.astype(np.float64))[1]
    return np.where(n > 0, np.ldexp(0.5, exponent), 0.0).astype(n.dtype)


class IntegrateFire:
    """h = charge(v, x); n = quanta of h; soft reset v = h - θ n⁺ + φ n⁻, or hard reset.

    ``values`` holds threshold, negative_threshold, v0, reset_potential, leak_constant and
    rest_potential per neuron; ``options`` the words of the enums above, levels and ``largest``
    (only the highest binary digit of n is sent).
    """

    states = ("v", "sent")

    def __init__(self, values: dict[str, Numbers], options: dict[str, Any]) -> None:
        self.p = values
        self.levels, self.largest = int(options["levels"]), bool(options["largest"])
        self.reset, self.leak = Reset(options["reset"]), Leak(options["leak"])
        self.rule = Negative(options["negative"]), Comparison(options["comparison"])
        self.before = Decision(options["decision"]) is Decision.BEFORE_INPUT

    def begin(self) -> tuple[Numbers, Numbers]:
        """Give the potential v0 and Σn = 0."""
        return self.p["v0"].copy(), np.zeros_like(self.p["v0"])

    def step(
        self, state: tuple[Numbers, ...], x: Numbers, time: int
    ) -> tuple[tuple[Numbers, ...], Numbers]:
        """Give the state behind this step, and the counts that are sent."""
        v, sent = state
        h = v if self.before else self._charged(v, x)
        up = quanta(h, self.p["threshold"], self.levels, self.rule[1])
        down = taken_back(h, sent, self.p["negative_threshold"], self.levels, self.rule)
        if self.largest:
            up, down = largest_power(up), largest_power(down)
        if not self.before:
            v = self._settled(h, up, down)
        elif self.reset is Reset.HARD or self.leak is Leak.SILENT:
            v = self._charged(self._settled(v, up, down), x)
        else:
            v = self._charged(v, x) - self._taken(up, down)
        return (v, sent + up - down), up - down

    def _charged(self, v: Numbers, x: Numbers) -> Numbers:
        return charged(v, x, self.leak, self.p["leak_constant"], self.p["rest_potential"])

    def _taken(self, up: Numbers, down: Numbers) -> Numbers:
        return self.p["threshold"] * up - self.p["negative_threshold"] * down

    def _settled(self, h: Numbers, up: Numbers, down: Numbers) -> Numbers:
        fired = up != down
        if self.reset is Reset.HARD:
            v = np.where(fired, self.p["reset_potential"], h)
        else:
            v = h - self._taken(up, down)
        if self.leak is not Leak.SILENT:
            return v
        rest = self.p["rest_potential"]
        return np.where(fired, v, rest + self.p["leak_constant"] * (v - rest))


class BipolarIF:
    """q += x; e = clip(floor(q / s), max(-m, low - a), min(m, high - a)); q -= s e; a += e."""

    states = ("v", "sent")

    def __init__(self, values: dict[str, Numbers], options: dict[str, Any]) -> None:
        self.p = values
        self.levels, self.low, self.high = (int(options[k]) for k in ("levels", "low", "high"))

    def begin(self) -> tuple[Numbers, Numbers]:
        """Give the potential v0 and the tracer 0."""
        return self.p["v0"].copy(), np.zeros_like(self.p["v0"])

    def step(
        self, state: tuple[Numbers, ...], x: Numbers, time: int
    ) -> tuple[tuple[Numbers, ...], Numbers]:
        """Give the state behind this step, and the counts that are sent."""
        q, traced = state[0] + x, state[1]
        least = np.maximum(self.low - traced, -self.levels)
        most = np.minimum(self.high - traced, self.levels)
        e = np.clip(quotient(q, self.p["threshold"]), least, most)
        return (q - self.p["threshold"] * e, traced + e), e


class PhasedFire:
    """In windows of K steps: at their start v = v0 + u, u = 0; then n = quanta of v, u += x."""

    states = ("v", "sent")

    def __init__(self, values: dict[str, Numbers], options: dict[str, Any]) -> None:
        self.p = values
        self.levels, self.window = int(options["levels"]), int(options["window"])

    def begin(self) -> tuple[Numbers, Numbers]:
        """Give a potential and an intake of 0."""
        return np.zeros_like(self.p["v0"]), np.zeros_like(self.p["v0"])

    def step(
        self, state: tuple[Numbers, ...], x: Numbers, time: int
    ) -> tuple[tuple[Numbers, ...], Numbers]:
        """Give the state behind this step, and the counts that are sent."""
        v, intake = state
        if time > 1 and (time - 1) % self.window == 0:
            v, intake = intake + self.p["v0"], np.zeros_like(intake)
        n = quanta(v, self.p["threshold"], self.levels, Comparison.AT_LEAST)
        return (v - self.p["threshold"] * n, intake + x), n


class Accumulator:
    """y = v = charge(v, x): adds up currents and never fires."""

    states = ("v", "sent")

    def __init__(self, values: dict[str, Numbers], options: dict[str, Any]) -> None:
        self.p = values
        self.leak = Leak(options["leak"])

    def begin(self) -> tuple[Numbers, Numbers]:
        """Give the potential v0."""
        return self.p["v0"].copy(), np.zeros_like(self.p["v0"])

    def step(
        self, state: tuple[Numbers, ...], x: Numbers, time: int
    ) -> tuple[tuple[Numbers, ...], Numbers]:
        """Give the state behind this step, and the potential."""
        v = charged(state[0], x, self.leak, self.p["leak_constant"], self.p["rest_potential"])
        return (v, state[1]), v


KINDS = {kind.__name__: kind for kind in (IntegrateFire, BipolarIF, PhasedFire, Accumulator)}
PARAMETERS = (
    *("threshold", "negative_threshold", "v0", "reset_potential"),
    *("leak_constant", "rest_potential"),
)
"""numbers per neuron; each kind uses those that it knows"""
