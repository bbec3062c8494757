"""Decoders: what a train of events, or the current it causes, stands for."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Sizes, has_time, per_step
from spikec.ir.op import Family, Op, ScanOp, State, Types, Values, analog, axis_of, expect
from spikec.ir.ops.neuron_rules import check_timed, filled
from spikec.ir.types import DType, Spikes

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Readout(ScanOp):
    """A running estimate: y[t] is the decoded value after t steps."""

    family: ClassVar[Family] = Family.CODING

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        check_timed(x, type(self).__name__)
        expect(x.dtype.is_float, f"operand {x}", "floating point")
        return analog(x.dims, x)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give a sum of 0."""
        return (filled(None, inputs[0], sizes, dtype),)


@dataclass(frozen=True)
class MeanReadout(Readout):
    """Rate code: y[t] = Σ_{t0 < τ <= t} x[τ] / (t - t0), t0 = ``start``: a delayed read-out.

    While t <= t0 there is nothing better than the mean from the first step on.
    """

    start: int = 0

    def infer(self, inputs: Types) -> Types:
        expect(self.start >= 0, f"start {self.start}", "0 or more")
        return super().infer(inputs)

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        anew = time == self.start + 1
        total = x if anew else state[0] + x
        count = time if time <= self.start else time - self.start
        return (total,), (total / x.dtype.type(count),)


class DifferentialReadout(Readout):
    """Differential code: y[t] = Σ_{τ <= t} x[τ] / τ."""

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        total = state[0] + x / x.dtype.type(time)
        return (total,), (total,)


@dataclass(frozen=True)
class WindowReadout(Readout):
    """Codes in windows of K steps: y = Σ_p weights[p] x[p] over the last finished window.

    K = length of ``weights``; 2^-1 … 2^-K decode few spikes, 1/K each a phased rate.  While the
    first window is not finished, y is its sum so far.
    """

    weights: Array

    def infer(self, inputs: Types) -> Types:
        check_table(self.weights, "weights")
        return super().infer(inputs)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give 0 for the running window and for the last one."""
        zero = filled(None, inputs[0], sizes, dtype)
        return zero, zero.copy()

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        running, last = state
        (x,) = inputs
        phase = (time - 1) % self.weights.size
        part = self.weights.astype(x.dtype)[phase] * x
        running = part if phase == 0 else running + part
        if phase == self.weights.size - 1:
            last = running
        return (running, last), (running if time < self.weights.size else last,)


@dataclass(frozen=True)
class OverTime(Op):
    """Takes all steps of a value and gives one static result; ``axis`` is the time axis."""

    axis: int

    family: ClassVar[Family] = Family.CODING

    @abstractmethod
    def reduce(self, x: Numbers) -> Numbers:
        """Give the formula."""

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        axis = x.rank + axis_of(self.axis, x.rank)
        dim = x.dims[axis]
        expect(
            has_time(dim) and per_step(dim) == 1,
            f"axis {self.axis} of {x}",
            "an axis that holds time and nothing else",
            "insert a Reshape that splits it",
        )
        return analog((*x.dims[:axis], *x.dims[axis + 1 :]), x)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        (x,) = inputs
        return (np.asarray(self.reduce(x)).astype(x.dtype, copy=False),)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)


class LastStep(OverTime):
    """y = x[T]."""

    def reduce(self, x: Numbers) -> Numbers:
        return np.asarray(np.take(x, -1, self.axis))


class SumOverTime(OverTime):
    """y = Σ_t x[t], in the order of time."""

    def reduce(self, x: Numbers) -> Numbers:
        return in_order(x, self.axis)


class MeanOverTime(OverTime):
    """y = Σ_t x[t] / T, in the order of time."""

    def infer(self, inputs: Types) -> Types:
        expect(inputs[0].dtype.is_float, f"operand {inputs[0]}", "floating point")
        return super().infer(inputs)

    def reduce(self, x: Numbers) -> Numbers:
        return np.asarray(in_order(x, self.axis) / x.dtype.type(x.shape[self.axis]))


class AndOverTime(OverTime):
    """y = min_t x[t]: an event where every step has one, else 0; of 0s and 1s: the product."""

    family: ClassVar[Family] = Family.TEMPORAL

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        single = isinstance(x.signal, Spikes) and x.signal.levels == 1 and not x.signal.signed
        expect(single or x.dtype is DType.BOOL, f"operand {x}", "bools or unsigned single events")
        return super().infer(inputs)

    def reduce(self, x: Numbers) -> Numbers:
        return np.asarray(x.min(axis=self.axis))


def in_order(x: Numbers, axis: int) -> Numbers:
    """Sum step after step, as a scan does, so that both give the same rounding."""
    total: Numbers = np.add.accumulate(x, axis=axis, dtype=x.dtype).take(-1, axis)
    return total


def check_table(table: Array, name: str) -> None:
    """Refuse what is not a list of finite numbers."""
    fits = table.ndim == 1 and table.size >= 1 and table.dtype.kind in "iuf"
    fits = fits and bool(np.isfinite(table.data).all())
    expect(fits, f"{name} {table}", "one finite number per step of the window")
