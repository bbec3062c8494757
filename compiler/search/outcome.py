"""What a search has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from math import sqrt
from typing import Any


class Verdict(Enum):
    """What became of a candidate."""

    CHOSEN = "chosen"
    GOOD = "good enough"
    BAD = "loses too much"
    COSTLY = "costs more"
    REFUSED = "refused"


@dataclass(frozen=True)
class Trial:
    """One candidate: a recipe at a number of steps."""

    recipe: str
    steps: int
    verdict: Verdict
    drop: float | None = None
    """points lost on the judging samples; None: was not measured"""
    cost: float | None = None
    """events, or pJ, per sample"""
    reason: str = ""
    """why it was refused, or not tried in full"""

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        return {**asdict(self), "verdict": self.verdict.value}


@dataclass(frozen=True)
class Outcome:
    """All candidates, and how they were judged."""

    max_drop: float
    measure: str
    """what ``drop`` is of: accuracy, or agreement with the network"""
    unit: str
    """of ``cost``"""
    judged: int
    """samples that judged, and took no part in calibration"""
    trials: list[Trial] = field(default_factory=list)

    @property
    def measured(self) -> list[Trial]:
        """Those that were run."""
        return [trial for trial in self.trials if trial.drop is not None]

    @property
    def grain(self) -> float:
        """One judging sample in points: no drop is known more finely."""
        return 100 / self.judged

    def error(self, trial: Trial) -> float:
        """Give the standard error of a drop, in points: that of as many independent samples."""
        share = abs(trial.drop or 0.0) / 100
        return 100 * sqrt(max(share, 1 / self.judged) / self.judged)

    def front(self) -> list[Trial]:
        """Give the Pareto front: nothing else costs less and loses less."""
        best: list[Trial] = []
        for trial in sorted(self.measured, key=_by_cost):
            if not best or (trial.drop or 0.0) < (best[-1].drop or 0.0):
                best.append(trial)
        return best

    def nearest(self) -> Trial | None:
        """Give what loses least, and of those the cheapest."""
        return min(self.measured, key=lambda t: (t.drop, t.cost), default=None)

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines and for the record of a program."""
        front = self.front()
        return {
            "max_drop": self.max_drop,
            "measure": self.measure,
            "unit": self.unit,
            "judged": self.judged,
            "trials": [{**t.to_json(), "pareto": t in front} for t in self.trials],
        }


def _by_cost(trial: Trial) -> tuple[float, float]:
    return (trial.cost or 0.0, trial.drop or 0.0)


def described(trials: Sequence[Trial], limit: int = 5) -> str:
    """Name the candidates that lose least."""
    ranked = sorted((t for t in trials if t.drop is not None), key=lambda t: t.drop or 0.0)
    return "; ".join(f"{t.recipe} at T={t.steps}: {t.drop:.2f} points" for t in ranked[:limit])
