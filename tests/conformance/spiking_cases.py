"""Cases of neurons, encoders, decoders and ops between steps, and of how programs hang together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from spikec.ir import Array, B, Code, Graph, Op, Spikes, T, TensorType, ops
from spikec.ir.dims import multiply
from tests.conformance.case import Case, Place
from tests.conformance.draft import ONE, WIDTH, Draft

HALF, TWO, THREE = (Array(np.float32(x)) for x in (0.5, 2, 3))
LEAK = Array(np.float32(0.75))
EACH = Array(np.arange(2, 2 + WIDTH, dtype=np.float32))
"""a threshold for each neuron"""
MEMBERS = Array(1 + np.arange(WIDTH) % 3)
"""a size for each population"""


def _fire(**options: Any) -> ops.IntegrateFire:
    return ops.IntegrateFire(**{"threshold": THREE, "amplitude": ONE, **options})


def _leaky(leak: ops.Leak, constant: float = 0.75, **options: Any) -> ops.IntegrateFire:
    return _fire(leak=leak, leak_constant=Array(np.float32(constant)), **options)


HARD: Mapping[str, Any] = {"reset": ops.Reset.HARD}
NEURONS: Mapping[str, Op] = {
    "soft reset": _fire(),
    "hard reset": _fire(**HARD),
    "hard reset to a potential": _fire(**HARD, reset_potential=ONE),
    "above its threshold": _fire(comparison=ops.Comparison.ABOVE),
    "above its threshold, hard reset": _fire(comparison=ops.Comparison.ABOVE, **HARD),
    "a threshold each": _fire(threshold=EACH),
    "amplitudes that are thresholds": _fire(threshold=EACH, amplitude=None),
    "an initial potential": _fire(v0=TWO),
    "an initial potential, hard reset": _fire(v0=TWO, **HARD),
    "several levels": _fire(levels=3),
    "decision before the input": _fire(decision=ops.Decision.BEFORE_INPUT),
    "decision before the input, hard reset": _fire(decision=ops.Decision.BEFORE_INPUT, **HARD),
    "sum code": _fire(code=Code.SUM),
    "leak": _leaky(ops.Leak.DECAY),
    "leak, hard reset": _leaky(ops.Leak.DECAY, **HARD),
    "leak to a rest potential": _leaky(ops.Leak.DECAY, rest_potential=ONE),
    "leak of the input": _leaky(ops.Leak.DECAY_INPUT, 2.0),
    "leak of silent neurons": _leaky(ops.Leak.SILENT),
    "negative events": _fire(negative=ops.Negative.FREE),
    "negative events, several levels": _fire(negative=ops.Negative.FREE, levels=3),
    "negative events at a threshold of their own": _fire(
        negative=ops.Negative.FREE, negative_threshold=TWO
    ),
    "negative events with memory": _fire(negative=ops.Negative.MEMORY),
    "corrections": _fire(negative=ops.Negative.CORRECTION),
}
OTHER_NEURONS: Mapping[str, Op] = {
    "unsigned": ops.BipolarIF(THREE, high=3),
    "signed, several levels": ops.BipolarIF(TWO, high=5, low=-5, levels=3, v0=ONE),
    "members": ops.Population(ONE, amplitude=TWO, v0=HALF, levels=3, members=MEMBERS),
    "one size": ops.Population(THREE, levels=2, members=Array(np.int64(2))),
    "all thresholds": ops.MultiThreshold(Array(np.float32(8)), 3),
    "the largest threshold": ops.MultiThreshold(
        Array(np.float32(8)), 3, firing=ops.Firing.LARGEST, v0=ONE
    ),
    "signed": ops.MultiThreshold(Array(np.float32(8)), 3, negative=ops.Negative.FREE),
    "one threshold": ops.Differential(TWO, 1, ONE, 1.0, 0.0),
    "several thresholds": ops.Differential(Array(np.float32(4)), 3),
    "windows": ops.PhasedFire(THREE, window=2),
    "windows, several levels": ops.PhasedFire(THREE, window=3, levels=2, v0=ONE),
    "binary digits": ops.FewSpikes.binary(Array(np.float32(4)), bits=3),
    "rectified": ops.SigmaDelta(TWO, high=7),
    "an amplitude that is not its step": ops.SigmaDelta(TWO, high=7, amplitude=THREE),
    "both signs, deadband": ops.SigmaDelta(TWO, high=7, low=-7, deadband=2, v0=ONE),
}
ACCUMULATORS: Mapping[str, Op] = {
    "plain": ops.Accumulator(),
    "an initial potential": ops.Accumulator(TWO),
    "leak": ops.Accumulator(leak=ops.Leak.DECAY, leak_constant=LEAK),
}
CURRENTS: Mapping[str, Op] = {
    "": ops.Repeat(),
    "once": ops.Impulse(),
    "spread": ops.Impulse(steps=2),
}
ENCODERS: tuple[Op, ...] = (
    ops.Poisson(seed=7, scale=TWO),
    ops.Latency(window=3, scale=TWO),
    ops.Phase(bits=3, scale=TWO),
    ops.Burst(HALF, doublings=2),
    ops.DeltaEncode(HALF, levels=3),
)
READOUTS: Mapping[str, Op] = {
    "": ops.MeanReadout(),
    "delayed": ops.MeanReadout(start=2),
    "differential": ops.DifferentialReadout(),
    "window": ops.WindowReadout(Array(np.array([0.5, 0.25], np.float32))),
    "last": ops.LastStep(-3),
    "sum": ops.SumOverTime(-3),
    "mean": ops.MeanOverTime(-3),
}
MIXING = np.array([[1, -2], [3, 1]], np.float32)
STEPWISE: tuple[Op, ...] = (
    ops.CumulativeSum(),
    ops.Difference(),
    ops.TimeScale(),
    ops.PhaseScale(Array(np.array([2, 1], np.float32))),
    ops.StepScale(Array(np.array([[2], [-1]], np.float32))),
    ops.Delay(),
    ops.Delay(3),
)


def _between(op: Op) -> Graph:
    """Events -> weights -> the op, neurons say -> weights -> neurons."""
    d = Draft()
    y = d.subject(op, d.linear(d.sent(4)))
    return d.done(d.neuron(d.linear(y), 3))


def _read(op: Op) -> Graph:
    d = Draft()
    return d.done(d.subject(op, d.linear(d.sent(4))))


def _driven(op: Op) -> Graph:
    """A static value -> the op, which gives it time -> weights -> neurons."""
    d = Draft()
    x = d.edit.add(ops.Round(), d.edit.input("x", TensorType((B, 4))))
    return d.done(d.neuron(d.linear(d.subject(op, x)), 3))


def _in_turn() -> Graph:
    """Three parts of a value on its middle axis, one of them twice per round."""
    d = Draft()
    x = d.edit.add(ops.Round(), d.edit.input("x", TensorType((B, 3, 4))))
    return d.done(d.neuron(d.linear(d.subject(ops.Cycle(-2, (2, 0, 2, 1)), x)), 3))


def _encoded(op: Op) -> Graph:
    d = Draft()
    return d.done(d.neuron(d.linear(d.subject(op, d.current(4))), 3))


def _without_weights(op: Op) -> Graph:
    d = Draft()
    return d.done(d.neuron(d.subject(op, d.sent(4)), 1))


def _all_steps(axis: int) -> Graph:
    d = Draft()
    low, high = d.subject_node(ops.Haar(axis), d.sent(4)).outputs
    back = d.edit.add(ops.HaarInverse(axis), high, low, name="op_inverse")
    return d.done(d.neuron(back, 1))


def _coincidence() -> Graph:
    d = Draft()
    often = d.edit.add(ops.Scale(Array(np.arange(1, 5, dtype=np.float32)), None, -1), d.sent(4))
    return d.done(d.subject(ops.AndOverTime(-3), d.neuron(often, 1)))


# ---- how programs hang together ----


def _two_ways() -> Graph:
    """A way around two layers, whose events wait where each connection takes a step."""
    d = Draft()
    a = d.sent(WIDTH)
    b = d.neuron(d.linear(a), name="second")
    c = d.linear(d.neuron(d.linear(b), name="third"))
    return d.done(d.neuron(d.subject(ops.Add(), c, a), 3))


def _twice() -> Graph:
    d = Draft()
    a = d.sent(WIDTH)
    return d.done(d.neuron(d.subject(ops.Add(), a, a), 2))


def _several_ends() -> Graph:
    d = Draft()
    a = d.neuron(d.linear(d.sent(3, name="left")), name="a")
    b = d.neuron(d.linear(d.sent(4, name="right")), name="b")
    both = d.neuron(d.subject(ops.Add(), a, b), name="both")
    return d.done(both, d.edit.add(ops.MeanReadout(), d.linear(a, 3)), b)


def _kinds_of_inputs() -> Graph:
    """A static input beside events: weights of the one are computed once."""
    d = Draft()
    whole = d.edit.add(ops.Round(), d.edit.input("still", TensorType((B, 3))))
    still = d.edit.add(ops.Repeat(), d.linear(whole))
    return d.done(d.neuron(d.subject(ops.Add(), still, d.linear(d.sent(4))), 3))


def _laid_out(*lead: Any) -> Graph:
    d = Draft()
    x = d.edit.input("x", TensorType((*lead, 4), signal=Spikes(ONE)))
    first = d.neuron(x, 1, name="first")
    return d.done(d.neuron(d.subject(_weights(), first)))


def _weights() -> ops.Linear:
    """Give weights for four elements."""
    return ops.Linear(Array(np.random.default_rng(2).integers(-1, 4, (3, 4)).astype(np.float32)))


def _constant() -> Graph:
    d = Draft()
    more = d.subject_node(ops.Constant(Array(np.arange(4, dtype=np.float32)))).outputs[0]
    return d.done(d.neuron(d.edit.add(ops.Add(), d.sent(4), more), 3))


STRUCTURES: Mapping[str, tuple[type[Op], Callable[[], Graph]]] = {
    "ways of different length": (ops.Add, _two_ways),
    "one value twice": (ops.Add, _twice),
    "several inputs and outputs": (ops.Add, _several_ends),
    "a static input beside events": (ops.Add, _kinds_of_inputs),
    "batch in front of time": (ops.Linear, partial(_laid_out, B, T)),
    "batch and time on one axis": (ops.Linear, partial(_laid_out, multiply(T, B))),
    "a current without events": (ops.Constant, _constant),
}


def cases() -> Iterator[Case]:
    """Give all cases."""
    for group in (NEURONS, OTHER_NEURONS):
        for note, op in group.items():
            yield _case(op, note, Place.BETWEEN, _between)
    for note, op in ACCUMULATORS.items():
        yield _case(op, note, Place.BEHIND, _read)
    for note, op in CURRENTS.items():
        yield _case(op, note, Place.BEFORE, _driven)
    yield Case(ops.Cycle, "", Place.BEFORE, _in_turn)
    for op in ENCODERS:
        yield _case(op, "", Place.BEFORE, _encoded)
    for note, op in READOUTS.items():
        yield _case(op, note if isinstance(op, ops.MeanReadout) else "", Place.BEHIND, _read)
    for op in STEPWISE:
        note = f"{op.steps} steps" if isinstance(op, ops.Delay) else ""
        yield _case(op, note, Place.BETWEEN, _without_weights)
        yield _case(op, note, Place.BEHIND, _read)
    for note, axis in (("over time", -3), ("over elements", -1)):
        for wavelet in (ops.Haar, ops.HaarInverse):
            yield Case(wavelet, note, Place.BETWEEN, partial(_all_steps, axis))
    for note, weight in (("square", MIXING), ("fewer steps", MIXING[:1])):
        yield Case(ops.TimeMix, note, Place.BEHIND, partial(_read, ops.TimeMix(Array(weight), -3)))
    yield Case(ops.AndOverTime, "", Place.BEHIND, _coincidence)
    for note, (kind, build) in STRUCTURES.items():
        yield Case(kind, note, Place.BETWEEN, build)


def _case(op: Op, note: str, place: Place, build: Callable[[Op], Graph]) -> Case:
    return Case(type(op), note, place, partial(build, op))
