"""Encoders: how values become currents or events over time."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Sizes, T, per_step
from spikec.ir.op import Family, ScanOp, State, Types, Values, analog, axis_of, expect
from spikec.ir.ops.neuron_delta import rounded
from spikec.ir.ops.neuron_rules import (
    ONE,
    check_levels,
    check_parameter,
    check_timed,
    filled,
    number,
)
from spikec.ir.types import Code, Spikes, TensorType

Numbers = NDArray[Any]


@dataclass(frozen=True)
class FromStatic(ScanOp):
    """Gives a static value a time axis, its outermost one."""

    family: ClassVar[Family] = Family.CODING

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect(x.is_static, f"{type(self).__name__} of {x}, which has time already", "no T")
        return analog((T, *x.dims), x)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Remember nothing."""
        return ()


class Repeat(FromStatic):
    """y[t] = x at every step: direct coding, a rate code without noise."""

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        return state, (inputs[0][np.newaxis],)


@dataclass(frozen=True)
class Impulse(FromStatic):
    """y[t] = x / steps for t <= steps, then 0: the value comes once (sum, differential code)."""

    steps: int = 1

    def infer(self, inputs: Types) -> Types:
        expect(self.steps >= 1, f"{self.steps} steps", "at least 1")
        expect(
            self.steps == 1 or inputs[0].dtype.is_float,
            f"{inputs[0]} spread over {self.steps} steps",
            "floating point, or one step",
        )
        return super().infer(inputs)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        x = inputs[0][np.newaxis]
        if time > self.steps:
            return state, (np.zeros_like(x),)
        return state, (x if self.steps == 1 else x / x.dtype.type(self.steps),)


@dataclass(frozen=True)
class Cycle(FromStatic):
    """y[t] = x at place order[(t - 1) mod K] of ``axis``, which goes: one part after another.

    ``axis`` counts from the end of the operand.  DCT-SNN shows an image this way, one frequency
    per step.
    """

    axis: int
    order: tuple[int, ...]

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        axis = axis_of(self.axis, x.rank)
        size = x.dims[axis]
        expect(isinstance(size, int), f"a cycle along axis {self.axis} of {x}", "a fixed size")
        inside = all(isinstance(size, int) and 0 <= place < size for place in self.order)
        expect(len(self.order) > 0 and inside, f"order {self.order}", f"places 0..{size} - 1")
        (still,) = analog(x.dims[:axis] + x.dims[x.rank + axis + 1 :], x)
        return super().infer((still,))

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        place = self.order[(time - 1) % len(self.order)]
        return state, (np.take(inputs[0], place, axis=self.axis)[np.newaxis],)


@dataclass(frozen=True)
class Encoder(ScanOp):
    """Turns a floating-point value over time into events."""

    family: ClassVar[Family] = Family.CODING

    @property
    @abstractmethod
    def signal(self) -> Spikes:
        """What comes out."""

    @abstractmethod
    def check(self, x: TensorType) -> None:
        """Refuse parameters that do not fit the operand."""

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        check_timed(x, type(self).__name__)
        expect(x.dtype.is_float, f"operand {x}", "floating point")
        self.check(x)
        return (replace(x, signal=self.signal),)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Remember nothing."""
        return ()


@dataclass(frozen=True)
class Poisson(Encoder):
    """y[t] = scale · [u[t] < x[t] / scale]; signed: u < |x| / scale, with the sign of x.

    u[t] of an element is uniform in [0, 1) and a function of ``seed``, t and the element's place
    within its sample: raw number j of NumPy's Philox with key (seed, t), its upper 53 bits times
    2^-53, j counting the sample's elements in row-major order.  All samples share it, so that
    neither batch size nor order changes an event.
    """

    seed: int
    scale: Array = ONE
    signed: bool = False

    @property
    def signal(self) -> Spikes:
        return Spikes(self.scale, self.signed, 1, Code.RATE)

    def check(self, x: TensorType) -> None:
        expect(0 <= self.seed < 2**64, f"seed {self.seed}", "0..2^64-1")
        check_parameter(self.scale, x, "scale", positive=True)
        axis = x.batch_axis
        dim = None if axis is None else per_step(x.dims[axis])
        expect(
            dim is None or str(dim) == "B",
            f"{x}: the batch shares an axis with something else",
            "an axis that holds B alone, or T and B",
            "insert a Reshape in front",
        )

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give zeros of the shape of one sample's step, as a stencil for the random numbers."""
        return (np.zeros(inputs[0].shape(Sizes(1, sizes.steps)), dtype),)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        (stencil,) = state
        u = uniform(self.seed, time, stencil.size).reshape(stencil.shape)
        scale = number(self.scale, x.dtype)
        chance = (np.abs(x) if self.signed else x).astype(np.float64) / scale
        fired = (u < chance).astype(x.dtype)
        return state, (fired * scale * np.sign(x) if self.signed else fired * scale,)


