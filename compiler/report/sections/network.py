"""What the program is: its graph, its thresholds, the passes that made it, where it comes from."""

from __future__ import annotations

from spikec.report.findings import Findings
from spikec.report.markup import Element, e
from spikec.report.parts import card, cards, figure, pictured, section, table, wide_card
from spikec.report.plots.network import network_map
from spikec.report.plots.thresholds import threshold_rows
from spikec.report.shapes import Picture
from spikec.report.words import plain


def pictures(found: Findings) -> list[Picture]:
    """Draw thresholds and graph."""
    drawn = [threshold_rows(found.thresholds)] if found.thresholds else []
    return [*drawn, network_map(found.graph)]


def thresholds(found: Findings) -> Element:
    """Show what potentials are compared with."""
    rows = (
        (
            layer.name,
            layer.kind,
            layer.field,
            f"{layer.count:,}",
            *(plain(x, 4) for x in (layer.least, layer.median, layer.most)),
        )
        for layer in found.thresholds
    )
    heads = ("layer", "neurons", "parameter", "how many", "least", "median", "most")
    about = (
        "What a neuron's potential is compared with, per channel: line from least to most, bar "
        "the middle half, dot the median; logarithmic."
    )
    shown = pictured(threshold_rows(found.thresholds))
    numbers = wide_card("Numbers", table(heads, rows, texts=3))
    return section("thresholds", "Thresholds", about, cards(shown, numbers))


def network(found: Findings) -> Element:
    """Show the graph."""
    about = (
        f"{len(found.graph)} nodes from top to bottom, with op and result. Blue edges carry "
        "events, grey ones analog values; dashed ones are computed once, not at every step. "
        "Neurons are blue, weights violet, codes orange."
    )
    drawn = e("div", figure(network_map(found.graph)), class_="tall")
    shown = e("div", drawn, class_="card network")
    return section("network", "Network", about, shown)


def passes(found: Findings) -> Element:
    """Show what each pass did."""
    rows = [
        (str(number), str(one.get("text", "")), str(one.get("nodes", "")), _deviation(one))
        for number, one in enumerate(found.passes, start=1)
    ]
    about = (
        "The passes that made this program, in order. After each one the graph was verified, and "
        "its outputs were compared with those before it, as a share of the largest output: 0 is "
        "equal to the last bit."
    )
    heads = ("", "pass", "nodes", "deviation")
    return section("passes", "Passes", about, card("", table(heads, rows, texts=2)))


def _deviation(one: object) -> str:
    value = one.get("deviation") if hasattr(one, "get") else None
    return "" if not isinstance(value, int | float) else "0" if value == 0 else f"{value:.2e}"


def provenance(found: Findings) -> Element:
    """Show where program and samples come from."""
    facts = [part for key, text in found.program.items() for part in (e("dt", key), e("dd", text))]
    about = "Equal fingerprints mean equal programs (graph and weights), and equal samples."
    return section("provenance", "Provenance", about, card("", e("dl", facts, class_="facts")))
