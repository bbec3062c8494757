"""Each operator's rule gives what torch gives, in other batches than the traced one too.

The operators come from the cases of this folder, and from the expressions of the cases of ops.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from spikec.frontends.torch_export import import_model, rules, rules_spiking
from tests.frontends.torch_export import cases_compute, cases_move
from tests.frontends.torch_export.expressions import Expression, expressions
from tests.frontends.torch_export.helpers import Call, Case, Imported, distance
from tests.ir.ops.every_case import FAMILIES as OP_FAMILIES

Results = tuple[list[np.ndarray], list[np.ndarray]]
FAMILIES: dict[str, list[Case]] = {
    "affine": cases_compute.AFFINE,
    "norm": cases_compute.NORM,
    "activation": cases_compute.ACTIVATION,
    "pool": cases_compute.POOL,
    "attention": cases_compute.ATTENTION,
    "resize": cases_compute.RESIZE,
    "shape": cases_move.SHAPE,
    "select": cases_move.SELECT,
    "write": cases_move.WRITE,
    "merge": cases_move.MERGE,
    "reduce": cases_move.REDUCE,
    "logic": cases_move.LOGIC,
    "constant": cases_move.CONSTANT,
}
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
EVERY = [(family, index) for family, cases in FAMILIES.items() for index in range(len(cases))]
EXPRESSIONS = [
    (family, index) for family in OP_FAMILIES for index in range(len(expressions(family)))
]
TOLERANCE = 1e-12
"""In double precision, where a wrong constant or formula cannot pass for rounding."""
SINGLE = 1e-5
"""In single precision, for sums of up to some hundred terms that are rounded to 6e-8 each."""


@cache
def imported(family: str) -> Imported:
    """Import a family's operators at once."""
    return Imported.of([Call(case) for case in FAMILIES[family]], torch.float64)


@cache
def imported_cases(family: str) -> Imported:
    """Import the expressions of a family of ops at once."""
    return Imported.of([Expression(case) for case in expressions(family)], torch.float32)


@cache
def computed(family: str, batch: int) -> list[Results]:
    """Compute a family."""
    return imported(family).results(batch)


@cache
def computed_cases(family: str, batch: int) -> list[Results]:
    """Compute the expressions of a family of ops."""
    return imported_cases(family).results(batch)


def label(case: tuple[str, int]) -> str:
    return f"{case[0]}-{FAMILIES[case[0]][case[1]]}"


@pytest.mark.parametrize("where", EVERY, ids=label)
def test_a_rule_agrees_with_torch(where: tuple[str, int]) -> None:
    family, index = where
    assert FAMILIES[family][index].op in imported(family).called, "decomposed before its rule"
    for batch in (2, 3):
        assert distance(*computed(family, batch)[index]) <= TOLERANCE


@pytest.mark.parametrize("where", EXPRESSIONS, ids=lambda e: f"{e[0]}-{expressions(e[0])[e[1]]}")
def test_the_expression_of_an_op_agrees_with_torch(where: tuple[str, int]) -> None:
    family, index = where
    for batch in (2, 3):
        wanted, got = computed_cases(family, batch)[index]
        assert [w.dtype.kind for w in wanted] == [g.dtype.kind for g in got]
        rounded = [g.astype(w.dtype) for g, w in zip(got, wanted, strict=True)]
        assert distance(wanted, rounded) <= SINGLE


def test_every_rule_has_a_case() -> None:
    cases = {case.op for family in FAMILIES.values() for case in family}
    reached = {op for family in OP_FAMILIES for op in imported_cases(family).called}
    spiking = set(rules_spiking.RULES)  # tests/nn/test_operators.py reaches every one
    assert set(rules.RULES) - cases - reached - spiking == set()


def test_a_rule_alone_gives_the_same_graph_as_among_others() -> None:
    model = Call(cases_compute.AFFINE[0])
    alone = import_model(model, tuple(model.inputs(2).values()))
    assert [type(node.op).__name__ for node in alone] == ["Input", "Conv", "Output"]
