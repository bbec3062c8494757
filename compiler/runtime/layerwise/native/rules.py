"""How ops are said in the terms of the C source: a kind, parameters, options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from spikec.ir import Array, Op, ops
from spikec.ir.ops.neuron_delta import SigmaDelta

LARGEST = 1 << 24
"""Levels that a float32 can count."""


class Kind(IntEnum):
    """Scans, in the order of the C source."""

    INTEGRATE_FIRE = 0
    ACCUMULATOR = 1
    BIPOLAR = 2
    MULTI_THRESHOLD = 3
    PHASED = 4
    SIGMA_DELTA = 5
    DIFFERENTIAL = 6
    MEAN = 7
    SUM = 8
    DIFFERENCE = 9


class Parameter(IntEnum):
    """Arrays, in the order of the C source."""

    THETA = 0
    AMPLITUDE = 1
    PHI = 2
    V0 = 3
    RESET_TO = 4
    LEAK = 5
    REST = 6


class Option(IntEnum):
    """Whole numbers, in the order of the C source."""

    RESET = 0
    LEAKS = 1
    NEGATIVE = 2
    ABOVE = 3
    BEFORE_INPUT = 4
    LEVELS = 5
    LOW = 6
    HIGH = 7
    WINDOW = 8
    COUNT = 9


@dataclass(frozen=True)
class Rule:
    """An op as the C source sees it; absent numbers are 0."""

    kind: Kind
    parameters: Mapping[Parameter, Array | None] = field(default_factory=dict)
    options: Mapping[Option, int] = field(default_factory=dict)
    margins: tuple[float, float] = (0.0, 0.0)
    fires: bool = True
    """whether the results are events, which can be counted"""


def rule_of(op: Op) -> Rule | None:
    """Give the rule for an op, or None where the C source has none."""
    make = _RULES.get(type(op))
    rule = None if make is None else make(op)
    if rule is None or max(map(abs, rule.options.values()), default=0) >= LARGEST:
        return None
    return rule


def _integrate_fire(op: ops.IntegrateFire) -> Rule:
    phi = op.threshold if op.negative_threshold is None else op.negative_threshold
    parameters = {
        Parameter.THETA: op.threshold,
        Parameter.AMPLITUDE: op.threshold if op.amplitude is None else op.amplitude,
        Parameter.PHI: phi,
        Parameter.V0: op.v0,
        Parameter.RESET_TO: op.reset_potential,
        Parameter.LEAK: op.leak_constant,
        Parameter.REST: op.rest_potential,
    }
    options = {
        Option.RESET: _place(op.reset),
        Option.LEAKS: _place(op.leak),
        Option.NEGATIVE: _place(op.negative),
        Option.ABOVE: int(op.comparison is ops.Comparison.ABOVE),
        Option.BEFORE_INPUT: int(op.decision is ops.Decision.BEFORE_INPUT),
        Option.LEVELS: op.levels,
    }
    return Rule(Kind.INTEGRATE_FIRE, parameters, options)


def _accumulator(op: ops.Accumulator) -> Rule:
    parameters = {
        Parameter.V0: op.v0,
        Parameter.LEAK: op.leak_constant,
        Parameter.REST: op.rest_potential,
    }
    return Rule(Kind.ACCUMULATOR, parameters, {Option.LEAKS: _place(op.leak)}, fires=False)


def _bipolar(op: ops.BipolarIF) -> Rule:
    parameters = {
        Parameter.THETA: op.threshold,
        Parameter.AMPLITUDE: op.threshold if op.amplitude is None else op.amplitude,
        Parameter.V0: op.v0,
    }
    options = {Option.LEVELS: op.levels, Option.LOW: op.low, Option.HIGH: op.high}
    return Rule(Kind.BIPOLAR, parameters, options)


def _multi_threshold(op: ops.MultiThreshold) -> Rule:
    most = (1 << op.count) - 1
    options = {
        Option.RESET: int(op.firing is ops.Firing.LARGEST),
        Option.NEGATIVE: _place(op.negative),
        Option.LEVELS: most,
        Option.COUNT: op.count,
    }
    parameters = {
        Parameter.THETA: op.quantum,
        Parameter.AMPLITUDE: op.quantum if op.amplitude is None else op.amplitude,
        Parameter.PHI: Array(float(most)),  # here: quanta of a step, which may differ by channel
        Parameter.V0: op.v0,
    }
    return Rule(Kind.MULTI_THRESHOLD, parameters, options)


def _population(op: ops.Population) -> Rule:
    parameters = {
        Parameter.THETA: op.threshold,
        Parameter.AMPLITUDE: op.threshold if op.amplitude is None else op.amplitude,
        Parameter.PHI: op.members,
        Parameter.V0: op.v0,
    }
    return Rule(Kind.MULTI_THRESHOLD, parameters, {Option.LEVELS: op.levels})


def _phased(op: ops.PhasedFire) -> Rule:
    parameters = {
        Parameter.THETA: op.threshold,
        Parameter.AMPLITUDE: op.threshold if op.amplitude is None else op.amplitude,
        Parameter.V0: op.v0,
    }
    return Rule(Kind.PHASED, parameters, {Option.LEVELS: op.levels, Option.WINDOW: op.window})


def _sigma_delta(op: SigmaDelta) -> Rule:
    options = {
        Option.LEVELS: op.levels,
        Option.LOW: op.low,
        Option.HIGH: op.high,
        Option.COUNT: op.deadband,
    }
    parameters = {
        Parameter.THETA: op.step_size,
        Parameter.AMPLITUDE: op.step_size if op.amplitude is None else op.amplitude,
        Parameter.V0: op.v0,
    }
    return Rule(Kind.SIGMA_DELTA, parameters, options)


def _differential(op: ops.Differential) -> Rule:
    options = {
        Option.COUNT: op.count,
        Option.NEGATIVE: int(op.rectify),
        Option.LEVELS: op.levels,
    }
    parameters = {Parameter.THETA: op.threshold, Parameter.V0: op.v0}
    return Rule(Kind.DIFFERENTIAL, parameters, options, (op.margin, op.negative_margin))


def _mean(op: ops.MeanReadout) -> Rule:
    return Rule(Kind.MEAN, {}, {Option.WINDOW: op.start}, fires=False)


def _sum(op: ops.CumulativeSum) -> Rule:
    return Rule(Kind.SUM, fires=False)


def _difference(op: ops.Difference) -> Rule:
    return Rule(Kind.DIFFERENCE, fires=False)


def _place(member: Enum) -> int:
    """Give the place of an option among its kind: the C source numbers them in this order."""
    return list(type(member)).index(member)


_RULES: Mapping[type[Op], Callable[[Any], Rule]] = {
    ops.IntegrateFire: _integrate_fire,
    ops.Accumulator: _accumulator,
    ops.BipolarIF: _bipolar,
    ops.MultiThreshold: _multi_threshold,
    ops.Population: _population,
    ops.PhasedFire: _phased,
    SigmaDelta: _sigma_delta,
    ops.Differential: _differential,
    ops.MeanReadout: _mean,
    ops.CumulativeSum: _sum,
    ops.Difference: _difference,
}
