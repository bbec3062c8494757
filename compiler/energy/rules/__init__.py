"""RULES: how the work of each kind of op is counted; one small function a kind, by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spikec.energy.counts import Work
from spikec.energy.rules.affine import AFFINE
from spikec.energy.rules.elementwise import ELEMENTWISE
from spikec.energy.rules.merge import MERGES
from spikec.energy.rules.neuron import NEURONS
from spikec.energy.rules.over_time import OVER_TIME
from spikec.energy.site import Site
from spikec.ir import Op
from spikec.ir.ops import OPS

Rule = Callable[[Site], Work]


def rule_of(op: type[Op]) -> Rule:
    """Find the rule of an op, or of the nearest class that it is made from."""
    return next(RULES[kind] for kind in op.__mro__ if kind in RULES)


RULES: Mapping[type, Rule] = {**AFFINE, **ELEMENTWISE, **MERGES, **NEURONS, **OVER_TIME}
UNCOUNTED = [name for name, op in OPS.items() if not any(kind in RULES for kind in op.__mro__)]
"""must be empty: a test says so"""
