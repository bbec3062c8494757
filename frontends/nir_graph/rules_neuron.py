"""I, IF, LI, LIF, CubaLI, CubaLIF: continuous equations become steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikec.frontends.common import Refused
from spikec.frontends.nir_graph.call import Call, Numbers, Rule, compact
from spikec.frontends.nir_graph.settings import RESETS, Gain, Method, Start
from spikec.ir import Array, Value, ops
from spikec.ir.ops import Accumulator, Comparison, IntegrateFire, Leak, Reset

ONE = Array(1.0, "float32")
NEED = "give dt, the length of a step in the file's unit of time"


@dataclass(frozen=True)
class Membrane:
    """v <- rest + k (v - rest) + g x; k of None forgets nothing.

    With ``tau``, in steps, the same is v <- v + (g x - (v - rest)) / tau.
    """

    gain: Numbers
    keep: Numbers | None = None
    rest: Numbers | None = None
    tau: Numbers | None = None


def integrator(call: Call) -> Value:
    """dv/dt = r x  ->  v <- v + r dt x."""
    return _accumulated(call, _integrating(call), call.x, call.name)


def leaky(call: Call) -> Value:
    """τ dv/dt = (v_leak - v) + r x."""
    return _accumulated(call, _membrane(call, "tau"), call.x, call.name)


def integrate_fire(call: Call) -> Value:
    """As the integrator, with a threshold."""
    return _firing(call, _integrating(call), call.x)


def leaky_fire(call: Call) -> Value:
    """As the leaky integrator, with a threshold."""
    return _firing(call, _membrane(call, "tau"), call.x)


def cuba(call: Call) -> Value:
    """τ_syn di/dt = -i + w_in x;  τ_mem dv/dt = (v_leak - v) + r i."""
    return _accumulated(call, _membrane(call, "tau_mem"), _synapse(call), call.name)


def cuba_fire(call: Call) -> Value:
    """As above, with a threshold; v sees the current that this step's input has already moved."""
    return _firing(call, _membrane(call, "tau_mem"), _synapse(call))


def _integrating(call: Call) -> Membrane:
    r = call.parameter("r")
    if call.settings.gain is not Gain.EQUATION:
        return Membrane(np.ones(()))
    if call.dt is None:
        if (r == 1).all():
            return Membrane(np.ones(()))  # dt = 1, as in every framework's own reading
        raise Refused(f"r = {r.min():g}..{r.max():g} without a step", NEED + _hint(1 / r.max()))
    return Membrane(r * call.dt)


def _membrane(call: Call, tau_name: str) -> Membrane:
    tau, r, rest = call.parameter(tau_name), call.parameter("r"), call.parameter("v_leak")
    keep, share = _kept(call, tau, tau_name)
    if call.settings.gain is Gain.UNIT:
        gain = np.ones(())
    elif (r == 1).all() and call.settings.method is Method.EULER and call.dt is not None:
        return Membrane(r, keep, rest, tau / call.dt)
    else:
        gain = r * share
    lossless = (keep.astype(np.float32) == 1).all()
    return Membrane(gain) if lossless else Membrane(gain, keep, rest)


def _kept(call: Call, tau: Numbers, name: str) -> tuple[Numbers, Numbers]:
    """Give what a step keeps of a potential, and the share that it moves to its goal."""
    if not (tau > 0).all():
        raise Refused(f"{name} = {tau.min():g}", expected="positive time constants")
    if call.dt is None:
        raise Refused(f"{name} = {tau.min():g}..{tau.max():g} without a step", NEED + _hint(None))
    if call.settings.method is Method.EXACT:
        keep = np.exp(-call.dt / tau)
        return keep, -np.expm1(-call.dt / tau)
    if (call.dt > tau).any():
        raise Refused(
            f"dt = {call.dt:g} is longer than {name} = {tau.min():g}: Euler steps would overshoot",
            "a shorter dt, or method='exact'",
        )
    return 1 - call.dt / tau, call.dt / tau


def _hint(dt: float | None) -> str:
    """Say what frameworks use."""
    own = "" if dt is None else f"; r dt = 1 for dt={dt:g}"
    return f" (from_nir of norse: 0.001; SpikingJelly and snnTorch: 0.0001{own})"


def _synapse(call: Call) -> Value:
    """Give the synaptic current: a low-pass filter of the input, which starts at 0."""
    tau = call.parameter("tau_syn")
    weight = call.parameter("w_in") if call.has("w_in") else np.ones(())
    keep, share = _kept(call, tau, "tau_syn")
    gain = weight if call.settings.gain is Gain.UNIT else weight * share
    filtered = Membrane(gain, keep)
    return _accumulated(call, filtered, call.x, f"{call.name}.current", at_rest=True)


