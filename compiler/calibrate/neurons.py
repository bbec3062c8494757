"""Fits the neurons of one layer to the currents that really reach them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, B, Op, Sizes, T, TensorType
from spikec.ir.ops import Differential, IntegrateFire, MultiThreshold, Population, QuantReLU

Numbers = NDArray[Any]
Vector = NDArray[np.float64]
Pairs = list[tuple[Vector, Vector]]
Site = IntegrateFire | MultiThreshold | Differential | QuantReLU
SITES = (IntegrateFire, MultiThreshold, Differential, QuantReLU)
PROMPTNESS = 0.3
"""weight of an event's lateness beside the error of the mean"""
FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.15, 1.3)
FINER = (0.92, 0.95, 0.975, 1.025, 1.05, 1.08)
SHARES = (-1.5, -0.8, -0.3, 0.0, 0.25, 0.5)
NEARBY = (-0.3, -0.15, 0.1, 0.2)


@dataclass(frozen=True)
class Fit:
    """What was chosen per channel, and its error."""

    scale: Vector
    """smallest threshold of a neuron, step of a quantiser"""
    v0: Vector
    """initial potential, in smallest thresholds"""
    shift: Vector
    """what the current becomes larger by, at every step"""
    error: Vector

    def better(self, other: Fit) -> Fit:
        """Take per channel whichever has the smaller error."""
        first = self.error <= other.error
        pairs = ((getattr(self, name), getattr(other, name)) for name in vars(self))
        return Fit(*(np.where(first, mine, theirs) for mine, theirs in pairs))


@dataclass(frozen=True)
class Layer:
    """One layer of neurons, what reaches it, and what it should answer."""

    op: Site
    current: Numbers
    """[steps, rows, channels], or [rows, channels] for a quantiser"""
    wanted: Numbers
    """[rows, channels]"""
    rounds: int
    """how often the mean error is added to the current"""
    mean_matters: bool = True
    """take the last shift, which meets the mean best, even where another has less error in all"""
    scale_matters: bool = True
    """count what a factor and a constant in the weights behind would make up for as an error"""

    def given(self) -> Fit:
        """Try the layer as it is."""
        channels = self.wanted.shape[-1]
        return self._try(_scale(self.op, channels), _share(self.op, channels))

    def searched(self) -> Fit:
        """Search one parameter after the other, per channel, from the best so far."""
        best = self.given()
        moves = _THRESHOLDS if isinstance(self.op, QuantReLU) else _MOVES
        for move in moves:
            best = reduce(Fit.better, [self._try(*pair) for pair in move(best)], best)
        return best

    def _try(self, scale: Vector, share: Vector) -> Fit:
        """Fit the shift, and give the mean square of what is then wrong.

        Events that come late, or early, make the next layers err while they are on their way; with
        r[t] what the events up to step t stand for (their mean; Σ y[τ]/τ in the differential
        code), and a the wanted value, error = (r[T] - a)² + 0.3 mean_t (t/T)² (r[t] - a)²
        (the first part up to a factor and a constant where ``scale_matters`` is false).
        Channels that are silent in the analog network keep their bias.
        """
        layer = with_scale(self.op, scale, share, -1)
        aim = self.wanted.mean(axis=0, dtype=np.float64)
        shift = np.zeros(len(scale))
        answer = self._answer(layer, shift)
        best = Fit(scale, share, shift, self._error(answer))
        for _ in range(self.rounds):
            found = answer.mean.mean(axis=0, dtype=np.float64)
            shift = shift + np.where(aim > 0, aim - found, 0.0)
            answer = self._answer(layer, shift)
            fit = Fit(scale, share, shift, self._error(answer))
            best = fit if self.mean_matters else best.better(fit)
        return best

    def _error(self, answer: Answer) -> Vector:
        error = (_mean_square if self.scale_matters else _unexplained)(answer.mean, self.wanted)
        return error + PROMPTNESS * answer.lateness

    def _answer(self, layer: Site, shift: Vector) -> Answer:
        """Step the neurons themselves: what they hold between two steps stays in the cache."""
        dtype = self.current.dtype
        added = shift.astype(dtype)
        if isinstance(layer, QuantReLU):
            (found,) = layer.run((self.current + added,), Sizes(len(self.wanted), 1))
            return Answer(found, np.zeros(len(shift)))
        steps = len(self.current)
        kind, sizes = TensorType((T, B, len(shift))), Sizes(len(self.wanted), 1)
        state = layer.initial((kind,), sizes, dtype)
        total, late = np.zeros_like(self.current[0]), np.zeros(len(shift))
        once = delivers_once(layer)
        for time, current in enumerate(self.current, start=1):
            x = current + added if time == 1 or not once else current
            state, (sent,) = layer.step(state, (x[None],), time)
            total += sent[0] / dtype.type(time) if once else sent[0]
            sums = total * dtype.type(time) if once else total
            behind = sums - self.wanted * dtype.type(time)
            late += np.einsum("rc,rc->c", behind, behind)
        mean = total if once else total / dtype.type(steps)
        return Answer(mean, late / (len(self.wanted) * steps**3))


