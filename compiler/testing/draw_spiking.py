"""Draws of neurons, encoders, readouts and ops between time steps."""

from __future__ import annotations

import numpy as np

from spikec.ir import ops
from spikec.ir.array import Array
from spikec.ir.dims import B, Dims, T, has_batch, multiply, per_step
from spikec.ir.graph import Value
from spikec.ir.op import Op
from spikec.ir.types import Code, DType, Spikes, TensorType
from spikec.testing.draft import Draft, UnfitError


def neuron(d: Draft) -> None:
    """A neuron with random options, behind a value over time."""
    x = d.pick(is_current)
    family = (_integrate_fire, _integrate_fire, _bipolar, _multilevel, _windowed, _sigma_delta)
    d.add(d.choose(*family)(d, x), x)


def accumulator(d: Draft) -> None:
    """The neuron that never fires."""
    x = d.pick(is_current)
    leak, constant = _leak(d, x, silent=False)
    rest = _near_zero(d, x) if leak is not ops.Leak.NONE else None
    d.add(ops.Accumulator(_near_zero(d, x), leak, constant, rest), x)


def whole_neuron(d: Draft) -> None:
    """A neuron over integers, where everything is exact."""
    x = d.pick(lambda t: t.dtype in (DType.I64, DType.I32) and not t.is_static)
    threshold = Array(np.array(d.integer(1, 3), x.type.dtype.numpy))
    soft = ops.IntegrateFire(
        threshold, levels=d.integer(1, 3), comparison=d.choose(*ops.Comparison)
    )
    neurons: tuple[Op, ...] = (soft, ops.BipolarIF(threshold, high=4), ops.SigmaDelta(threshold, 3))
    d.add(d.choose(*neurons), x)


def encode(d: Draft) -> None:
    """Give time to a static value."""
    x = d.pick(lambda t: t.is_static and t.dtype is not DType.BOOL and t.rank < 6)
    spread = d.integer(1, 3) if x.type.dtype.is_float else 1
    d.add(d.choose(ops.Repeat(), ops.Impulse(spread)), x)


def events(d: Draft) -> None:
    """Turn a value over time into events."""
    x = d.pick(is_current)
    size = _positive(d, x)
    encoders: list[Op] = [
        ops.Latency(d.integer(1, 4), size),
        ops.Phase(d.integer(1, 4), size),
        ops.Burst(size, d.integer(0, 3)),
        ops.DeltaEncode(size, levels := d.integer(1, 3), d.integer(1, levels)),
    ]
    if _batch_alone(x.type):
        encoders += [ops.Poisson(d.integer(0, 99), size, d.chance())] * 2
    d.add(d.choose(*encoders), x)


def readout(d: Draft) -> None:
    """A running estimate, or one result for all steps."""
    x = d.pick(lambda t: is_current(t) or _is_single(t))
    axis = x.type.time_axis
    if axis is None:
        raise UnfitError
    running: tuple[Op, ...] = (
        ops.MeanReadout(d.integer(0, 2)),
        ops.DifferentialReadout(),
        ops.WindowReadout(d.array(d.integer(1, 3))),
    )
    pure = per_step(x.type.dims[axis]) == 1
    final: tuple[Op, ...] = (ops.LastStep(axis), ops.SumOverTime(axis), ops.MeanOverTime(axis))
    if pure and _is_single(x.type) and d.chance():
        d.add(ops.AndOverTime(axis), x)
    else:
        d.add(d.choose(*running, *(final if pure else ())), x)


def temporal(d: Draft) -> None:
    """Sums, differences, weights and delays over time."""
    x = d.pick(lambda t: not t.is_static and t.dtype is not DType.BOOL)
    scans: list[Op] = [ops.CumulativeSum(), ops.Difference(), ops.Delay(d.integer(1, 2))]
    if x.type.dtype.is_float:
        scans += [ops.TimeScale(d.choose(1, -1)), ops.PhaseScale(d.array(d.integer(1, 3)))]
        scans.append(ops.StepScale(d.array(d.integer(1, 3), *_last_size(x.type))))
    d.add(d.choose(*scans), x)


def haar(d: Draft) -> None:
    """A wavelet along time or another axis; both bands, or the way there and back."""
    x = d.pick(lambda t: is_current(t) and t.rate.denominator == 1)
    axes = [a - x.type.rank for a, dim in enumerate(x.type.dims) if not has_batch(dim)]
    if not axes:
        raise UnfitError
    axis = d.choose(*axes)
    bands = d.edit.add_node(ops.Haar(axis), (x,)).outputs
    if d.chance():
        d.values.extend(bands)
    else:
        d.add(ops.HaarInverse(axis), d.hidden(ops.Neg(), bands[0]), bands[1])


def time_mix(d: Draft) -> None:
    """Steps that meet in windows."""
    x = d.pick(lambda t: is_current(t) and t.rate.denominator == 1)
    axes = [a - x.type.rank for a, dim in enumerate(x.type.dims) if dim == T]
    if not axes:
        raise UnfitError
    window = d.choose(1, 2)
    d.add(ops.TimeMix(d.array(d.choose(1, window), window), axes[0]), x)


