"""What a search for a recipe has to tell: a line per candidate, a table, a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from spikec.cli.screen import Advance, Screen
from spikec.errors import UsageError

if TYPE_CHECKING:
    from spikec.search.outcome import Trial


@dataclass
class Candidates:
    """Tells of candidates while they are tried; the bar moves on with each new recipe."""

    screen: Screen
    advance: Advance
    seen: set[str] = field(default_factory=set)

    def trial(self, trial: Trial) -> None:
        if trial.recipe not in self.seen:
            self.seen.add(trial.recipe)
            self.advance(1)
        self.screen.say(trial_line(trial))


def trial_line(trial: Trial) -> str:
    """Say what came of one candidate."""
    name = f"{trial.recipe} at T={trial.steps}"
    if trial.drop is None:
        return f"{name:<48} {trial.verdict.value}: {trial.reason}"
    return f"{name:<48} {trial.drop:>6.2f} points  {trial.cost:>12,.4g}  {trial.verdict.value}"


def search_table(search: Mapping[str, Any]) -> Table:
    """Show all candidates that were measured, the cheapest first; * stands on the Pareto front."""
    title = (
        f"at most {search['max_drop']:g} points of {search['measure']} lost, "
        f"judged by {search['judged']:,} samples"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    table.add_column("recipe", overflow="fold")
    for header in ("T", "drop (points)", f"{search['unit']} per sample"):
        table.add_column(header, justify="right")
    table.add_column("")
    measured = [trial for trial in search["trials"] if trial["drop"] is not None]
    for trial in sorted(measured, key=lambda t: t["cost"]):
        chosen = trial["verdict"] == "chosen"
        mark = "*" if trial["pareto"] else " "
        cells = (
            *(trial["recipe"], str(trial["steps"]), f"{trial['drop']:.2f}"),
            *(f"{trial['cost']:,.4g}", f"{mark} {trial['verdict']}"),
        )
        table.add_row(*(Text(cell, "bold" if chosen else "") for cell in cells))
    return table


def draw_search(path: Path, search: Mapping[str, Any] | None) -> None:
    """Write the picture of a search."""
    from spikec.ir.atomic import replace_file
    from spikec.report.plots.search import cost_and_drop
    from spikec.report.svg import svg_file

    if search is None:
        raise UsageError("--pareto without a search", expected="recipe auto")
    with replace_file(path) as file:
        file.write(svg_file(cost_and_drop(search)).encode())
