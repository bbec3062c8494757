"""Every backend takes every program of the suite, and runs it equally, or says what it lacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pytest

from spikec.artifact import Deployable
from spikec.errors import MissingDependency
from spikec.registry import exporter_by_name
from spikec.verification import verify
from tests.conformance.case import STEPS, Case, subjects
from tests.conformance.outcome import BACKENDS, Refusal, Written, lowered, outcome
from tests.conformance.suite import CASES
from tests.conformance.union import united

TOGETHER = 12
"""cases whose programs are run as one: starting a tool takes longer than they do"""
ORDERED = tuple(CASES.values())
BUNDLES = [ORDERED[i : i + TOGETHER] for i in range(0, len(ORDERED), TOGETHER)]
every_backend = pytest.mark.parametrize("backend", BACKENDS)


@pytest.fixture(autouse=True)
def lava(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the environment that the Makefile has made, unless somebody names another."""
    if not {"SPIKEC_LAVA_HOME", "SPIKEC_LAVA_PYTHON"} & set(os.environ):
        monkeypatch.setenv("SPIKEC_LAVA_HOME", str(Path(sys.prefix) / "lava"))


every_bundle = pytest.mark.parametrize("bundle", BUNDLES, ids=lambda b: f"{b[0]}..{b[-1]}")


@every_backend
@every_bundle
def test_a_program_is_written_or_refused_with_the_op_and_the_reason(
    backend: str, bundle: tuple[Case, ...]
) -> None:
    for case, found in answered(backend, bundle):
        if isinstance(found, Refusal):
            assert found.problems
            assert all(p.what and p.where and p.remedy for p in found.problems), found
            assert names_the_op(case, found), f"{case}: {found}"


def names_the_op(case: Case, found: Refusal) -> bool:
    """Tell whether a refusal is about the node of the case, or speaks of its op."""
    told = " ".join(map(str, found.problems)).lower()
    return bool(subjects(case.build()) & found.places) or case.op.__name__.lower() in told


@pytest.mark.slow
@every_backend
@every_bundle
def test_what_is_written_does_the_same_in_the_tool_that_it_is_for(
    backend: str, bundle: tuple[Case, ...]
) -> None:
    taken = [(case, one) for case, one in answered(backend, bundle) if isinstance(one, Written)]
    if not taken:
        pytest.skip(f"{backend} refuses all of these")
    for _, group in groupby(sorted(taken, key=_kind), _kind):
        assert_equal(backend, list(group))


def answered(backend: str, bundle: Iterable[Case]) -> list[tuple[Case, Refusal | Written]]:
    try:
        return [(case, outcome(backend, case)) for case in bundle]
    except MissingDependency as error:
        pytest.skip(str(error))


def _kind(pair: tuple[Case, Written]) -> str:
    _, written = pair
    return str((written.options, written.ways))


def assert_equal(backend: str, group: list[tuple[Case, Written]]) -> None:
    """Run programs side by side, and compare every event with the layerwise engine."""
    graphs = {_word(case): (case.build(), case) for case, _ in group}
    joint = united({name: (graph, case.inputs(graph)) for name, (graph, case) in graphs.items()})
    source = Deployable(lowered(backend, joint.graph), STEPS)
    options = dict(group[0][1].options)
    try:
        found = verify(exporter_by_name(backend), source, joint.inputs, (backend, options))
    except MissingDependency as error:
        pytest.skip(str(error))
    assert {check.way for check in found.checks} == set(group[0][1].ways)
    assert found.ok, str(found)
    assert all(check.compared.entries for check in found.checks)


def _word(case: Case) -> str:
    """Give a name that nodes may have."""
    return "".join(c if c.isalnum() else "_" for c in str(case))
