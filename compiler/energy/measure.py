"""Runs samples once, and counts; any number of profiles price what was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from spikec.calibrate import blocks
from spikec.data import read_data
from spikec.energy.count import Counter, Row, count_static
from spikec.energy.routes import routes_of
from spikec.energy.twin import analog_twin
from spikec.errors import UsageError
from spikec.evaluation import block_size, check_memory
from spikec.ir import Graph
from spikec.runtime.feed import bind_inputs, shown, told_steps
from spikec.runtime.layerwise import simulate

Numbers = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with the number of finished samples, and of all samples."""


class Subject(Protocol):
    """What is measured: a Program."""

    graph: Graph
    reference: Graph
    record: dict[str, Any]

    def inputs(self, x: object) -> dict[str, Numbers]:
        """Read samples and preprocess them; one array per input of the graph."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What a program did with some samples, and what its network does with one."""

    graph: Graph
    recipe: str
    steps: int
    samples: int
    rows: tuple[Row, ...]
    """work of each node of the program, by sample"""
    reference: tuple[Row, ...]
    """work of each node of the analog network, or of the analog twin of a spiking one"""


def measure(
    program: Subject,
    data: object,
    steps: int,
    memory: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Measured:
    """Run all samples once, in blocks; ``memory`` bounds intermediate values in bytes."""
    if data is None:
        raise UsageError(
            "energy without samples",
            expected="samples: events, hence energy, depend on them",
            remedy="give the data that the program was calibrated on, or test data",
        )
    check_memory(memory)
    counter = counter_of(program.graph, steps)
    count_samples(counter, program.inputs(read_data(data)), memory, progress)
    return measured(program, counter)


def count_samples(
    counter: Counter,
    inputs: Mapping[str, Numbers],
    memory: int | None = None,
    progress: Progress = lambda done, total: None,
) -> None:
    """Run samples, preprocessed already, in blocks."""
    graph, steps = counter.graph, counter.steps
    timed = told_steps(graph, steps)
    done, total = 0, len(next(iter(inputs.values())))
    for block in blocks(inputs, block_size(graph, counter.names, steps)):
        feed = bind_inputs(graph, shown(graph, block, steps), timed, "float32")
        size = len(next(iter(block.values())))
        counter.see(simulate(graph, feed, counter.names, memory=memory).values, size)
        done += size
        progress(done, total)


def counter_of(graph: Graph, steps: int) -> Counter:
    """Give what counts while samples run, here or elsewhere: a watcher of an evaluation."""
    return Counter(graph, steps, routes_of(graph))


def measured(program: Subject, counter: Counter) -> Measured:
    """Give what a counter has seen."""
    return Measured(
        program.graph,
        recipe_of(program.record),
        counter.steps,
        counter.samples,
        counter.result(),
        count_static(analog_twin(program.reference), counter.steps),
    )


def recipe_of(record: dict[str, Any]) -> str:
    """Give the name of the recipe that made a program; nothing where none did."""
    made = record.get("recipe")
    return str(made.get("name", "")) if isinstance(made, dict) else str(made or "")
