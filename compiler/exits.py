"""Early exit: samples whose answer is settled are not simulated any further.

After each step t the answer o[t] (class scores decoded so far) has

    margin   its largest score minus the second largest, or
    entropy  -Σ p log p, p = softmax(o[t]),

and a sample stops at the first step from which the margin is at least, or the entropy at most, the
``threshold``.  Samples run in stages of 1, 2, 4, … steps up to T; those that have stopped take no
part in later stages, which begin anew for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from math import isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate import blocks
from spikec.data import checked_labels, read_data
from spikec.errors import UsageError
from spikec.ir import Graph, Value
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import simulate

Numbers = NDArray[Any]
TRIED = 200
"""thresholds that a fit looks at"""


class Criterion(Enum):
    """What says that an answer is settled."""

    MARGIN = "margin"
    ENTROPY = "entropy"


def read_criterion(name: str) -> Criterion:
    """Read the name of a criterion."""
    known = [criterion.value for criterion in Criterion]
    if name not in known:
        raise UsageError(f"no criterion is called {name!r}", expected=" or ".join(known))
    return Criterion(name)


@dataclass(frozen=True)
class EarlyExit:
    """When samples stop."""

    criterion: Criterion
    threshold: float

    def __post_init__(self) -> None:
        if not isfinite(self.threshold):
            raise UsageError(f"threshold is {self.threshold}", expected="a finite number")

    def stops(self, answers: Numbers) -> NDArray[np.int64]:
        """Give the step (from 1) at which each sample of [steps, samples, classes] stops.

        The last step is the answer of those that are not settled before.
        """
        settled = self.settled(answers)
        settled[-1] = True
        return np.asarray(settled.argmax(axis=0) + 1)

    def settled(self, answers: Numbers) -> NDArray[np.bool_]:
        """Tell at which steps the answers are good enough, [steps, samples]."""
        bound = self.threshold if self.criterion is Criterion.MARGIN else -self.threshold
        return np.asarray(settledness(self.criterion, answers) >= bound)


def settledness(criterion: Criterion, answers: Numbers) -> Numbers:
    """Give margins, or entropies with the other sign: [steps, samples]."""
    if criterion is Criterion.MARGIN:
        two = np.partition(answers, -2, axis=-1)[..., -2:]
        return np.asarray(two[..., 1] - two[..., 0])
    shifted = answers - answers.max(axis=-1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=-1)
    return np.asarray((p * shifted).sum(axis=-1) / total - np.log(total))


@dataclass(frozen=True, eq=False)
class Stopped:
    """What came of samples that could stop early."""

    answers: Numbers
    """[samples, classes], at the step at which each has stopped"""
    steps: NDArray[np.int64]
    """[samples]"""
    events: NDArray[np.int64]
    """[samples], up to that step"""
    simulated: int
    """steps that were simulated, of all samples and stages"""


def run_early(graph: Graph, inputs: Mapping[str, Numbers], steps: int, rule: EarlyExit) -> Stopped:
    """Run a block of samples in stages."""
    output = _answers_of(graph)
    neurons = frozenset(node.name for node in graph if node.fires)
    count = len(next(iter(inputs.values())))
    left = np.arange(count)
    answers: Numbers | None = None
    stops, events = np.zeros(count, np.int64), np.zeros(count, np.int64)
    simulated = 0
    for horizon in stages(steps):
        part = {name: x[left] for name, x in inputs.items()}
        feed = bind_inputs(graph, part, horizon, "float32")
        found = simulate(graph, feed, frozenset({output.name}), counted=neurons)
        simulated += horizon * len(left)
        given = found.values[output.name]
        at = rule.stops(given)
        done = rule.settled(given).any(axis=0) | (horizon == steps)
        if answers is None:
            answers = np.zeros((count, given.shape[-1]), given.dtype)
        rows = np.flatnonzero(done)
        answers[left[rows]] = given[at[rows] - 1, rows]
        stops[left[rows]] = at[rows]
        total = sum(counts.events for counts in found.events.values())
        running = np.cumsum(np.broadcast_to(total, (horizon, len(left))), axis=0)
        events[left[rows]] = running[at[rows] - 1, rows]
        left = left[~done]
        if not len(left):
            break
    assert answers is not None  # there is at least one stage
    return Stopped(answers, stops, events, simulated)


def _answers_of(graph: Graph) -> Value:
    """Give the value that decides, or say why there is nothing to stop."""
    output = graph.outputs[0].inputs[0]
    frames = any(not node.outputs[0].type.is_static for node in graph.inputs)
    if output.type.is_static or output.type.rank != 3 or frames:
        raise UsageError(
            f"early exit of a program that gives {output.type}",
            expected="class scores at every step, [T, B, classes], of still samples",
        )
    return output


def stages(steps: int) -> Iterator[int]:
    """Give 1, 2, 4, … and T.

    >>> list(stages(12))
    [1, 2, 4, 8, 12]
    """
    horizon = 1
    while horizon < steps:
        yield horizon
        horizon *= 2
    yield steps


@dataclass(frozen=True)
class EarlyEvaluation:
    """How a program fares with early exit, beside itself at all steps."""

    criterion: str
    threshold: float
    samples: int
    accuracy: float
    mean_steps: float
    steps: int
    """T, of those that do not stop"""
    events: float
    """per sample, up to the step at which it stopped"""
    simulated: float
    """steps per sample that were simulated, stages that began anew included"""
    stopped_by: tuple[float, ...]
    """share of the samples that have stopped, by step"""

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        return asdict(self)


class Subject(Protocol):
    """What runs: a Program."""

    graph: Graph

    def inputs(self, x: object) -> dict[str, Numbers]:
        """Read samples and preprocess them; one array per input of the graph."""


def evaluate_early(
    program: Subject,
    data: object,
    steps: int,
    rule: EarlyExit,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EarlyEvaluation:
    """Run labelled samples, each no further than it has to."""
    samples = read_data(data)
    parts: list[Stopped] = []
    done = 0
    for block in blocks(program.inputs(samples)):
        parts.append(run_early(program.graph, block, steps, rule))
        done += len(parts[-1].steps)
        progress(done, len(samples))
    answers = np.concatenate([part.answers for part in parts])
    at = np.concatenate([part.steps for part in parts])
    labels = checked_labels(samples, answers.shape[-1])
    stopped = np.bincount(at, minlength=steps + 1)[1:].cumsum() / len(at)
    return EarlyEvaluation(
        rule.criterion.value,
        rule.threshold,
        len(samples),
        float((answers.argmax(axis=-1) == labels).mean()),
        float(at.mean()),
        steps,
        float(np.concatenate([part.events for part in parts]).mean()),
        sum(part.simulated for part in parts) / len(samples),
        tuple(map(float, stopped)),
    )


def check_drop(max_drop: float) -> None:
    """Refuse a bound that is none."""
    if not (isfinite(max_drop) and max_drop >= 0):
        raise UsageError(f"max_drop is {max_drop}", expected="points, 0 or more")


def fit_exit(
    program: Subject, data: object, steps: int, criterion: Criterion, max_drop: float = 0.5
) -> EarlyExit:
    """Choose the threshold with the fewest steps that loses at most ``max_drop`` points.

    Lost against the same program at all steps, on these samples: with labels points of accuracy,
    without them the share of samples that change their answer.
    """
    check_drop(max_drop)
    samples = read_data(data)
    graph = program.graph
    output = _answers_of(graph)
    parts = []
    for block in blocks(program.inputs(samples)):
        feed = bind_inputs(graph, block, steps, "float32")
        parts.append(simulate(graph, feed, frozenset({output.name})).values[output.name])
    answers = np.concatenate(parts, axis=1)
    last = answers[-1].argmax(axis=-1)
    labelled = samples.labels is not None
    targets = checked_labels(samples, answers.shape[-1]) if labelled else last
    best = float((last == targets).mean())
    seen = settledness(criterion, answers)
    levels = np.unique(np.quantile(seen, np.linspace(0, 1, TRIED)))
    sign = 1.0 if criterion is Criterion.MARGIN else -1.0
    rows = np.arange(len(last))
    for level in levels:  # the first that is good enough stops earliest
        rule = EarlyExit(criterion, sign * float(level))
        chosen = answers[rule.stops(answers) - 1, rows].argmax(axis=-1)
        if 100 * (best - float((chosen == targets).mean())) <= max_drop:
            return rule
    return EarlyExit(criterion, sign * (float(levels[-1]) + 1.0))