def _accumulated(
    call: Call, membrane: Membrane, x: Value, name: str, *, at_rest: bool = False
) -> Value:
    """Add the equation without a threshold."""
    current = call.scaled(x, membrane.gain, "gain")
    leak, constant, rest = _leak(membrane)
    if leak is Leak.DECAY and not np.all(membrane.keep):
        if np.any(membrane.keep):
            raise Refused(
                "dt = tau for some of its elements", "a shorter dt"
            )  # dt = τ: nothing is kept
        return _shifted(call, current, membrane.rest, name)
    v0 = None if at_rest else _initial(call, membrane)
    return call.add(Accumulator(v0, leak, constant, rest), current, name=name)


def _shifted(call: Call, x: Value, rest: Numbers | None, name: str) -> Value:
    if rest is None or not rest.any():
        return x
    constant = call.edit.add(ops.Constant(compact(rest)), name=f"{call.name}.rest")
    return call.add(ops.Add(), x, constant, name=name)


def _leak(membrane: Membrane) -> tuple[Leak, Array | None, Array | None]:
    if membrane.keep is None:
        return Leak.NONE, None, None
    rest = None if membrane.rest is None or not membrane.rest.any() else compact(membrane.rest)
    if membrane.tau is not None:
        return Leak.DECAY_INPUT, compact(membrane.tau), rest
    return Leak.DECAY, compact(membrane.keep), rest


def _firing(call: Call, membrane: Membrane, x: Value) -> Value:
    """Add the equation with a threshold; a spike has the value 1."""
    leak, constant, rest = _leak(membrane)
    if leak is Leak.DECAY and not np.all(membrane.keep):
        raise Refused("dt = tau: neurons that keep nothing of their potential", "a shorter dt")
    threshold = call.parameter("v_threshold")
    if not (threshold > 0).all():
        raise Refused(f"v_threshold = {threshold.min():g}", expected="above 0")
    reset = _reset(call)
    if reset is Reset.HARD and call.settings.levels > 1:
        raise Refused("several spikes per step with a reset to v_reset", "reset='subtract'")
    return call.add(
        IntegrateFire(
            threshold=compact(threshold),
            amplitude=ONE,
            levels=call.settings.levels,
            v0=_initial(call, membrane),
            reset=reset,
            reset_potential=_potential(call) if reset is Reset.HARD else None,
            leak=leak,
            leak_constant=constant,
            rest_potential=rest,
            comparison=_comparison(call),
        ),
        call.scaled(x, membrane.gain, "gain"),
    )


def _reset(call: Call) -> Reset:
    if call.settings.reset is not None:
        return call.settings.reset
    said = call.node.metadata.get("reset")
    if said is None:
        return Reset.SOFT if call.legacy else Reset.HARD
    if isinstance(said, str) and said in RESETS:
        return RESETS[said]
    raise Refused(f"its metadata say reset = {said!r}", expected=", ".join(RESETS))


def _comparison(call: Call) -> Comparison:
    if call.settings.comparison is not None:
        return call.settings.comparison
    said = call.node.metadata.get("comparison", Comparison.ABOVE.value)
    known = [member.value for member in Comparison]
    if isinstance(said, str) and said in known:
        return Comparison(said)
    raise Refused(f"its metadata say comparison = {said!r}", expected=", ".join(known))


def _potential(call: Call) -> Array | None:
    if not call.has("v_reset"):
        return None
    value = call.parameter("v_reset")
    return compact(value) if value.any() else None


def _initial(call: Call, membrane: Membrane) -> Array | None:
    """Give the potential before the first step."""
    said = call.node.metadata.get("v_init")
    if said is not None:
        if isinstance(said, str) or said.shape not in ((), (1,), call.sample):
            raise Refused("v_init of its metadata does not fit", expected="a number per neuron")
        value = np.asarray(said, np.float64).reshape(() if said.size == 1 else said.shape)
        return compact(value) if value.any() else None
    match call.settings.start:
        case Start.RESET:
            return _potential(call)
        case Start.LEAK if membrane.rest is not None and membrane.rest.any():
            return compact(membrane.rest)
    return None


RULES: Mapping[str, Rule] = {
    "I": integrator,
    "IF": integrate_fire,
    "LI": leaky,
    "LIF": leaky_fire,
    "CubaLI": cuba,
    "CubaLIF": cuba_fire,
}
