"""Integrate-and-fire, bipolar and multi-threshold neurons, step by step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.backends.onnx_graph.scan import Arrays, Named, ScanRule, Start, Step
from spikec.ir import Array, ops
from spikec.ir.ops import Comparison, Decision, Firing, Leak, Negative, Reset
from spikec.ir.ops.neuron_multilevel import smallest


def integrate_fire(op: ops.IntegrateFire, at: Step) -> tuple[Named, str]:
    """Integrate, compare, fire, reset; see ``spikec.ir.ops.neuron``."""
    v = at.state["v"]
    after = op.decision is Decision.AFTER_INPUT
    h = charged(op, at, v, at.x) if after else v
    up = quanta(at, h, at.get("threshold"), op.levels, op.comparison)
    down = taken_back(
        at, h, op.negative, (at.get("negative_threshold", "threshold"), op.levels), op.comparison
    )
    if after:
        v = _settled(op, at, h, up, down)
    elif op.reset is Reset.HARD or op.leak is Leak.SILENT:
        v = charged(op, at, _settled(op, at, v, up, down), at.x)
    else:
        v = at("Sub", charged(op, at, v, at.x), _taken(at, up, down))
    n = up if down is None else at("Sub", up, down)
    y = at("Mul", n, at.get("amplitude", "threshold"))
    return {"v": v, **_counted(at, n)}, y


def population(op: ops.Population, at: Step) -> tuple[Named, str]:
    """As one neuron that sends at most as many events as it has members."""
    theta = at.get("threshold")
    h = at("Add", at.state["v"], at.x)
    n = at("Min", quanta(at, h, theta, op.levels, op.comparison), at.get("members"))
    return {"v": at("Sub", h, at("Mul", theta, n))}, at("Mul", n, at.get("amplitude", "threshold"))


def multi_threshold(op: ops.MultiThreshold, at: Step) -> tuple[Named, str]:
    """As integrate-and-fire, in quanta of the smallest threshold."""
    quantum, most = at.get("quantum"), (1 << op.count) - 1
    h = at("Add", at.state["v"], at.x)
    up = quanta(at, h, quantum, most, Comparison.AT_LEAST)
    down = taken_back(at, h, op.negative, (quantum, most), Comparison.AT_LEAST)
    if op.firing is Firing.LARGEST:
        up = _largest_power(at, up, op.count)
        down = None if down is None else _largest_power(at, down, op.count)
    n = up if down is None else at("Sub", up, down)
    v = at("Sub", h, at("Mul", quantum, n))
    return {"v": v, **_counted(at, n)}, at("Mul", at.get("amplitude", "quantum"), n)


def bipolar(op: ops.BipolarIF, at: Step) -> tuple[Named, str]:
    """Q += x; as many quanta as the tracer allows; see ``spikec.ir.ops.neuron_bipolar``."""
    s, traced = at.get("threshold"), at.state["sent"]
    q = at("Add", at.state["v"], at.x)
    least = at("Max", at("Sub", at.number(op.low), traced), at.number(-op.levels))
    most = at("Min", at("Sub", at.number(op.high), traced), at.number(op.levels))
    e = at("Min", at("Max", at("Floor", at("Div", q, s)), least), most)
    states = {"v": at("Sub", q, at("Mul", s, e)), "sent": at("Add", traced, e)}
    return states, at("Mul", at.get("amplitude", "threshold"), e)


def accumulate(op: ops.Accumulator, at: Step) -> tuple[Named, str]:
    """Charge and never fire."""
    v = charged(op, at, at.state["v"], at.x)
    return {"v": v}, v


def charged(op: ops.IntegrateFire | ops.Accumulator, at: Step, v: str, x: str) -> str:
    """Let the potential decay and add the current."""
    if op.leak in (Leak.NONE, Leak.SILENT):
        return at("Add", v, x)
    k, rest = at.get("leak_constant"), at.get("rest_potential")
    above = at("Sub", v, rest)
    if op.leak is Leak.DECAY:
        return at("Add", at("Add", rest, at("Mul", k, above)), x)
    return at("Add", v, at("Div", at("Sub", x, above), k))


def quanta(at: Step, h: str, quantum: str, levels: int, comparison: Comparison) -> str:
    """How many quanta are fired at potential h."""
    if comparison is Comparison.AT_LEAST:
        n = at("Floor", at("Div", h, quantum))
    else:
        below = at("Floor", at("Div", at("Neg", h), quantum))
        n = at("Sub", at("Neg", below), at.number(1))
    return at.clipped(n, 0, levels)


def taken_back(
    at: Step, h: str, negative: Negative, unit: tuple[str, int], comparison: Comparison
) -> str | None:
    """How many quanta are taken back; None where a neuron never does."""
    quantum, levels = unit
    if negative is Negative.NONE:
        return None
    if negative is Negative.CORRECTION:
        wanted = at.clipped(at("Neg", at("Floor", at("Div", h, quantum))), 0, levels)
    else:
        wanted = quanta(at, at("Neg", h), quantum, levels, comparison)
    if negative is Negative.FREE:
        return wanted
    return at("Min", wanted, at("Max", at.state["sent"], at.number(0)))


def _settled(op: ops.IntegrateFire, at: Step, h: str, up: str, down: str | None) -> str:
    """Give the potential behind the reset, and behind the leak of silent neurons."""
    n = up if down is None else at("Sub", up, down)
    silent = at("Equal", n, at.number(0))
    if op.reset is Reset.HARD:
        v = at("Where", silent, h, at.get("reset_potential"))
    else:
        v = at("Sub", h, _taken(at, up, down))
    if op.leak is not Leak.SILENT:
        return v
    rest = at.get("rest_potential")
    leaked = at("Add", rest, at("Mul", at.get("leak_constant"), at("Sub", v, rest)))
    return at("Where", silent, leaked, v)


def _taken(at: Step, up: str, down: str | None) -> str:
    taken = at("Mul", at.get("threshold"), up)
    if down is None:
        return taken
    return at("Sub", taken, at("Mul", at.get("negative_threshold", "threshold"), down))


def _counted(at: Step, n: str) -> Named:
    """Count what was sent, where the neuron remembers it."""
    return {"sent": at("Add", at.state["sent"], n)} if "sent" in at.state else {}


def _largest_power(at: Step, n: str, count: int) -> str:
    """The largest power of two that is not above n, of 2^0 … 2^(count-1); 0 for 0."""
    y = at.number(0)
    for k in range(count):
        power = at.number(2**k)
        y = at("Where", at("GreaterOrEqual", n, power), power, y)
    return y


def _memory(op: ops.IntegrateFire | ops.MultiThreshold) -> Mapping[str, Start]:
    remembers = op.negative in (Negative.MEMORY, Negative.CORRECTION)
    return {"v": "v0", "sent": 0.0} if remembers else {"v": "v0"}


def _members(op: ops.Population) -> Arrays:
    return {**op.arrays, "members": Array(op.members.data.astype(np.float32))}


def _multi_arrays(op: ops.MultiThreshold) -> Arrays:
    quantum = smallest(op.threshold, op.count)
    return {"quantum": quantum, "amplitude": op.amplitude, "v0": op.v0}


RULES: Mapping[type[ops.Op], ScanRule] = {
    ops.IntegrateFire: ScanRule(integrate_fire, states=_memory),
    ops.Population: ScanRule(population, _members, _memory),
    ops.MultiThreshold: ScanRule(multi_threshold, _multi_arrays, _memory),
    ops.BipolarIF: ScanRule(bipolar, states=lambda op: {"v": "v0", "sent": 0.0}),
    ops.Accumulator: ScanRule(accumulate, states=lambda op: {"v": "v0"}),
}
