"""The search: cheapest first, each family up to the first number of steps that is good enough.

A quarter of the calibration samples judges and takes no part in calibration.  With labels the drop
is that of accuracy against the network, without them the share of samples on which program and
network disagree, in points.  The cost is the mean number of events per sample, or the energy by a
profile.  Of what loses at most ``max_drop`` the cheapest is taken; then layers get fewer levels as
far as that goes (see ``search.levels``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from spikec.conversion import Request, convert_graph, read_recipe
from spikec.data import Data, Preprocess, read_data
from spikec.errors import DataError, Problem, SpikecError, UnsupportedModel, UsageError
from spikec.evaluation import evaluate, neurons_in
from spikec.ir import Graph
from spikec.pipeline import Pass
from spikec.pipeline.recipe import Rounding
from spikec.program import Program
from spikec.runtime import run
from spikec.search.candidates import Family, families
from spikec.search.levels import fewer_levels
from spikec.search.outcome import Outcome, Trial, Verdict, described
from spikec.target import Target, check
from spikec.target.violation import Rule

JUDGES = 4
"""every fourth sample"""
MOST_JUDGED = 1024
DRY = 8
"""samples of a conversion that is only made to be looked at"""
PRICED = 64
"""samples whose events or energy are measured"""
MARGIN = 1.3
"""how far the cost of a conversion by few samples is trusted"""
LEAST = 8
"""samples without which nothing can be judged"""
STANDARD_DROP = 1.0
NEVER = frozenset(
    {Rule.OPERATION, Rule.NEURON, Rule.SIGNED, Rule.LEVELS, Rule.CODE, Rule.WHOLE_SEQUENCE}
)
"""what no lowering and no rounding makes good"""


@dataclass(frozen=True)
class Wish:
    """What is searched for."""

    max_drop: float = STANDARD_DROP
    """points"""
    most_steps: int | None = None
    target: Target | None = None
    profile: str | Path | None = None
    """whose energy is the cost; None: events"""
    nearest: bool = False
    """take what loses least, where nothing is good enough"""
    preprocess: Preprocess = field(default_factory=Preprocess)
    seed: int = 0
    rounding: Rounding = field(default_factory=Rounding)
    on_trial: Callable[[Trial], None] = lambda trial: None

    def __post_init__(self) -> None:
        number = isinstance(self.max_drop, int | float) and not isinstance(self.max_drop, bool)
        if not (number and isfinite(self.max_drop) and self.max_drop >= 0):
            raise UsageError(f"max_drop is {self.max_drop!r}", expected="points, 0 or more")


SEARCH = ("max_drop", "target", "profile", "nearest", "on_trial")
"""options of a search that a user gives beside those of every conversion"""


@dataclass
class Search:
    """A search at work."""

    graph: Graph
    wish: Wish
    lookup: Callable[[str], type[Pass]]
    fit: Data
    judge: Data
    outcome: Outcome
    best: tuple[Trial, Program] | None = None
    fallback: tuple[Trial, Program] | None = None
    """what loses least so far"""

    @staticmethod
    def of(
        graph: Graph, calibration: object, wish: Wish, lookup: Callable[[str], type[Pass]]
    ) -> Search:
        """Cut the samples, and say how they judge."""
        data = read_data(calibration)
        count = len(data)
        if count < LEAST:
            raise DataError(f"{count} samples", expected=f"{LEAST} or more for a search")
        judges = np.arange(count) % JUDGES == JUDGES - 1
        fit, judge = _rows(data, ~judges), _rows(data, judges).first(MOST_JUDGED)
        measure = "accuracy" if data.labels is not None else "agreement"
        if data.labels is None:
            judge = replace(judge, labels=_answers(graph, judge, wish.preprocess))
        unit = "events" if wish.profile is None else "pJ"
        outcome = Outcome(wish.max_drop, measure, unit, len(judge))
        return Search(graph, wish, lookup, fit, judge, outcome)

    def run(self) -> Program:
        """Try everything that may be best."""
        for family in families(self.wish.most_steps):
            self._family(family)
        if self.best is not None:
            self._fewer_levels()
        return self._result()

    def _family(self, family: Family) -> None:
        first = family.steps[0]
        try:
            program = self._dry(family)
        except (UnsupportedModel, UsageError) as error:
            self._note(Trial(family.recipe, first, Verdict.REFUSED, reason=_short(error)))
            return
        about = self._cost(program, self.judge.first(DRY))
        if self.best is not None and about > MARGIN * (self.best[0].cost or 0.0):
            reason = f"about {about:.3g} {self.outcome.unit}, by {DRY} samples"
            self._note(Trial(family.recipe, first, Verdict.COSTLY, reason=reason))
            return
        for steps in family.steps:
            if self._try(family.recipe, steps).verdict is not Verdict.BAD:
                return  # more steps only cost more

    def _dry(self, family: Family) -> Program:
        """Convert by a few samples: shows what is refused, and about what it costs."""
        program = self._convert(family.recipe, family.steps[0], self.fit.first(DRY))
        target = self.wish.target
        found = [] if target is None else check(program.graph, target)
        never = [violation for violation in found if violation.rule in NEVER]
        if never:
            raise UnsupportedModel(
                f"{never[0].rule.value}", problems=[violation.problem for violation in never]
            )
        return program

    def _try(self, recipe: str, steps: int) -> Trial:
        program = self._convert(recipe, steps, self.fit)
        found = evaluate(program, self.judge, program.steps)
        cost = self._cost(program, self.judge.first(PRICED))
        trial = Trial(recipe, steps, self._verdict(found.drop, cost), found.drop, cost)
        self._note(trial)
        if trial.verdict is Verdict.GOOD:
            self.best = (trial, program)
        if self.fallback is None or _loss(trial) < _loss(self.fallback[0]):
            self.fallback = (trial, program)
        return trial

    def _verdict(self, drop: float, cost: float) -> Verdict:
        if self.best is not None and cost >= (self.best[0].cost or 0.0):
            return Verdict.COSTLY
        return Verdict.GOOD if drop <= self.wish.max_drop else Verdict.BAD

    def _cost(self, program: Program, data: Data) -> float:
        if self.wish.profile is None:
            found = evaluate(program, data, program.steps)
            return found.events_per_neuron * neurons_of(program)
        return program.energy(data, profile=self.wish.profile).total_pj

    def _convert(self, recipe: str, steps: int, data: Data) -> Program:
        wish = self.wish
        request = Request(read_recipe(recipe), steps, wish.preprocess, wish.seed, wish.rounding)
        return convert_graph(self.graph, data, request, self.lookup)

    def _fewer_levels(self) -> None:
        """Try the best recipe with fewer levels in some layers, as long as that helps."""
        assert self.best is not None
        trial, program = self.best
        for recipe in fewer_levels(trial.recipe, trial.steps, program, self.judge):
            if self._try(recipe, trial.steps).verdict is not Verdict.GOOD:
                return

    def _note(self, trial: Trial) -> None:
        self.outcome.trials.append(trial)
        self.wish.on_trial(trial)

    def _result(self) -> Program:
        """Give the chosen program, with the record of the search."""
        chosen = self.best
        if chosen is None and self.wish.nearest:
            chosen = self.fallback
        if chosen is None:
            raise self._nothing()
        trial, program = chosen
        trials = [
            replace(t, verdict=Verdict.CHOSEN) if t is trial else _settled(t)
            for t in self.outcome.trials
        ]
        told = replace(self.outcome, trials=trials).to_json()
        return replace(program, record={**program.record, "search": told})

    def _nothing(self) -> UsageError:
        refused = [t for t in self.outcome.trials if t.verdict is Verdict.REFUSED]
        problems = [Problem(f"{t.recipe}: {t.reason}") for t in refused]
        if not self.outcome.measured:
            return UsageError("no recipe goes with this network here", problems=problems)
        return UsageError(
            f"nothing loses at most {self.wish.max_drop:g} points of "
            f"{self.outcome.measure} on {self.outcome.judged} samples",
            expected=f"the nearest: {described(self.outcome.measured)}",
            remedy="allow more steps or a larger max_drop, or take the nearest (--nearest)",
            problems=problems,
        )


def neurons_of(program: Program) -> int:
    """Number of neurons of a program."""
    return sum(neurons_in(program.graph, name) for name in program.neurons)


def _settled(trial: Trial) -> Trial:
    """What was good enough once, before a cheaper one was found, costs more than that."""
    return replace(trial, verdict=Verdict.COSTLY) if trial.verdict is Verdict.GOOD else trial


def _loss(trial: Trial) -> tuple[float, float]:
    return (trial.drop or 0.0, trial.cost or 0.0)


def _short(error: SpikecError) -> str:
    first = error.problems[0].what if error.problems else ""
    more = len(error.problems) - 1
    told = f"{error.what}: {first}" if first else error.what
    return f"{told}, and {more} more" if more > 0 else told


def _rows(data: Data, which: Any) -> Data:
    inputs = {name: array[which] for name, array in data.inputs.items()}
    return Data(inputs, None if data.labels is None else data.labels[which])


def _answers(graph: Graph, data: Data, preprocess: Preprocess) -> Any:
    """Let the network's own choice be the label."""
    named = data.named([node.name for node in graph.inputs])
    outputs = run(graph, {name: preprocess(x) for name, x in named.items()}, "layerwise")
    scores = outputs[0] if isinstance(outputs, tuple) else outputs
    return scores.argmax(axis=-1).astype(np.int64)
