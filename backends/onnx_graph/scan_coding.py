"""Encoders, read-outs and sums over time, step by step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.backends.onnx_graph.scan import Named, ScanRule, Step
from spikec.ir import ops


def cumulative(op: ops.CumulativeSum, at: Step) -> tuple[Named, str]:
    """Σ_{τ <= t} x[τ]."""
    total = at("Add", at.state["total"], at.x)
    return {"total": total}, total


def difference(op: ops.Difference, at: Step) -> tuple[Named, str]:
    """x[t] - x[t-1]."""
    return {"last": at("Identity", at.x)}, at("Sub", at.x, at.state["last"])


def time_scale(op: ops.TimeScale, at: Step) -> tuple[Named, str]:
    """T x[t], or x[t] / t."""
    return {}, at("Mul" if op.power == 1 else "Div", at.x, at.real_time())


def phase_scale(op: ops.PhaseScale, at: Step) -> tuple[Named, str]:
    """One weight per step of the window."""
    weight = at("Gather", at.get("weights"), at.phase(op.weights.size), axis=0)
    return {}, at("Mul", at.x, weight)


def step_scale(op: ops.StepScale, at: Step) -> tuple[Named, str]:
    """The weights of this step."""
    weight = at("Gather", at.get("weights"), at.phase(len(op.weights.data)), axis=0)
    return {}, at("Mul", at.x, weight)


def delay(op: ops.Delay, at: Step) -> tuple[Named, str]:
    """A queue of ``steps`` values."""
    queue = [at.state[f"waiting{i}"] for i in range(op.steps)]
    moved = {f"waiting{i}": at("Identity", v) for i, v in enumerate((*queue[1:], at.x))}
    return moved, at("Identity", queue[0])


def mean_readout(op: ops.MeanReadout, at: Step) -> tuple[Named, str]:
    """The mean since the start of the read-out."""
    total = at("Add", at.state["total"], at.x)
    count = at.time
    if op.start:
        anew = at("Equal", at.time, at.whole(op.start + 1))
        total = at("Where", anew, at.x, total)
        late = at("Sub", at.time, at.whole(op.start))
        early = at("LessOrEqual", at.time, at.whole(op.start))
        count = at("Where", early, at.time, late)
    return {"total": total}, at("Div", total, at("CastLike", count, at.x))


def differential_readout(op: ops.DifferentialReadout, at: Step) -> tuple[Named, str]:
    """Σ x[τ] / τ."""
    total = at("Add", at.state["total"], at("Div", at.x, at.real_time()))
    return {"total": total}, total


def window_readout(op: ops.WindowReadout, at: Step) -> tuple[Named, str]:
    """The weighted sum over the last finished window."""
    size = op.weights.size
    phase = at.phase(size)
    part = at("Mul", at("Gather", at.get("weights"), phase, axis=0), at.x)
    first = at("Equal", phase, at.whole(0))
    running = at("Where", first, part, at("Add", at.state["running"], part))
    full = at("Equal", phase, at.whole(size - 1))
    last = at("Where", full, running, at.state["last"])
    early = at("Less", at.time, at.whole(size))
    return {"running": running, "last": last}, at("Where", early, running, last)


def latency(op: ops.Latency, at: Step) -> tuple[Named, str]:
    """One event per window, early for large values."""
    scale, one = at.get("scale"), at.number(1)
    early = at("Sub", one, at("Min", at("Div", at.x, scale), one))
    late = at("Mul", early, at.number(op.window - 1))
    phase = at("CastLike", at.phase(op.window), at.x)
    now = at("Equal", at("Floor", at("Add", late, at.number(0.5))), phase)
    fired = at("And", at("Greater", at.x, at.number(0)), now)
    return {}, at("Mul", at("Where", fired, one, at.number(0)), scale)


def phase(op: ops.Phase, at: Step) -> tuple[Named, str]:
    """Binary digits, the highest first."""
    scale, most = at.get("scale"), 2**op.bits
    digits = at("Floor", at("Mul", at("Div", at.x, scale), at.number(most)))
    digits = at.clipped(digits, 0, most - 1)
    places = at.scope.constant(2.0 ** np.arange(op.bits - 1, -1, -1).astype(at.kind))
    place = at("Gather", places, at.phase(op.bits), axis=0)
    high = at("Floor", at("Div", digits, place))
    pair = at("Mul", at("Floor", at("Div", high, at.number(2))), at.number(2))
    return {}, at("Mul", at("Sub", high, pair), scale)


def burst(op: ops.Burst, at: Step) -> tuple[Named, str]:
    """Events that double in value while they follow one another."""
    growth = at.state["growth"]
    v = at("Add", at.state["v"], at.x)
    level = at("Mul", growth, at.get("threshold"))
    y = at("Where", at("GreaterOrEqual", v, level), level, at.number(0))
    doubled = at("Min", at("Mul", at.number(2), growth), at.number(2**op.doublings))
    behind = at("Where", at("Greater", y, at.number(0)), doubled, at.number(1))
    return {"v": at("Sub", v, y), "growth": behind}, y


def delta_encode(op: ops.DeltaEncode, at: Step) -> tuple[Named, str]:
    """Changes in whole steps; what was not sent yet is sent later."""
    s, sent = at.get("step_size"), at.state["sent"]
    rest = at("Sub", at.x, at("Mul", s, sent))
    e = at("Floor", at("Add", at("Div", rest, s), at.number(0.5)))
    e = at.clipped(e, -op.levels, op.levels)
    large = at("GreaterOrEqual", at("Abs", e), at.number(op.deadband))
    e = at("Where", large, e, at.number(0))
    return {"sent": at("Add", sent, e)}, at("Mul", s, e)


def _zero(*names: str) -> dict[str, float | str]:
    return dict.fromkeys(names, 0.0)


RULES: Mapping[type[ops.Op], ScanRule] = {
    ops.CumulativeSum: ScanRule(cumulative, states=lambda op: _zero("total")),
    ops.Difference: ScanRule(difference, states=lambda op: _zero("last")),
    ops.TimeScale: ScanRule(time_scale, timed=True),
    ops.PhaseScale: ScanRule(phase_scale, timed=True),
    ops.StepScale: ScanRule(step_scale, timed=True),
    ops.Delay: ScanRule(delay, states=lambda op: _zero(*(f"waiting{i}" for i in range(op.steps)))),
    ops.MeanReadout: ScanRule(mean_readout, states=lambda op: _zero("total"), timed=True),
    ops.DifferentialReadout: ScanRule(
        differential_readout, states=lambda op: _zero("total"), timed=True
    ),
    ops.WindowReadout: ScanRule(
        window_readout, states=lambda op: _zero("running", "last"), timed=True
    ),
    ops.Latency: ScanRule(latency, timed=True),
    ops.Phase: ScanRule(phase, timed=True),
    ops.Burst: ScanRule(burst, states=lambda op: {"v": 0.0, "growth": 1.0}),
    ops.DeltaEncode: ScanRule(delta_encode, states=lambda op: _zero("sent")),
}
