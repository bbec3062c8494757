"""Measures a program on labelled samples: accuracy by step, agreement, events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import lcm, prod
from numbers import Integral
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate import BLOCK, blocks
from spikec.data import Data, checked_labels, read_data
from spikec.errors import DataError, UsageError
from spikec.ir import Graph, Sizes
from spikec.ir.dims import without_time
from spikec.runtime import run
from spikec.runtime.feed import bind_inputs, shown, told_steps
from spikec.runtime.layerwise import Simulation, simulate

Numbers = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with the number of finished samples, and of all samples."""
SEEN = 256 * 2**20
"""most bytes of values that watchers see at once"""


class Subject(Protocol):
    """What is evaluated: a Program."""

    graph: Graph
    reference: Graph

    @property
    def neurons(self) -> tuple[str, ...]:
        """Names of the layers of neurons."""

    def inputs(self, x: object) -> dict[str, Numbers]:
        """Read samples and preprocess them; one array per input of the graph."""


class Watcher(Protocol):
    """Sees values of the program, block by block, in the one pass that evaluates it."""

    names: frozenset[str]
    """values that it wants to see"""

    def see(self, values: Mapping[str, Numbers], samples: int) -> None:
        """Look at the next block of samples; ``values`` holds what any watcher wants."""


@dataclass(frozen=True)
class Activity:
    """How much a program fired."""

    samples: int
    events_per_neuron: float
    """events per neuron and sample, over all steps"""
    rates: Mapping[str, float]
    """the same by layer"""

    def to_json(self) -> dict[str, Any]:
        """Give all figures for machines."""
        return asdict(self)


@dataclass(frozen=True)
class Evaluation(Activity):
    """How a program fared, beside the analog network that it stands for."""

    accuracy_by_step: tuple[float, ...]
    """share of samples whose label is the largest output, after each step"""
    reference_accuracy: float
    agreement: float
    """share of samples on which program and network choose the same class"""

    @property
    def accuracy(self) -> float:
        """Accuracy after the last step."""
        return self.accuracy_by_step[-1]

    @property
    def drop(self) -> float:
        """Accuracy lost against the network, in points."""
        return 100 * (self.reference_accuracy - self.accuracy)

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "accuracy": self.accuracy, "drop_points": self.drop}


@dataclass(frozen=True)
class Observation(Activity):
    """How far outputs that are no class scores are from the network's."""

    difference_by_step: tuple[float, ...]
    """|y - r| / |r| over all samples (2-norms), after each step; r: what the network gives"""

    @property
    def difference(self) -> float:
        """The same after the last step."""
        return self.difference_by_step[-1]


def evaluate(
    program: Subject,
    data: object,
    steps: int,
    memory: int | None = None,
    progress: Progress = lambda done, total: None,
    watchers: Sequence[Watcher] = (),
) -> Evaluation:
    """Run all samples through the program and the network; watchers see values on the way."""
    samples = read_data(data)
    tally = _Answers(program.graph, samples)
    for done in _run(program, samples, (steps, memory), watchers, tally):
        progress(done, len(samples))
    return tally.result()


def observe(
    program: Subject,
    data: object,
    steps: int,
    memory: int | None = None,
    progress: Progress = lambda done, total: None,
    watchers: Sequence[Watcher] = (),
) -> Observation:
    """Do the same where outputs are no class scores: labels are not looked at."""
    samples = read_data(data)
    tally = _Distances(program.graph)
    for done in _run(program, samples, (steps, memory), watchers, tally):
        progress(done, len(samples))
    return tally.result()


def gives_scores(graph: Graph) -> bool:
    """Tell whether the first output is class scores, [samples, classes] after each step."""
    dims = without_time(graph.outputs[0].inputs[0].type.dims)
    return len(dims) == 2 and isinstance(dims[1], int) and dims[1] > 1


def _run(
    program: Subject,
    samples: Data,
    limits: tuple[int, int | None],
    watchers: Sequence[Watcher],
    tally: _Tally,
) -> Iterator[int]:
    """Count block after block; give the number of samples so far."""
    steps, memory = limits
    check_memory(memory)
    inputs = program.inputs(samples)
    seen = frozenset(name for watcher in watchers for name in watcher.names)
    itself = program.graph == program.reference
    for block in blocks(inputs, block_size(program.graph, seen, steps)):
        outputs, found = _simulated(program, block, limits, seen)
        # what was trained spiking stands for itself
        reference = outputs[-1] if itself else answers(program.reference, block, steps)
        tally.add(outputs, reference, found)
        for watcher in watchers:
            watcher.see(found.values, outputs.shape[1])
        yield tally.samples


def answers(network: Graph, block: Mapping[str, Numbers], steps: int) -> Numbers:
    """Give the first output of a network; of one that spikes itself, after the last step."""
    output = network.outputs[0].inputs[0].type
    feed = shown(network, block, steps)
    found = run(network, feed, "layerwise", steps=told_steps(network, steps))
    first = found[0] if isinstance(found, tuple) else found
    return first if output.is_static else np.asarray(first[-1])