def uniform(seed: int, time: int, count: int) -> NDArray[np.float64]:
    """Give ``count`` uniform numbers of [0, 1) that depend on seed, step and place alone."""
    raw = np.random.Philox(key=np.array([seed, time], np.uint64)).random_raw(count)
    return np.asarray(raw >> np.uint64(11), np.float64) * 2.0**-53


@dataclass(frozen=True)
class Latency(Encoder):
    """Time to first spike: one event per window of K = ``window`` steps, early for large values.

    a = min(x / scale, 1);  with p = (t - 1) mod K:  y[t] = scale · [x > 0 and
    p = floor((1 - a) (K - 1) + 1/2)].
    """

    window: int
    scale: Array = ONE

    @property
    def signal(self) -> Spikes:
        return Spikes(self.scale, False, 1, Code.LATENCY)

    def check(self, x: TensorType) -> None:
        expect(self.window >= 1, f"window of {self.window} steps", "at least 1")
        check_parameter(self.scale, x, "scale", positive=True)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        scale, one, half = number(self.scale, x.dtype), x.dtype.type(1), x.dtype.type(0.5)
        late = (one - np.minimum(x / scale, one)) * x.dtype.type(self.window - 1)
        now = np.floor(late + half) == (time - 1) % self.window
        return state, (((x > 0) & now).astype(x.dtype) * scale,)


@dataclass(frozen=True)
class Phase(Encoder):
    """Binary digits, the highest first, in windows of K = ``bits`` steps.

    b = clip(floor(2^K x / scale), 0, 2^K - 1);  y[t] = scale · bit K - 1 - p of b, p = (t-1) mod K.
    The event at p stands for scale · 2^-(p+1); the receiver applies that (the op PhaseScale).
    """

    bits: int
    scale: Array = ONE

    @property
    def signal(self) -> Spikes:
        return Spikes(self.scale, False, 1, Code.FEW_SPIKES)

    def check(self, x: TensorType) -> None:
        expect(1 <= self.bits <= 24, f"{self.bits} bits", "1..24")
        check_parameter(self.scale, x, "scale", positive=True)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        scale = number(self.scale, x.dtype)
        most = 2**self.bits
        digits = np.clip(np.floor(x / scale * x.dtype.type(most)), 0, most - 1).astype(np.int64)
        place = self.bits - 1 - (time - 1) % self.bits
        return state, ((digits >> place & 1).astype(x.dtype) * scale,)


@dataclass(frozen=True)
class Burst(Encoder):
    """Events that double in value while they follow one another; rate code.

    v += x[t];  y[t] = g θ [v >= g θ];  v -= y;  g = min(2 g, 2^doublings) behind an event, else 1;
    v(0) = 0, g(0) = 1, θ = ``threshold``.
    """

    threshold: Array
    doublings: int = 4

    @property
    def signal(self) -> Spikes:
        return Spikes(self.threshold, False, 2**self.doublings, Code.RATE)

    def check(self, x: TensorType) -> None:
        expect(0 <= self.doublings <= 16, f"{self.doublings} doublings", "0..16")
        check_parameter(self.threshold, x, "threshold", positive=True)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give the potential 0 and the growth 1."""
        v = filled(None, inputs[0], sizes, dtype)
        return v, np.ones_like(v)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        v, growth = state
        (x,) = inputs
        v = v + x
        level = growth * number(self.threshold, x.dtype)
        y = np.where(v >= level, level, np.zeros_like(level))
        doubled = np.minimum(2 * growth, x.dtype.type(2**self.doublings))
        return (v - y, np.where(y > 0, doubled, np.ones_like(growth))), (y,)


@dataclass(frozen=True)
class DeltaEncode(Encoder):
    """Changes of a sequence, in steps s = ``step_size``; what was not sent yet is sent later.

    e = clip(floor((x[t] - b) / s + 1/2), -levels, levels), 0 where |e| < ``deadband``;
    y[t] = s e;  b += y;  b(0) = 0.
    """

    step_size: Array
    levels: int
    deadband: int = 1

    @property
    def signal(self) -> Spikes:
        return Spikes(self.step_size, True, self.levels, Code.DELTA)

    def check(self, x: TensorType) -> None:
        check_levels(self.levels)
        expect(1 <= self.deadband <= self.levels, f"deadband {self.deadband}", f"1..{self.levels}")
        check_parameter(self.step_size, x, "step_size", positive=True)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give 0 for the number of steps sent."""
        return (filled(None, inputs[0], sizes, dtype),)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (sent,) = state
        (x,) = inputs
        s = number(self.step_size, x.dtype)
        e = np.clip(rounded(x - s * sent, s), -self.levels, self.levels)
        e = np.where(np.abs(e) >= self.deadband, e, np.zeros_like(e))
        return (sent + e,), (s * e,)
