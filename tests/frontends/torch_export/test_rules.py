"""Each operator's rule gives what torch gives, in other batches than the traced one too."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch.utils import _pytree as pytree

from spikec import runtime
from spikec.frontends.torch_export import import_model, rules
from tests.frontends.torch_export import cases_compute, cases_move
from tests.frontends.torch_export.helpers import Call, Calls, Case, distance

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
TOLERANCE = 1e-12
"""In double precision, where a wrong constant or formula cannot pass for rounding."""


def spied(called: set[Any]) -> dict[Any, Any]:
    """Give all rules, each of which says that it was called."""

    def spy(target: Any, rule: Any) -> Any:
        def noted(*args: Any, **kwargs: Any) -> Any:
            called.add(target)
            return rule(*args, **kwargs)

        return noted

    return {target: spy(target, rule) for target, rule in rules.RULES.items()}


@cache
def imported(family: str) -> tuple[Any, set[Any]]:
    """Import a family's operators at once; give the graph and the rules that were called."""
    called: set[Any] = set()
    model = Calls(FAMILIES[family]).double()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "RULES", spied(called))
        return import_model(model, model.inputs(2, torch.float64)), called


@cache
def computed(family: str, batch: int) -> tuple[Any, Any]:
    """Give torch's results and the graph's, by the number of the case."""
    model = Calls(FAMILIES[family]).double()
    feed = model.inputs(batch, torch.float64)
    with torch.no_grad():
        wanted = model(*feed)
    got = iter(runtime.run(imported(family)[0], feed, dtype="float64"))
    leaves = {name: pytree.tree_leaves(value) for name, value in wanted.items()}
    return leaves, {name: [next(got) for _ in value] for name, value in leaves.items()}


def label(case: tuple[str, int]) -> str:
    return f"{case[0]}-{FAMILIES[case[0]][case[1]]}"


@pytest.mark.parametrize("where", EVERY, ids=label)
def test_a_rule_agrees_with_torch(where: tuple[str, int]) -> None:
    family, index = where
    assert FAMILIES[family][index].op in imported(family)[1], "decomposed before its rule saw it"
    for batch in (2, 3):
        wanted, got = computed(family, batch)
        name = f"case{index}"
        assert distance([w.numpy() for w in wanted[name]], got[name]) <= TOLERANCE


def test_every_rule_has_a_case() -> None:
    cases = {case.op for family in FAMILIES.values() for case in family}
    assert set(rules.RULES) - cases == set()


def test_a_rule_alone_gives_the_same_graph_as_among_others() -> None:
    case = cases_compute.AFFINE[0]
    model = Call(case)
    alone = import_model(model, model.inputs(2))
    assert [type(node.op).__name__ for node in alone] == ["Input", "Conv", "Output"]
