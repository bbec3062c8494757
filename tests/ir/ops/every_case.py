"""CASES: the cases of all families."""

from __future__ import annotations

from tests.ir.ops.affine_cases import AFFINE, POOLS
from tests.ir.ops.cases import Case
from tests.ir.ops.element_cases import ACTIVATIONS, ELEMENTARY, MERGES
from tests.ir.ops.shape_cases import MOVES, REDUCTIONS, RESIZES

FAMILIES: dict[str, tuple[Case, ...]] = {
    "affine": AFFINE,
    "pool": POOLS,
    "activation": ACTIVATIONS,
    "elementary": ELEMENTARY,
    "merge": MERGES,
    "move": MOVES,
    "resize": RESIZES,
    "reduction": REDUCTIONS,
}
CASES: tuple[Case, ...] = tuple(case for cases in FAMILIES.values() for case in cases)
