"""What chips, simulators and formats make of the program."""

from __future__ import annotations

from spikec.report.findings import Findings
from spikec.report.markup import Element, e
from spikec.report.parts import card, cards, fold, pictured, section, table
from spikec.report.plots.bars import Bar, Part, bar_rows
from spikec.report.shapes import Picture, Role
from spikec.report.uses import Use
from spikec.report.words import few


def pictures(found: Findings) -> list[Picture]:
    """Draw how full the cores of each target are."""
    return [cores_of(use) for use in found.uses if use.resources.limits]


def cores_of(use: Use) -> Picture:
    """Draw the mean share that a core uses, by resource, and the largest."""
    resources = use.resources
    bars = []
    for name in resources.limits:
        mean, peak = resources.mean(name), resources.peak(name)
        parts = (Part("mean over cores", mean), Part("fullest core", peak - mean, Role.SECOND))
        bars.append(Bar(name, parts, f"{few(mean)}, at most {few(peak)}"))
    return bar_rows(f"cores-{use.target}", use.target, bars)


def targets(found: Findings) -> Element | None:
    """Show verdicts and resources of all targets."""
    if not found.uses:
        return None
    about = (
        "Each target's limits and ops, checked against the program as it stands (spikec check); "
        "spikec lower and other recipes mend many a violation."
    )
    heads = ("target", "runs it?", "cores", "fullest core", "what is in the way")
    rows = [e("tr", *(e("th", head) for head in heads)), *(_row(use) for use in found.uses)]
    whole = e("div", e("table", rows, class_="wide"), class_="scroll")
    drawn = (_use(use) for use in found.uses if use.resources.limits)
    more = fold("Resources by target and layer", cards(*drawn))
    return section("targets", "Targets", about, card("", whole), more)


def _row(use: Use) -> Element:
    taken = use.resources
    of = f" of {taken.available:,}" if taken.available else ""
    cores = f"{taken.cores:,}{of} cores" if taken.limits else "no cores to fill"
    name, share = use.fullest
    full = f"{few(share)} {'its' if share >= 10 else 'of its'} {name}" if name else ""
    verdict = e("span", "yes", class_="yes") if use.ok else e("span", "no", class_="no")
    first = "; ".join(f"{text} ({count:,})" if count > 1 else text for text, count in use.reasons)
    cells = (use.target, verdict, cores, full, first)
    return e("tr", *(e("td", cell) for cell in cells))


def _use(use: Use) -> Element:
    heads = ("layer", "neurons", "synapses", "cores")
    rows = (
        (layer.name, f"{layer.neurons:,}", f"{layer.synapses:,}", f"{len(layer.cores):,}")
        for layer in use.resources.layers
    )
    chips = use.resources.chips
    note = f"{use.about}; {chips:,} chips needed" if chips > 1 else use.about
    layers = fold("Layers", table(heads, rows))
    return pictured(cores_of(use), layers, note=note)
