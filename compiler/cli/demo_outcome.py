"""What the demo has seen: promises with what was found, programs, exports, files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """One promise, what was found, and whether it holds."""

    promise: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Converted:
    """What came of one recipe."""

    recipe: str
    steps: int
    accuracy: float
    drop_points: float
    agreement: float
    events_per_neuron: float
    energy_pj: float
    """of a digit, by the profile that papers use, static energy apart"""
    share_of_network: float
    """the same divided by that of the network in float32"""
    seconds: float
    """that the conversion took"""


@dataclass
class Outcome:
    """What the demo has seen so far."""

    accuracy: dict[str, float] = field(default_factory=dict)
    difference: dict[str, float] = field(default_factory=dict)
    programs: list[Converted] = field(default_factory=list)
    exports: dict[str, dict[str, Any]] = field(default_factory=dict)
    """by backend, its verification"""
    checks: list[Check] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """what could not be done here, and how to get it"""
    files: list[str] = field(default_factory=list)
    """names within the folder"""

    def check(self, promise: str, found: str, holds: bool) -> None:
        """Note a promise."""
        self.checks.append(Check(promise, found, holds))

    @property
    def passed(self) -> bool:
        return all(check.holds for check in self.checks)
