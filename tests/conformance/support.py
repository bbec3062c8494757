"""Writes the support matrix, op by backend, from what each backend says to the suite.

python -m tests.conformance.support > docs/support.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from spikec.errors import Problem
from spikec.ir import Family, ops
from spikec.registry import backends
from spikec.runtime import ENGINES, trace
from tests.conformance.case import STEPS, SUBJECT, Case, Place, place_of, subjects
from tests.conformance.outcome import BACKENDS, Refusal, outcome
from tests.conformance.spiking_cases import STRUCTURES
from tests.conformance.suite import CASES

YES = "yes"
HEAD = """\
# What each backend takes

Made by `make support` from the suite in `tests/conformance`: one small program per op and kind
of neuron. A test says when this page is out of date. Every program that a backend takes is run by
the tool that it is for, and each event is compared with the layerwise engine; every other one is
refused, with the node and the reason.

An op stands **before** the first neurons (static, computed once), **between** neurons (over time)
or **behind** the last ones (what is decoded). *yes*: in all places in which the suite has it. Else
the places where it may stand, a star where only some variants may, and a note with the reasons of
the gaps. Backends with a chip get programs that `spikec lower` has fitted to it. In reasons, OP is
the op of the row, N a number.
"""
FAMILIES: Mapping[str, tuple[Family, ...]] = {
    "Weights": (Family.AFFINE,),
    "Pools": (Family.POOL,),
    "Sums, products, comparisons": (Family.MERGE, Family.LOGIC),
    "Moves": (Family.SHAPE,),
    "Reductions": (Family.REDUCE,),
    "Codes": (Family.CODING,),
    "Ops between steps": (Family.TEMPORAL,),
    "Activations and functions": (Family.ACTIVATION,),
    "Normalisation": (Family.NORM,),
}
"""tables with one row per op; neurons and structures have one per program"""


@dataclass
class Notes:
    """Reasons, numbered in the order of their coming."""

    numbers: dict[str, int] = field(default_factory=dict)

    def mark(self, reasons: Iterable[str]) -> str:
        """Give the marks of some reasons."""
        found = sorted({self.numbers.setdefault(r, len(self.numbers) + 1) for r in reasons})
        return f" [{', '.join(map(str, found))}]" if found else ""


def page() -> str:
    """Give the whole page."""
    notes = Notes()
    parts = [HEAD, _legend()]
    parts += [_table("Neurons", _by_program(_neurons()), notes)]
    parts += [_table("Programs", _by_program(_structures()), notes)]
    for title, families in FAMILIES.items():
        parts.append(_table(title, _by_op(families), notes))
    parts.append("## Reasons\n")
    parts.append("".join(f"{number}. {reason}\n" for reason, number in notes.numbers.items()))
    return "\n".join(parts)


def _legend() -> str:
    rows = [f"- `{name}`: {backends()[name].load().needs.makes}" for name in BACKENDS]
    return "\n".join([*(f"- `{name}`: an engine of spikec" for name in ENGINES), *rows, ""])


def _neurons() -> Iterator[Case]:
    return (case for case in CASES.values() if case.op.family is Family.NEURON)


def _structures() -> Iterator[Case]:
    """Give the programs that are about how things hang together."""
    return (case for case in CASES.values() if case.note in STRUCTURES)


def _by_program(cases: Iterable[Case]) -> dict[str, list[Case]]:
    rows: dict[str, list[Case]] = {}
    for case in cases:
        label = f"{case.op.__name__}: {case.note}" if case.op.family is Family.NEURON else case.note
        rows[label] = [case]
    return rows


def _by_op(families: tuple[Family, ...]) -> dict[str, list[Case]]:
    structures = set(_structures())
    rows: dict[str, list[Case]] = {}
    for case in CASES.values():
        if case.op.family in families and case not in structures:
            rows.setdefault(case.op.__name__, []).append(case)
    return rows


def _table(title: str, rows: Mapping[str, list[Case]], notes: Notes) -> str:
    columns = [*ENGINES, *BACKENDS]
    lines = [f"## {title}", "", f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for label, cases in rows.items():
        cells = [_engine(name, cases) for name in ENGINES]
        cells += [_cell(name, cases, notes) for name in BACKENDS]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _engine(name: str, cases: list[Case]) -> str:
    """Tell whether an engine runs programs as the reference does."""
    return YES if all(_agrees(name, case) for case in cases) else "no"


def _agrees(name: str, case: Case) -> bool:
    graph = case.build()
    x = case.inputs(graph)
    wanted, found = (
        trace(graph, x, e, record=(), steps=STEPS).outputs for e in ("reference", name)
    )
    return all(np.allclose(a, b, atol=1e-5) for a, b in zip(wanted, found, strict=True))


def _cell(backend: str, cases: list[Case], notes: Notes) -> str:
    said = {case: outcome(backend, case) for case in cases}
    refused = {case: found for case, found in said.items() if isinstance(found, Refusal)}
    if not refused:
        return YES
    places = [p for p in Place if any(case.place is p and case not in refused for case in cases)]
    partly = {case.place for case in refused}
    words = ", ".join(f"{p.value}*" if p in partly else p.value for p in places)
    reasons = (r for case, found in refused.items() for r in _reasons(case, found))
    return (words or "no") + notes.mark(reasons)


def _reasons(case: Case, found: Refusal) -> Iterator[str]:
    """Give what was said about the op of a case, in words that fit other ops, too."""
    graph = case.build()
    about: list[Problem] = []
    for names in ({SUBJECT}, subjects(graph)):
        about = about or [p for p in found.problems if place_of(p) in names]
    kinds = {type(graph[name].op).__name__ for name in subjects(graph)} - HELPERS
    for problem in about or found.problems:
        expected = f"; it takes {problem.expected}" if problem.expected else ""
        yield f"{_general(problem.what, kinds | {case.op.__name__})}{expected}"


HELPERS = {ops.Cast.__name__, ops.Constant.__name__}
"""ops that stand beside the one of a case, by names that reasons keep"""
GENERAL = {r"\b\d+\b": "N", r"\[N(, N)*\]": "[N, …]", r"%\w+": "%LAYER"}


def _general(text: str, kinds: Iterable[str]) -> str:
    """Leave out what is one program's own: names and numbers."""
    for pattern, word in {rf"\b({'|'.join(kinds)})\b": "OP", **GENERAL}.items():
        text = re.sub(pattern, word, text)
    return text


if __name__ == "__main__":
    sys.stdout.write(page())
