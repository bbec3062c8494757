"""How the program was chosen and trained, where a search or a fine-tuning made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spikec.report.findings import Findings
from spikec.report.markup import Element
from spikec.report.parts import cards, fold, pictured, section, table
from spikec.report.plots.search import cost_and_drop
from spikec.report.plots.training import accuracy_by_epoch
from spikec.report.shapes import Picture
from spikec.report.words import percent


def pictures(found: Findings) -> list[Picture]:
    """Draw the candidates and the epochs."""
    drawn = []
    if found.search:
        drawn.append(cost_and_drop(found.search))
    if found.history:
        drawn.append(accuracy_by_epoch(found.history))
    return drawn


def making(found: Findings) -> Element:
    """Show what the search tried, and what each epoch brought."""
    drawn = {picture.name: picture for picture in pictures(found)}
    about = [sentence for name, sentence in _ABOUT.items() if name in drawn]
    parts = []
    if found.search:
        unit = f"{found.search['unit']} per sample"
        heads = ("recipe", "steps", "points lost", unit, "")
        candidates = table(heads, _candidates(found.search))
        parts.append(pictured(drawn["search"], fold("All candidates", candidates)))
    if found.history:
        epochs = table(("epoch", "learned from", "held out"), _epochs(found.history), texts=0)
        parts.append(pictured(drawn["training"], fold("All epochs", epochs)))
    return section("making", "Choice and training", " ".join(about), cards(*parts))


_ABOUT = {
    "search": (
        "The recipe was chosen by a search for the cheapest program within the dashed bound, "
        "judged by samples that took no part in calibration."
    ),
    "training": "The program was fine-tuned as it spikes; the best epoch was kept.",
}


def _candidates(search: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for trial in search["trials"]:
        measured = trial["drop"] is not None
        drop = f"{trial['drop']:.2f}" if measured else ""
        cost = f"{trial['cost']:,.4g}" if measured else ""
        told = "" if measured else f": {trial['reason']}"
        verdict = f"{trial['verdict']}{told}{', Pareto front' if trial['pareto'] else ''}"
        yield trial["recipe"], str(trial["steps"]), drop, cost, verdict


def _epochs(history: tuple[Mapping[str, float], ...]) -> Iterator[tuple[str, ...]]:
    for record in history:
        shares = (record.get(key) for key in ("accuracy", "validation"))
        yield (f"{record['epoch']:.0f}", *("" if x is None else percent(x, 2) for x in shares))
