"""The suite itself: it has every op, its programs are valid, and they do something."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.ir import ops
from spikec.ir.verify import verify
from spikec.runtime import trace
from tests.conformance.case import STEPS, Case, Place, subjects
from tests.conformance.suite import CASES

every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_every_op_has_a_case() -> None:
    borders = {ops.Input, ops.Output}
    assert {case.op for case in CASES.values()} | borders == set(ops.OPS.values())


def test_analog_ops_stand_in_every_place() -> None:
    places: dict[type[ops.Op], set[Place]] = {}
    for case in CASES.values():
        places.setdefault(case.op, set()).add(case.place)
    timeless = set(ops.ANALOG_OPS) - {ops.Input, ops.Output, ops.Constant}
    assert {op.__name__ for op in timeless if places[op] != set(Place)} == set()


@every
def test_a_program_is_valid_and_both_engines_give_the_same_events(case: Case) -> None:
    graph = case.build()
    verify(graph)
    assert subjects(graph)
    x = case.inputs(graph)
    neurons = [node.name for node in graph if isinstance(node.op, ops.Neuron)]
    one, other = (trace(graph, x, e, record=neurons, steps=STEPS) for e in _ENGINES)
    for name in neurons:
        np.testing.assert_allclose(one.values[name], other.values[name], rtol=1e-5, atol=1e-6)
    for a, b in zip(one.outputs, other.outputs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert all(np.isfinite(train).all() for train in one.values.values())
    assert any(np.ptp(y) for y in one.outputs), "the outputs always are the same"


_ENGINES = ("reference", "layerwise")
