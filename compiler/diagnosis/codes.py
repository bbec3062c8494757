"""How the trains of each code are decoded, and what a neuron answers to an even input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, B, Editor, Graph, Op, Stage, TensorType
from spikec.ir.ops import (
    BipolarIF,
    CumulativeSum,
    Differential,
    DifferentialReadout,
    FewSpikes,
    Impulse,
    IntegrateFire,
    LastStep,
    MeanReadout,
    MultiThreshold,
    PhasedFire,
    PhaseScale,
    Repeat,
    SigmaDelta,
    WindowReadout,
)
from spikec.ir.types import Spikes
from spikec.runtime import run

Numbers = NDArray[Any]
Span = tuple[Numbers, Numbers]


class Reading(ABC):
    """What a current, or a train of events, of one kind of neuron stands for."""

    @abstractmethod
    def readout(self, op: Any) -> Op:
        """Give the running estimate of what has been sent; that of the last step counts."""

    def intake(self, op: Any) -> Op:
        """Give that of what reaches the neuron, where it is another."""
        return self.readout(op)

    def share(self, op: Any) -> int:
        """Give how many times the decoded value that estimate is."""
        return 1

    @abstractmethod
    def answer(self, op: Any, z: Numbers, steps: int) -> Numbers:
        """Give the decoded output Q(z) where the current z reaches the neuron evenly."""

    @abstractmethod
    def span(self, op: Any) -> Span:
        """Give the least and the largest value that it can stand for."""


class RateReading(Reading):
    """r = Σ_t y[t] / T.  Q(z): the neuron itself, with z at every step.

    For soft reset without leak that is (θ/T) clip(floor((T z + v0) / θ), 0, T levels).
    """

    def readout(self, op: Any) -> Op:
        return MeanReadout()

    def answer(self, op: Any, z: Numbers, steps: int) -> Numbers:
        return _answered(z, steps, Repeat(), op, MeanReadout())

    def span(self, op: Any) -> Span:
        return _span(op, 0, op.levels)


class SumReading(Reading):
    """r = Σ_t y[t].  Q(z) = amplitude · clip(floor((z + v0) / s), low, high), once settled."""

    def readout(self, op: Any) -> Op:
        return CumulativeSum()

    def answer(self, op: BipolarIF, z: Numbers, steps: int) -> Numbers:
        quanta = np.floor((z + _number(op.v0)) / op.threshold.data.astype(np.float64))
        return np.asarray(_amplitude(op) * np.clip(quanta, op.low, op.high))

    def span(self, op: BipolarIF) -> Span:
        return _span(op, op.low, op.high)


class WindowReading(Reading):
    """r = mean of y over the last finished window of K steps.

    Q(z) = (amplitude / K) clip(floor((K z + v0) / θ), 0, K levels): of a window that brings z in
    the mean, however that is spread.
    """

    def readout(self, op: PhasedFire) -> Op:
        return WindowReadout(Array(np.ones(op.window), "float32"))

    def share(self, op: PhasedFire) -> int:
        return op.window

    def answer(self, op: PhasedFire, z: Numbers, steps: int) -> Numbers:
        total = (z * np.float64(op.window)).astype(np.float32)  # as summed by the neuron
        potential = total + _number(op.v0).astype(np.float32)
        quanta = np.clip(np.floor(potential / op.threshold.data), 0, op.window * op.levels)
        return np.asarray(_amplitude(op) / op.window * quanta)

    def span(self, op: PhasedFire) -> Span:
        return _span(op, 0, op.levels)


class DigitReading(Reading):
    """r = Σ_p d[p] y[p] / N over the last finished window of K steps, N = Σ d.

    What reaches the neuron is multiplied by d already: z̄ = Σ_p x[p] / N.  Q(z): the neuron
    itself, with z at every step of a window; (α / N) clip(floor((N z + v0) / α), 0, N) in binary.
    """

    def readout(self, op: FewSpikes) -> Op:
        return WindowReadout(Array(_digits(op) / _digits(op).sum(), "float32"))

    def intake(self, op: FewSpikes) -> Op:
        return WindowReadout(Array(np.full(op.window, 1 / _digits(op).sum()), "float32"))

    def answer(self, op: FewSpikes, z: Numbers, steps: int) -> Numbers:
        scale = PhaseScale(op.decrements)
        return _answered(z, 2 * op.window, Repeat(), scale, op, self.readout(op))

    def span(self, op: FewSpikes) -> Span:
        return _span(op, 0, 1)


class DifferentialReading(Reading):
    """r = Σ_t y[t] / t.  Q(z): the neuron itself, with z at the first step and nothing behind.

    It has no largest value: nothing is clipped.
    """

    def readout(self, op: Any) -> Op:
        return DifferentialReadout()

    def answer(self, op: Differential, z: Numbers, steps: int) -> Numbers:
        return _answered(z, steps, Impulse(), op, DifferentialReadout())

    def span(self, op: Differential) -> Span:
        return np.asarray(0.0 if op.rectify else -np.inf), np.asarray(np.inf)


class DeltaReading(Reading):
    """r = Σ_t y[t].  Q(z): the neuron itself, with z in the first frame and nothing behind.

    That is amplitude · clip(floor(z / s + 1/2), low, high), where deadband is 1.
    """

    def readout(self, op: Any) -> Op:
        return CumulativeSum()

    def answer(self, op: SigmaDelta, z: Numbers, steps: int) -> Numbers:
        return _answered(z, steps, Impulse(), op, CumulativeSum())

    def span(self, op: SigmaDelta) -> Span:
        return _span(op, op.low, op.high)


def _answered(z: Numbers, steps: int, *between: Op) -> Numbers:
    """Run z through some ops, the first of which gives it time; give the last step."""
    edit = Editor(Graph("even", Stage.SPIKING), by="diagnosis")
    value = edit.input("z", TensorType((B, *z.shape[1:])))
    for op in between:
        value = edit.add(op, value)
    edit.output("r", edit.add(LastStep(-value.type.rank), value))
    result = run(edit.graph, z.astype(np.float32), "layerwise", steps=steps)
    assert not isinstance(result, tuple)  # one output
    return result


def _digits(op: FewSpikes) -> Numbers:
    return op.decrements.data.astype(np.float64)


def _number(array: Array | None) -> Numbers:
    return np.zeros(()) if array is None else array.data.astype(np.float64)


def _amplitude(op: Any) -> Numbers:
    signal = op.signal
    assert isinstance(signal, Spikes)  # of a neuron that fires
    return signal.amplitude.data.astype(np.float64)


def _span(op: Any, low: int, high: int) -> Span:
    return low * _amplitude(op), high * _amplitude(op)


READINGS: Mapping[type[Op], Reading] = {
    IntegrateFire: RateReading(),
    MultiThreshold: RateReading(),
    BipolarIF: SumReading(),
    PhasedFire: WindowReading(),
    FewSpikes: DigitReading(),
    Differential: DifferentialReading(),
    SigmaDelta: DeltaReading(),
}
