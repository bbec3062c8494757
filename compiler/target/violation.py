"""What a graph does that a target cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from spikec.errors import Problem


class Rule(Enum):
    """What is violated."""

    OPERATION = "operation"
    NEURON = "neuron"
    RESET = "reset"
    OPTION = "neuron-option"
    SIGNED = "signed-events"
    LEVELS = "levels"
    CODE = "code"
    GRADED_CURRENT = "graded-current"
    WHOLE_SEQUENCE = "whole-sequence"
    WEIGHTS = "weights"
    STATE = "state"
    ACCUMULATOR = "accumulator"
    DELAY = "delay"
    PARTITION = "partition"
    FAN_IN = "fan-in"
    FAN_OUT = "fan-out"
    CAPACITY = "capacity"


@dataclass(frozen=True)
class Violation:
    """One thing that the target cannot do, where it stands, and what helps."""

    rule: Rule
    what: str
    where: str
    expected: str = ""
    remedy: str = ""

    @property
    def problem(self) -> Problem:
        """The same as part of an error."""
        return Problem(self.what, self.where, self.expected, self.remedy)

    def to_json(self) -> dict[str, str]:
        """Give the same for machines."""
        return {
            "rule": self.rule.value,
            "what": self.what,
            "where": self.where,
            "expected": self.expected,
            "remedy": self.remedy,
        }