@dataclass(frozen=True)
class Answer:
    """What a layer sends."""

    mean: Numbers
    """r[T] [rows, channels]"""
    lateness: Vector
    """mean over steps and rows of (t/T)² (r[t] - a)²"""


def delivers_once(op: Op) -> bool:
    """Tell whether constants come once, at the first step, in the code of these neurons."""
    return isinstance(op, Differential)


def decoded(op: Op, events: Numbers) -> Numbers:
    """Give what a whole train [steps, ...] stands for: Σ y[t]/t, or the mean."""
    if not delivers_once(op):
        return np.asarray(events.mean(axis=0))
    times = np.arange(1, len(events) + 1).reshape(-1, *(1,) * (events.ndim - 1))
    return np.asarray((events / times.astype(events.dtype)).sum(axis=0))


def _mean_square(found: Numbers, wanted: Numbers) -> Vector:
    return np.asarray(np.square(found - wanted).mean(axis=0, dtype=np.float64))


def _unexplained(found: Numbers, wanted: Numbers) -> Vector:
    """Min over c, d of mean (c r + d - a)² = Var a - Cov(a, r)² / Var r, per channel."""
    r, a = (x - x.mean(axis=0, keepdims=True) for x in (found, wanted))
    shared, own, whole = (
        (x * y).mean(axis=0, dtype=np.float64) for x, y in ((a, r), (r, r), (a, a))
    )
    return np.asarray(whole - shared**2 / np.maximum(own, np.finfo(np.float32).tiny))


def _potentials(best: Fit) -> Pairs:
    return [(best.scale, np.full_like(best.v0, share)) for share in SHARES]


def _thresholds(best: Fit) -> Pairs:
    return [(best.scale * factor, best.v0) for factor in FACTORS]


def _finer_thresholds(best: Fit) -> Pairs:
    return [(best.scale * factor, best.v0) for factor in FINER]


def _nearby_potentials(best: Fit) -> Pairs:
    return [(best.scale, best.v0 + change) for change in NEARBY]


_THRESHOLDS = (_thresholds, _finer_thresholds)
_MOVES = (_potentials, *_THRESHOLDS, _nearby_potentials)
"""each gives thresholds and initial potentials (in thresholds) to try"""


def with_scale(op: Site, scale: Vector, share: Vector, axis: int) -> Site:
    """Give the layer with other smallest thresholds and initial potentials, per channel."""

    def wide(vector: Vector) -> Array:
        return Array(vector.reshape(-1, *(1,) * (-axis - 1)), "float32")

    match op:
        case QuantReLU():
            return replace(op, step=wide(scale))
        case Population():
            members = Array(op.members.data.reshape(-1, *(1,) * (-axis - 1)))
            return replace(op, threshold=wide(scale), v0=wide(share * scale), members=members)
        case IntegrateFire():
            return replace(op, threshold=wide(scale), v0=wide(share * scale))
        case MultiThreshold() | Differential():
            largest = scale * 2.0 ** (op.count - 1)
            return replace(op, threshold=wide(largest), v0=wide(share * scale))


def _smallest(op: Site) -> Numbers:
    match op:
        case QuantReLU():
            return op.step.data
        case IntegrateFire():
            return op.threshold.data
        case MultiThreshold() | Differential():
            return op.quantum.data


def _scale(op: Site, channels: int) -> Vector:
    return _per_channel(_smallest(op), channels)


def _share(op: Site, channels: int) -> Vector:
    """The initial potential in smallest thresholds."""
    if isinstance(op, QuantReLU) or op.v0 is None:
        return np.zeros(channels)
    return _per_channel(op.v0.data / _smallest(op), channels)


def _per_channel(array: Numbers, channels: int) -> Vector:
    return np.broadcast_to(array.astype(np.float64).reshape(-1), (channels,)).copy()