def fold_time(d: Draft) -> None:
    """Put time and batch on one axis, or take them apart."""
    x = d.pick(lambda t: t.rank >= 1 and _leads(t.dims))
    dims = x.type.dims
    if dims[0] == T:
        d.add(ops.Reshape((multiply(T, B), *dims[2:])), x)
    else:
        d.add(ops.Reshape((T, B, *dims[1:])), x)


def _last_size(type_: TensorType) -> tuple[int, ...]:
    """Give the size of the last axis, where one step has it as a number."""
    last = type_.dims[-1]
    return (last,) if isinstance(last, int) else ()


def is_current(type_: TensorType) -> bool:
    """Tell whether neurons and encoders take such a value."""
    return type_.dtype is DType.F32 and not type_.is_static


def _is_single(type_: TensorType) -> bool:
    """Tell whether AndOverTime takes such a value."""
    signal = type_.signal
    return isinstance(signal, Spikes) and signal.levels == 1 and not signal.signed


def _batch_alone(type_: TensorType) -> bool:
    axis = type_.batch_axis
    return axis is None or per_step(type_.dims[axis]) == B


def _leads(dims: Dims) -> bool:
    return dims[0] == multiply(T, B) or dims[:2] == (T, B)


def _positive(d: Draft, x: Value, high: float = 1.5) -> Array:
    return d.array(*d.trailing(x.type), low=0.2, high=high)


def _near_zero(d: Draft, x: Value) -> Array | None:
    return d.maybe(*d.trailing(x.type))


def _leak(d: Draft, x: Value, silent: bool) -> tuple[ops.Leak, Array | None]:
    leak = d.choose(*(leak for leak in ops.Leak if silent or leak is not ops.Leak.SILENT))
    if leak is ops.Leak.NONE:
        return leak, None
    low, high = (1.0, 4.0) if leak is ops.Leak.DECAY_INPUT else (0.5, 1.0)
    return leak, d.array(*d.trailing(x.type), low=low, high=high)


def _integrate_fire(d: Draft, x: Value) -> Op:
    reset = d.choose(ops.Reset.SOFT, ops.Reset.SOFT, ops.Reset.HARD)
    hard = reset is ops.Reset.HARD
    leak, constant = _leak(d, x, silent=True)
    negative = d.choose(*ops.Negative)
    two_sided = negative in (ops.Negative.FREE, ops.Negative.MEMORY)
    return ops.IntegrateFire(
        threshold=_positive(d, x),
        amplitude=d.choose(None, _positive(d, x)),
        levels=1 if hard else d.choose(1, 1, 3),
        v0=_near_zero(d, x),
        reset=reset,
        reset_potential=_near_zero(d, x) if hard else None,
        leak=leak,
        leak_constant=constant,
        rest_potential=None if leak is ops.Leak.NONE else _near_zero(d, x),
        negative=negative,
        negative_threshold=_positive(d, x) if two_sided and d.chance() else None,
        comparison=d.choose(*ops.Comparison),
        decision=d.choose(*ops.Decision),
        code=d.choose(Code.RATE, Code.SUM),
    )


def _bipolar(d: Draft, x: Value) -> Op:
    high, low, levels = d.integer(1, 7), d.choose(0, -3), d.integer(1, 3)
    amplitude = d.choose(None, _positive(d, x))
    return ops.BipolarIF(_positive(d, x), high, low, levels, _near_zero(d, x), amplitude)


def _multilevel(d: Draft, x: Value) -> Op:
    threshold, count, v0 = _positive(d, x), d.integer(1, 4), _near_zero(d, x)
    if d.chance():
        margins = (d.real(0.5, 1), d.real(0, 1))
        return ops.Differential(threshold, count, v0, *margins, d.chance())
    firing, negative = d.choose(*ops.Firing), d.choose(*ops.Negative)
    amplitude = d.choose(None, _positive(d, x))
    return ops.MultiThreshold(threshold, count, v0, firing, negative, amplitude=amplitude)


def _windowed(d: Draft, x: Value) -> Op:
    if d.chance():
        return ops.FewSpikes.binary(_positive(d, x), d.integer(1, 4), _near_zero(d, x))
    amplitude = d.choose(None, _positive(d, x))
    window, levels = d.integer(1, 4), d.integer(1, 2)
    return ops.PhasedFire(_positive(d, x), window, levels, _near_zero(d, x), amplitude)


def _sigma_delta(d: Draft, x: Value) -> Op:
    low, deadband = d.choose(0, -2), d.integer(1, 2)
    amplitude = d.choose(None, _positive(d, x))
    return ops.SigmaDelta(
        _positive(d, x), d.integer(1, 7), low, deadband, _near_zero(d, x), amplitude
    )


CURRENTS = (accumulator, encode, readout, temporal, haar, time_mix, fold_time)
"""Continuous; the others jump."""
EVENTS = (neuron, neuron, neuron, neuron, whole_neuron, events)