def check_memory(memory: object) -> None:
    """Refuse a bound that is no number of bytes."""
    whole = isinstance(memory, Integral) and not isinstance(memory, bool)
    if memory is not None and not whole:
        raise UsageError(f"memory = {memory!r}", expected="a number of bytes, or None")


def block_size(graph: Graph, seen: frozenset[str], steps: int) -> int:
    """Give how many samples run together: what watchers see of them has to be held."""
    values = [value for node in graph for value in node.outputs if value.name in seen]
    least = lcm(*(value.type.rate.denominator for value in values))
    whole = Sizes(1, -(-steps // least) * least)  # other steps are told where inputs are bound
    sizes = (prod(value.type.shape(whole)) for value in values)
    per_sample = 4 * sum(sizes)  # float32
    return BLOCK if per_sample == 0 else max(1, min(BLOCK, SEEN // per_sample))


def _simulated(
    program: Subject,
    block: Mapping[str, Numbers],
    limits: tuple[int, int | None],
    seen: frozenset[str],
) -> tuple[Numbers, Simulation]:
    """Give the estimates [steps, samples, classes], and what the simulation has shown."""
    graph = program.graph
    steps, memory = limits
    output = graph.outputs[0].inputs[0]
    feed = bind_inputs(graph, shown(graph, block, steps), told_steps(graph, steps), "float32")
    counted = frozenset(program.neurons)
    found = simulate(graph, feed, seen | {output.name}, counted=counted, memory=memory)
    estimates = found.values[output.name]
    return (estimates if not output.type.is_static else estimates[None]), found


def _scores(scores: Numbers) -> Numbers:
    """Give the output of the network, which must be class scores."""
    if scores.ndim != 2 or scores.shape[-1] < 2:
        raise DataError(
            f"outputs of shape {list(scores.shape)} are no class scores",
            expected="[samples, classes]",
            remedy="Program.run gives the outputs themselves",
        )
    return scores


class _Tally(ABC):
    """Counts over all blocks."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.samples = 0
        self.events: dict[str, int] = {}

    def add(self, outputs: Numbers, reference: Numbers, found: Simulation) -> None:
        """Count a block: outputs [steps, samples, ...], what the network gives [samples, ...]."""
        self.compare(outputs, reference)
        for name, counts in found.events.items():
            self.events[name] = self.events.get(name, 0) + int(counts.events.sum())
        self.samples += outputs.shape[1]

    @abstractmethod
    def compare(self, outputs: Numbers, reference: Numbers) -> None:
        """Look at outputs."""

    def activity(self) -> Activity:
        """Give what was fired."""
        sizes = {
            n.name: neurons_in(self.graph, n.name) for n in self.graph if n.name in self.events
        }
        rates = {name: self.events[name] / size / self.samples for name, size in sizes.items()}
        neurons = max(1, sum(sizes.values()))
        return Activity(self.samples, sum(self.events.values()) / neurons / self.samples, rates)


class _Answers(_Tally):
    def __init__(self, graph: Graph, data: Data) -> None:
        super().__init__(graph)
        self.data = data
        self.right: Numbers | int = 0
        self.reference_right = self.same = 0

    def compare(self, outputs: Numbers, reference: Numbers) -> None:
        scores = _scores(reference)
        if not self.samples:
            self.labels = checked_labels(self.data, scores.shape[-1])
        labels = self.labels[self.samples : self.samples + len(scores)]
        chosen, wanted = outputs.argmax(axis=-1), scores.argmax(axis=-1)
        self.right = self.right + (chosen == labels).sum(axis=1)
        self.reference_right += int((wanted == labels).sum())
        self.same += int((chosen[-1] == wanted).sum())

    def result(self) -> Evaluation:
        by_step = tuple(float(n) / self.samples for n in np.atleast_1d(self.right))
        return Evaluation(
            **vars(self.activity()),
            accuracy_by_step=by_step,
            reference_accuracy=self.reference_right / self.samples,
            agreement=self.same / self.samples,
        )


class _Distances(_Tally):
    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.apart: Numbers | float = 0.0
        self.size = 0.0

    def compare(self, outputs: Numbers, reference: Numbers) -> None:
        steps = len(outputs)
        differences = (outputs - reference).reshape(steps, -1).astype(np.float64)
        self.apart = self.apart + np.square(differences).sum(axis=1)
        self.size += float(np.square(reference.astype(np.float64)).sum())

    def result(self) -> Observation:
        shares = np.sqrt(np.atleast_1d(self.apart) / (self.size or 1.0))
        return Observation(
            **vars(self.activity()), difference_by_step=tuple(float(share) for share in shares)
        )


def neurons_in(graph: Graph, name: str) -> int:
    """Number of neurons of a layer, for one sample."""
    shape = graph[name].outputs[0].type.step().shape(Sizes(1, 1))
    return int(np.prod(shape))
