"""How often the program is right, after each step; or how near its outputs are."""

from __future__ import annotations

from spikec.evaluation import Evaluation, Observation
from spikec.report.findings import Findings
from spikec.report.markup import Element
from spikec.report.parts import card, cards, fold, pictured, section, table
from spikec.report.plots.accuracy import accuracy_by_step
from spikec.report.shapes import Picture
from spikec.report.words import percent


def pictures(found: Findings) -> list[Picture]:
    """Draw accuracy by step."""
    seen = found.activity
    if not isinstance(seen, Evaluation):
        return []
    return [accuracy_by_step(seen.accuracy_by_step, seen.reference_accuracy)]


def accuracy(found: Findings) -> Element | None:
    """Show the curve, and its numbers in a fold."""
    seen = found.activity
    if not isinstance(seen, Evaluation):
        return None
    rows = (
        (str(step), percent(share, 2), f"{100 * (seen.reference_accuracy - share):+.2f}")
        for step, share in enumerate(seen.accuracy_by_step, start=1)
    )
    numbers = table(("step", "accuracy", "points below the network"), rows, texts=0)
    about = (
        f"Share of {seen.samples:,} labelled samples whose label is the largest output after each "
        "time step. The dashed line is the network that was converted, on the same samples."
    )
    (drawn,) = pictures(found)
    curve = pictured(drawn, fold("All steps", numbers))
    agreed = _agreement(seen, found.steps)
    return section("accuracy", "Accuracy", about, cards(curve, agreed))


def _agreement(seen: Evaluation, steps: int) -> Element:
    rows = (
        ("accuracy of the program", percent(seen.accuracy, 2)),
        ("accuracy of the network", percent(seen.reference_accuracy, 2)),
        ("drop", f"{seen.drop:.2f} points"),
        ("both choose the same class", percent(seen.agreement, 2)),
        ("samples", f"{seen.samples:,}"),
        ("time steps", str(steps)),
    )
    return card("After the last step", table(("measure", "value"), rows))


def outputs(found: Findings) -> Element | None:
    """Show how far outputs that are no class scores are from the network's."""
    seen = found.activity
    if not isinstance(seen, Observation):
        return None
    rows = ((str(t), f"{share:.3g}") for t, share in enumerate(seen.difference_by_step, start=1))
    about = (
        f"Outputs are no class scores. Over {seen.samples:,} samples: |y − r| / |r| (2-norms), y "
        "the program's output, r what the network gives on the same samples."
    )
    numbers = table(("estimate", "relative difference"), rows, texts=0)
    return section("outputs", "Outputs", about, cards(card("By step", numbers)))
