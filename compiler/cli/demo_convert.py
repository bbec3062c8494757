"""Second part of the demo: three recipes, and what each makes of the network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from spikec.cli.demo_outcome import Converted, Outcome
from spikec.cli.digits import Digits
from spikec.cli.screen import Screen

if TYPE_CHECKING:
    from spikec.ir import Graph
    from spikec.program import Program

DEPLOYED = "rate"
"""the recipe whose program is exported and reported: chips can run it"""
RECIPES: dict[str, tuple[int, dict[str, Any]]] = {
    DEPLOYED: (16, {"weight_bits": 8, "input_bits": 4, "weight_options": "sign=mixed-even"}),
    "graded": (4, {}),
    "lossless": (16, {}),
}
"""steps and options; whole numbers from the inputs on, so that every tool gives the same events"""
ENERGY, SHARE = "energy (45 nm, float32)", "/ network"
MOST_DROP = 2.0
"""points"""


def convert_all(
    screen: Screen, outcome: Outcome, graph: Graph, data: Digits, folder: Path
) -> dict[str, Program]:
    """Convert by every recipe, measure, and keep the programs."""
    programs = {}
    for recipe in RECIPES:
        with screen.busy(f"converting: {recipe}"):
            programs[recipe], row = _converted(graph, data, recipe)
        outcome.programs.append(row)
        found = f"{row.accuracy:.2%}, {row.drop_points:.2f} points below the network"
        holds = row.drop_points <= MOST_DROP
        outcome.check(f"{recipe}: a drop of {MOST_DROP:g} points at most", found, holds)
        programs[recipe].save(folder / f"{recipe}.spk")
        outcome.files.append(f"{recipe}.spk")
    screen.show(_table(outcome))
    return programs


def _converted(graph: Graph, data: Digits, recipe: str) -> tuple[Program, Converted]:
    from spikec.api import convert

    steps, options = RECIPES[recipe]
    start = time.perf_counter()
    program = convert(graph, data.train_x, steps, recipe, **options)
    seconds = time.perf_counter() - start
    seen = program.evaluate((data.test_x, data.test_y))
    energy = program.energy(data.test_x)
    row = Converted(
        recipe,
        program.steps,
        seen.accuracy,
        seen.drop,
        seen.agreement,
        seen.events_per_neuron,
        energy.total_pj,
        energy.baselines[0].ratio(energy.total_pj),
        round(seconds, 3),
    )
    return program, row


def _table(outcome: Outcome) -> Table:
    from spikec.energy.tables import joule, ratio

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("recipe")
    for header in (
        "steps",
        "accuracy",
        "drop (points)",
        "agreement",
        "events per neuron",
        ENERGY,
        SHARE,
    ):
        table.add_column(header, justify="right")
    for row in outcome.programs:
        numbers = (
            str(row.steps),
            f"{row.accuracy:.2%}",
            f"{row.drop_points:.2f}",
            f"{row.agreement:.2%}",
            f"{row.events_per_neuron:.3f}",
            joule(row.energy_pj),
            ratio(row.share_of_network),
        )
        table.add_row(row.recipe, *numbers)
    return table
