"""Integrate-and-fire neurons without negative events: all steps in one differentiable operation."""

from __future__ import annotations

from torch import Tensor

from spikec.ir import ops
from spikec.ir.ops.neuron_rules import Decision, Leak, Negative
from spikec.runtime.bptt.fused_after import ScanAfter
from spikec.runtime.bptt.fused_before import ScanBefore
from spikec.runtime.bptt.fused_rule import Rule
from spikec.runtime.bptt.neurons import Setting

SCANS = {Decision.AFTER_INPUT: ScanAfter, Decision.BEFORE_INPUT: ScanBefore}


def is_plain(op: object) -> bool:
    """Tell whether this module knows the neuron."""
    return (
        isinstance(op, ops.IntegrateFire)
        and op.negative is Negative.NONE
        and op.leak is not Leak.SILENT
    )


def fused(op: ops.IntegrateFire, x: Tensor, setting: Setting) -> Tensor:
    """Go through [steps, ...]."""
    scan = SCANS[op.decision]
    amplitude = op.threshold if op.amplitude is None else op.amplitude
    rest, back = setting.number(op.rest_potential, x), setting.number(op.reset_potential, x)
    y: Tensor = scan.apply(  # type: ignore[no-untyped-call]
        x,
        setting.constants(op.threshold),
        setting.constants(amplitude),
        setting.number(op.leak_constant, x),
        setting.filled(op.v0, x[0]),
        Rule(op, setting, rest, back),
    )
    return y
