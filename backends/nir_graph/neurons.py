"""Neurons as classes of NIR: steps become equations over continuous time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from spikec.backends.nir_graph.forms import ONE, Numbers, Shape, aligned, single
from spikec.backends.nir_graph.net import Field, NirNode
from spikec.ir import Array
from spikec.ir.ops import Accumulator, Comparison, IntegrateFire, Leak, Reset

ENDLESS = 2.0**60
"""time constant, in steps, of what forgets nothing: v (1 - 2^-60) is v in floating point"""
RESETS: Mapping[Reset, str] = {Reset.SOFT: "subtract", Reset.HARD: "v_reset"}
"""as the metadata say it"""


class Kind(Enum):
    """Which class of NIR neurons without a leak become; readers know some better than others."""

    IF = "IF"
    LIF = "LIF"
    """with an endless time constant, for snnTorch"""
    CUBA_LIF = "CubaLIF"
    """with a synapse that keeps nothing, too: norse subtracts thresholds for this class alone"""


@dataclass(frozen=True)
class Style:
    """How neurons are written."""

    kind: Kind
    dt: float
    """length of a step, in the file's unit of time"""


def at_zero(op: IntegrateFire) -> IntegrateFire:
    """Shift all potentials so that the reset is to 0: nir 1.0.4 knows of no other, nor does norse.

    Where that would leave no positive threshold, the neuron stays as it is.
    """
    if op.reset_potential is None:
        return op
    base = op.reset_potential.data.astype(np.float64)
    threshold = op.threshold.data - base
    if not bool((threshold > 0).all()):
        return op
    forgets = op.leak is not Leak.NONE
    return replace(
        op,
        threshold=Array(threshold),
        v0=Array(_number(op.v0) - base),
        rest_potential=Array(_number(op.rest_potential) - base) if forgets else None,
        reset_potential=None,
    )


def firing(op: IntegrateFire, shape: Shape, unit: Numbers, style: Style) -> NirNode:
    """Write a neuron whose potentials are divided by a unit."""
    fields = _membrane(op, shape, unit, style)
    fields["v_threshold"] = _f4(_full(op.threshold, shape) / unit)
    reset = _full(op.reset_potential, shape) / unit
    if reset.any():
        fields["v_reset"] = _f4(reset)
    said: dict[str, Field] = {"reset": RESETS[op.reset]}
    if op.comparison is not Comparison.ABOVE:
        said["comparison"] = op.comparison.value
    kind = _kind(op, style)
    if kind is Kind.CUBA_LIF:
        fields["tau_mem"] = fields.pop("tau")
        fields["tau_syn"] = np.full(shape, style.dt)
        fields["w_in"] = np.ones(shape, np.float32)
    return NirNode(kind.value, fields, {**said, **_start(op.v0, shape, unit)})


def adding_up(op: Accumulator, shape: Shape, style: Style) -> NirNode:
    """Write a neuron that never fires."""
    kind = "I" if op.leak is Leak.NONE else "LI"
    plain = Style(Kind.IF, style.dt)
    return NirNode(kind, _membrane(op, shape, ONE, plain), _start(op.v0, shape, ONE))


def _kind(op: IntegrateFire, style: Style) -> Kind:
    return Kind.LIF if style.kind is Kind.IF and op.leak is not Leak.NONE else style.kind


def _membrane(
    op: IntegrateFire | Accumulator, shape: Shape, unit: Numbers, style: Style
) -> dict[str, Field]:
    """τ dv/dt = (v_leak - v) + r x, whose Euler step of length dt is the op's step."""
    if op.leak is Leak.NONE and style.kind is Kind.IF:
        return {"r": single(np.full(shape, 1 / style.dt))}
    constant = _full(op.leak_constant, shape)
    if op.leak is Leak.DECAY_INPUT:
        tau, r = constant * style.dt, np.ones(shape)
    else:
        lost = 1 - constant if op.leak is Leak.DECAY else np.zeros(shape)
        steps = np.where(lost > 0, 1 / np.where(lost > 0, lost, 1), ENDLESS)
        tau, r = steps * style.dt, steps
    rest = _full(op.rest_potential, shape) / unit
    return {"tau": single(tau), "r": single(r), "v_leak": _f4(rest)}


def _start(v0: Array | None, shape: Shape, unit: Numbers) -> dict[str, Field]:
    start = _full(v0, shape) / unit
    return {"v_init": _f4(start)} if start.any() else {}


def _full(array: Array | None, shape: Shape) -> Numbers:
    return np.broadcast_to(aligned(_number(array), shape), shape)


def _number(array: Array | None) -> Numbers:
    return np.zeros(()) if array is None else array.data.astype(np.float64)


def _f4(array: Numbers) -> Numbers:
    return np.asarray(array, np.float32)
