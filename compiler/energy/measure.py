"""Runs samples once, and counts; any number of profiles price what was counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from spikec.calibrate import blocks
from spikec.data import read_data
from spikec.energy.count import Counter, Row, count_static
from spikec.energy.routes import routes_of
from spikec.errors import UsageError
from spikec.ir import Graph
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import simulate

Numbers = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with the number of finished samples, and of all samples."""
BLOCK = 128
"""samples that run together, at most"""
SEEN = 256 * 2**20
"""most bytes of events that are held at once"""


class Subject(Protocol):
    """What is measured: a Program."""

    graph: Graph
    reference: Graph
    recipe: str

    @property
    def neurons(self) -> tuple[str, ...]:
        """Names of the layers of neurons."""

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
    """work of each node of the analog network"""


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
    samples = read_data(data)
    inputs = program.inputs(samples)
    counter = counter_of(program, steps)
    size = max(1, min(BLOCK, SEEN // max(1, counter.bytes_per_sample)))
    done, count = 0, len(samples)
    for block in blocks(inputs, size):
        timed = steps if program.neurons else None
        feed = bind_inputs(program.graph, dict(block), timed, "float32")
        seen = simulate(program.graph, feed, counter.names, memory=memory)
        counter.see(seen.values, done)
        done += len(next(iter(block.values())))
        progress(done, count)
    return measured(program, counter, count)


def counter_of(program: Subject, steps: int) -> Counter:
    """Give what counts while somebody else runs the samples: it sees the values of its names."""
    return Counter(program.graph, steps, routes_of(program.graph))


def measured(program: Subject, counter: Counter, samples: int) -> Measured:
    """Give what a counter has seen of so many samples."""
    return Measured(
        program.graph,
        program.recipe,
        counter.steps,
        samples,
        counter.result(),
        count_static(program.reference),
    )

