"""Ops between time steps: sums, differences, delays, weights by step, Haar wavelets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Dim, Dims, Sizes, divide, has_batch, has_time, multiply
from spikec.ir.op import Family, Op, ScanOp, State, Types, Values, analog, axis_of, expect
from spikec.ir.ops.elementwise import joint_dtype
from spikec.ir.ops.neuron_rules import check_timed, filled
from spikec.ir.ops.readout import check_table
from spikec.ir.ops.shape import replaced
from spikec.ir.types import DType, TensorType

Numbers = NDArray[Any]


@dataclass(frozen=True)
class TimeScan(ScanOp):
    """A scan that keeps sizes and element type; the result is analog."""

    family: ClassVar[Family] = Family.TEMPORAL
    floats_only: ClassVar[bool] = False

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        check_timed(x, type(self).__name__)
        expect(x.dtype is not DType.BOOL, f"operand {x}", "numbers")
        expect(x.dtype.is_float or not self.floats_only, f"operand {x}", "floating point")
        return analog(x.dims, x)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give zeros."""
        return (filled(None, inputs[0], sizes, dtype),)


class CumulativeSum(TimeScan):
    """y[t] = Σ_{τ <= t} x[τ]: also the decoder of the sum code and of delta events."""

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        total = state[0] + inputs[0]
        return (total,), (total,)


class Difference(TimeScan):
    """y[t] = x[t] - x[t-1], x[0] = 0.

    Between CumulativeSum and this, any function f is exact in the sum code: what has been sent
    adds up to f of what has come in, at every step.
    """

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        return (inputs[0],), (inputs[0] - state[0],)


@dataclass(frozen=True)
class TimeScale(TimeScan):
    """y[t] = t^power x[t]: with Difference and a mean, exact differencing of rate codes."""

    power: int = 1

    floats_only: ClassVar[bool] = True

    def infer(self, inputs: Types) -> Types:
        expect(self.power in (-1, 1), f"power {self.power}", "1 or -1")
        return super().infer(inputs)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Remember nothing."""
        return ()

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        t = x.dtype.type(time)
        return state, (x * t if self.power == 1 else x / t,)


@dataclass(frozen=True)
class PhaseScale(TimeScan):
    """y[t] = weights[(t - 1) mod K] x[t], K = length of ``weights``: what phase codes mean."""

    weights: Array

    floats_only: ClassVar[bool] = True

    def infer(self, inputs: Types) -> Types:
        check_table(self.weights, "weights")
        return super().infer(inputs)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Remember nothing."""
        return ()

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        return state, (x * self.weights.astype(x.dtype)[(time - 1) % self.weights.size],)


@dataclass(frozen=True)
class Delay(TimeScan):
    """y[t] = x[t - steps], 0 before: spikes stay spikes."""

    steps: int = 1

    def infer(self, inputs: Types) -> Types:
        expect(self.steps >= 1, f"delay of {self.steps} steps", "at least 1")
        return (replace(super().infer(inputs)[0], signal=inputs[0].signal),)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give a queue of zeros, the next one to leave first."""
        return tuple(filled(None, inputs[0], sizes, dtype) for _ in range(self.steps))

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        return (*state[1:], inputs[0]), (state[0],)


@dataclass(frozen=True)
class Haar(Op):
    """One level of the Haar wavelet along ``axis``: low and high band, each of half the size.

    low[i] = (x[2i] + x[2i+1]) / √2,  high[i] = (x[2i] - x[2i+1]) / √2; an odd axis repeats its last
    element.  Along time the bands run at half the rate.  Two and three dimensions, and further
    levels, are this op applied again.
    """

    axis: int

    family: ClassVar[Family] = Family.TEMPORAL

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        check_haar_axis(x, self.axis)
        (band,) = analog(replaced(x.dims, self.axis, _half(x.dims[self.axis])), x)
        return (band, band)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        x = np.moveaxis(inputs[0], self.axis, -1)
        if x.shape[-1] % 2:
            x = np.concatenate([x, x[..., -1:]], -1)
        even, odd, root = x[..., ::2], x[..., 1::2], x.dtype.type(np.sqrt(0.5))
        bands = ((even + odd) * root, (even - odd) * root)
        return tuple(np.moveaxis(band, -1, self.axis) for band in bands)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)


@dataclass(frozen=True)
class HaarInverse(Op):
    """x[2i] = (low[i] + high[i]) / √2, x[2i+1] = (low[i] - high[i]) / √2 along ``axis``."""

    axis: int

    family: ClassVar[Family] = Family.TEMPORAL
    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    def infer(self, inputs: Types) -> Types:
        low, high = inputs
        joint_dtype(inputs)
        check_haar_axis(low, self.axis)
        expect(low.dims == high.dims, f"bands {low} and {high}", "equal sizes")
        dims: Dims = replaced(low.dims, self.axis, multiply(low.dims[self.axis], 2))
        return analog(dims, low)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        low, high = (np.moveaxis(band, self.axis, -1) for band in inputs)
        root = low.dtype.type(np.sqrt(0.5))
        pairs = np.stack([(low + high) * root, (low - high) * root], -1)
        x = pairs.reshape(*low.shape[:-1], 2 * low.shape[-1])
        return (np.moveaxis(x, -1, self.axis),)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)


def check_haar_axis(x: TensorType, axis: int) -> None:
    """Refuse wavelets over the batch, and integers."""
    expect(x.dtype.is_float, f"operand {x}", "floating point")
    dim = x.dims[axis_of(axis, x.rank)]
    expect(not has_batch(dim), f"axis {axis} of {x} holds the batch", "an axis without B")


def _half(dim: Dim) -> Dim:
    if not isinstance(dim, int):
        half = divide(dim, 2)
        expect(half is not None and has_time(half), f"half of {dim}")
        return half if half is not None else dim
    return -(-dim // 2)
