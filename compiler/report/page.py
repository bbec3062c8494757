"""The whole page: one HTML file without scripts that asks for nothing from anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spikec.energy.tables import joule, ratio
from spikec.evaluation import Activity, Evaluation, Observation
from spikec.report import theme
from spikec.report.findings import Findings
from spikec.report.markup import Element, e, to_html
from spikec.report.parts import cards, tile
from spikec.report.sections import accuracy, energy, events, making, network, targets
from spikec.report.shapes import Picture
from spikec.report.words import percent, plain, quantity

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""what a browser may load for this page: nothing"""


def page(found: Findings) -> str:
    """Write the page."""
    sections = [part for make in SECTIONS if (part := make(found)) is not None]
    title = f"{found.name}: spikec report"
    head = e(
        "head",
        e("meta", charset="utf-8"),
        e("meta", name="viewport", content="width=device-width, initial-scale=1"),
        e("meta", http_equiv="Content-Security-Policy", content=POLICY),
        e("title", title),
        e("link", rel="icon", href="data:,"),
        e("style", _style()),
    )
    footer = e("footer", f"Written by {found.program['reported by']}.")
    body = e("body", _header(found), _nav(sections), e("main", sections), footer)
    return "<!DOCTYPE html>\n" + to_html(e("html", head, body, lang="en")) + "\n"


def pictures(found: Findings) -> list[Picture]:
    """Give all pictures of the page, each under a name of its own."""
    return [picture for draw in PICTURES for picture in draw(found)]


def _style() -> str:
    own = Path(__file__).with_name("page.css").read_text("utf-8")
    return f"\n{theme.variables(':root')}{theme.paints()}body{{font-family:{theme.FONT}}}\n{own}"


def _header(found: Findings) -> Element:
    seen = found.activity
    recipe = found.program.get("recipe", "").partition(" (")[0]
    lead = f"A spiking program of {found.steps} time steps" + (
        f", recipe {recipe}" if recipe else ""
    )
    total = sum(rate * found.neurons[name] for name, rate in seen.rates.items())
    tiles = (
        *_quality(seen),
        tile(quantity(total), "events per sample", f"{plain(seen.events_per_neuron)} per neuron"),
        *_energy(found),
        tile(f"{sum(found.neurons.values()):,}", "neurons", f"in {len(found.neurons)} layers"),
    )
    return e(
        "header", e("h1", found.name), e("p", lead, class_="lead"), cards(*tiles, kind="tiles")
    )


def _quality(seen: Activity) -> list[Element]:
    match seen:
        case Evaluation():
            below = f"{abs(seen.drop):.2f} points {'below' if seen.drop >= 0 else 'above'}"
            return [
                tile(percent(seen.accuracy, 2), "accuracy", f"{below} its network"),
                tile(percent(seen.agreement, 2), "agreement", "same class as its network"),
            ]
        case Observation():
            return [tile(f"{seen.difference:.2g}", "difference", "relative, to its network")]
    return []


def _energy(found: Findings) -> list[Element]:
    if found.energy is None:
        return []
    small = found.energy.baselines[0]
    share = ratio(small.ratio(found.energy.total_pj))
    return [tile(joule(found.energy.total_pj), "energy per sample", f"{share} {small.name}")]


def _nav(sections: list[Element]) -> Element:
    links = (e("a", part[0].text or "", href=f"#{part.get('id')}") for part in sections)
    return e("nav", links, aria_label="Sections")


def _thresholds(found: Findings) -> Element | None:
    return network.thresholds(found) if found.thresholds else None


def _made(found: Findings) -> Element | None:
    return making.making(found) if found.search or found.history else None


def _fired(make: Callable[[Findings], Element]) -> Callable[[Findings], Element | None]:
    """Leave a section out where no layer fires."""
    return lambda found: make(found) if found.firing else None


SECTIONS: tuple[Callable[[Findings], Element | None], ...] = (
    accuracy.accuracy,
    accuracy.outputs,
    _fired(events.events),
    _fired(events.rates),
    _fired(events.raster),
    energy.energy,
    _thresholds,
    targets.targets,
    _made,
    network.network,
    network.passes,
    network.provenance,
)
PICTURES: tuple[Callable[[Findings], list[Picture]], ...] = (
    accuracy.pictures,
    events.pictures,
    energy.pictures,
    making.pictures,
    network.pictures,
    targets.pictures,
)
