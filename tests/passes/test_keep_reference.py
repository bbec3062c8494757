"""keep-reference copies the analog graph; what happens later does not reach the copy."""

from __future__ import annotations

from spikec.pipeline import Context
from tests.passes.conftest import Golden
from tests.passes.helpers import applied, calibration, mlp


def test_golden(golden: Golden) -> None:
    golden("keep_reference", mlp(2, 2, 1), applied("keep-reference", mlp(2, 2, 1)))


def test_the_copy_stays_what_it_was() -> None:
    graph = mlp(3, 4, 2)
    context = Context(calibration=calibration(graph), steps=4)
    after = applied("keep-reference,thresholds{levels=4},spike-rate,keep-reference", graph, context)
    assert context.reference == graph
    assert context.reference is not graph
    assert after != graph
