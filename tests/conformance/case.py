"""A case: one small program about one op, in one place, that every backend exports or refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import Problem
from spikec.ir import Graph, Op, Sizes
from spikec.testing import random_inputs

Numbers = NDArray[Any]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Numbers]
STEPS, BATCH = 6, 2
SUBJECT = "op"
"""name of the node that a case is about; what has to stand beside it is called ``op_…``"""


class Place(Enum):
    """Where in a program an op stands."""

    BEFORE = "before"
    """between a static input and the first neurons"""
    BETWEEN = "between"
    """between neurons, over time"""
    BEHIND = "behind"
    """between the last neurons and the output"""


@dataclass(frozen=True, eq=False)
class Case:
    """One small program."""

    op: type[Op]
    note: str
    place: Place
    build: Callable[[], Graph]
    draws: Mapping[str, Draw] = field(default_factory=dict)
    """how inputs that are no events are drawn, by name; normal numbers otherwise"""

    def __str__(self) -> str:
        """Name the case in reports."""
        parts = (self.op.__name__, self.note, self.place.value)
        return "-".join(part for part in parts if part)

    def inputs(self, graph: Graph, seed: int = 0) -> dict[str, Numbers]:
        """Draw samples for the program, or for what a lowering has made of it."""
        rng = np.random.default_rng(seed)
        found = random_inputs(graph, BATCH, rng, steps=STEPS)
        for name, draw in self.draws.items():
            x = graph[name].outputs[0].type
            found[name] = draw(rng, x.shape(Sizes(BATCH, STEPS))).astype(x.dtype.numpy)
        return found


def subjects(graph: Graph) -> set[str]:
    """Give the names of the nodes that a case is about."""
    return {n.name for n in graph if n.name == SUBJECT or n.name.startswith(f"{SUBJECT}_")}


def place_of(problem: Problem) -> str:
    """Give the name of the node that a problem is about; empty where it is about none."""
    return problem.where.split()[0].removeprefix("%") if problem.where else ""


def named(cases: Iterable[Case]) -> dict[str, Case]:
    """Give cases by name; two of one name would hide one another."""
    found: dict[str, Case] = {}
    for case in cases:
        if str(case) in found:
            raise ValueError(f"two cases are called {case}")
        found[str(case)] = case
    return found
