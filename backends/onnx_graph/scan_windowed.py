"""Neurons with windows, differential and sigma-delta neurons, step by step."""

from __future__ import annotations

from collections.abc import Mapping

from spikec.backends.onnx_graph.scan import Named, ScanRule, Step
from spikec.backends.onnx_graph.scan_fire import quanta
from spikec.ir import ops
from spikec.ir.ops import Comparison


def phased(op: ops.PhasedFire, at: Step) -> tuple[Named, str]:
    """Take in during one window, fire during the next."""
    v, intake = _next_window(at, op.window)
    theta = at.get("threshold")
    n = quanta(at, v, theta, op.levels, Comparison.AT_LEAST)
    states = {"v": at("Sub", v, at("Mul", theta, n)), "intake": at("Add", intake, at.x)}
    return states, at("Mul", at.get("amplitude", "threshold"), n)


def few_spikes(op: ops.FewSpikes, at: Step) -> tuple[Named, str]:
    """One comparison per step of the window, each with its own threshold."""
    v, intake = _next_window(at, op.window)
    alpha, phase = at.get("amplitude"), at.phase(op.window)
    bound = at("Mul", alpha, at("Gather", at.get("thresholds"), phase, axis=0))
    fired = at("GreaterOrEqual", v, bound)
    z = at("Where", fired, at.number(1), at.number(0))
    cost = at("Mul", alpha, at("Gather", at.get("decrements"), phase, axis=0))
    states = {"v": at("Sub", v, at("Mul", cost, z)), "intake": at("Add", intake, at.x)}
    return states, at("Mul", alpha, z)


def _next_window(at: Step, window: int) -> tuple[str, str]:
    """At the start of each window but the first, what was taken in becomes the potential."""
    v, intake = at.state["v"], at.state["intake"]
    first = at("Equal", at.phase(window), at.whole(0))
    fresh = at("And", first, at("Greater", at.time, at.whole(1)))
    v = at("Where", fresh, at("Add", intake, at.get("v0")), v)
    return v, at("Where", fresh, at.number(0), intake)


def differential(op: ops.Differential, at: Step) -> tuple[Named, str]:
    """Send corrections to a decoded mean; see ``spikec.ir.ops.neuron_multilevel``."""
    t, r, m = at.real_time(), at.state["taken"], at.state["sent"]
    w = at("Add", at.state["v"], at("Sub", at("Add", at.x, r), m))
    y, total = at.number(0), at("Mul", m, t)
    for k in reversed(range(op.count)):
        level = at("Mul", at.get("threshold"), at.number(0.5**k))
        up = at("GreaterOrEqual", w, at("Mul", at.number(op.margin), level))
        y = at("Where", up, level, y)
        bound = at("Mul", at.number(-op.negative_margin), level)
        down = at("LessOrEqual", w, bound)
        if op.rectify:
            down = at("And", down, at("GreaterOrEqual", total, level))
        y = at("Where", down, at("Neg", level), y)
    states = {
        "v": at("Sub", w, y),
        "taken": at("Add", r, at("Div", at.x, t)),
        "sent": at("Add", m, at("Div", y, t)),
    }
    return states, y


def sigma_delta(op: ops.SigmaDelta, at: Step) -> tuple[Named, str]:
    """Sum up changes, send changes."""
    s, sent = at.get("step_size"), at.state["sent"]
    sigma = at("Add", at.state["v"], at.x)
    wanted = at("Floor", at("Add", at("Div", sigma, s), at.number(0.5)))
    change = at("Sub", at.clipped(wanted, op.low, op.high), sent)
    large = at("GreaterOrEqual", at("Abs", change), at.number(op.deadband))
    e = at("Where", large, change, at.number(0))
    amplitude = s if op.amplitude is None else at.get("amplitude")
    return {"v": sigma, "sent": at("Add", sent, e)}, at("Mul", amplitude, e)


RULES: Mapping[type[ops.Op], ScanRule] = {
    ops.PhasedFire: ScanRule(phased, states=lambda op: {"v": 0.0, "intake": 0.0}, timed=True),
    ops.FewSpikes: ScanRule(
        few_spikes, states=lambda op: {"v": -float("inf"), "intake": 0.0}, timed=True
    ),
    ops.Differential: ScanRule(
        differential, states=lambda op: {"v": "v0", "taken": 0.0, "sent": 0.0}, timed=True
    ),
    ops.SigmaDelta: ScanRule(sigma_delta, states=lambda op: {"v": "v0", "sent": 0.0}),
}
