"""What a backend says to a case: a written export, or a refusal with its reasons."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spikec import api
from spikec.artifact import Deployable, export
from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Graph
from spikec.ir.edit import copied
from spikec.pipeline import Context, parse_pipeline
from spikec.program import Program
from spikec.registry import backends, exporter_by_name, pass_by_name
from tests.conformance.case import STEPS, Case, place_of

BACKENDS = tuple(backends())
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Written:
    """A backend takes the program."""

    options: tuple[tuple[str, Any], ...]
    """without which the export would have been refused"""
    ways: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """A backend does not take the program."""

    problems: tuple[Problem, ...]

    @property
    def places(self) -> set[str]:
        """Names of the nodes that stand in the way."""
        return {place_of(problem) for problem in self.problems}


Outcome = Written | Refusal


@cache
def outcome(backend: str, case: Case) -> Outcome:
    """Lower a case, where the backend wants that, and write it; whatever else is raised is a fault.

    An option that is on by default may be turned off, where that is enough.
    """
    try:
        graph = lowered(backend, case.build())
        return _written(backend, graph)
    except UnsupportedModel as error:
        return Refusal(error.problems)


def lowered(backend: str, graph: Graph) -> Graph:
    """Fit a program to the chip of a backend, if it has one."""
    target = backends()[backend].load().target
    if not target:
        return graph
    return api.lower(Program(graph, graph, STEPS), target).graph


def placed_elsewhere(graph: Graph) -> Graph:
    """Place a program on a target that takes about everything: floating-point weights, too."""
    context = Context(steps=STEPS)
    work = copied(graph)
    for one in parse_pipeline("place-cores{target=generic-graded}", pass_by_name):
        one(work, context)
    return work


def _written(backend: str, graph: Graph) -> Written:
    first: UnsupportedModel | None = None
    for options in _choices(backend):
        try:
            return Written(tuple(options.items()), written(backend, graph, options))
        except UnsupportedModel as error:
            first = first or error
    assert first is not None  # there is one choice at least
    raise first


def written(backend: str, graph: Graph, options: Options) -> tuple[str, ...]:
    """Export a program; give the ways in which it can be run."""
    exporter = exporter_by_name(backend)
    with tempfile.TemporaryDirectory() as folder:
        source = Deployable(graph, STEPS)
        return export(exporter, backend, source, Path(folder) / "out", **options).ways


def _choices(backend: str) -> Iterator[Options]:
    """Give no options, then those by which a backend leaves out a part of what it writes."""
    yield {}
    for option in inspect.signature(exporter_by_name(backend).write).parameters.values():
        if option.kind is inspect.Parameter.KEYWORD_ONLY and option.default is True:
            yield {option.name: False}
