"""What a sample takes: by layer, beside the network, and by every profile."""

from __future__ import annotations

from spikec.energy import tables
from spikec.energy.result import Energy, Kind, LayerEnergy
from spikec.report.findings import Findings
from spikec.report.markup import Element, e
from spikec.report.parts import card, cards, fold, pictured, section, table
from spikec.report.plots.bars import Bar, Part, bar_rows
from spikec.report.shapes import Picture, Role

ROLES = {Kind.SYNAPSES: Role.ACCENT, Kind.NEURONS: Role.SECOND, Kind.OTHER: Role.WARM}


def pictures(found: Findings) -> list[Picture]:
    """Draw energy by layer, and the program beside its network."""
    return [per_layer(found.energy), beside(found.energy)] if found.energy else []


def per_layer(energy: Energy) -> Picture:
    """Draw what each node takes; nodes that take nothing are left out."""
    bars = [_bar(layer) for layer in energy.layers if layer.total_pj > 0]
    return bar_rows("energy", f"Energy by layer ({energy.profile.name})", bars)


def _bar(layer: LayerEnergy) -> Bar:
    part = Part(layer.kind.value, layer.total_pj, ROLES[layer.kind])
    return Bar(layer.name, (part,), tables.joule(layer.total_pj))


def beside(energy: Energy) -> Picture:
    """Draw the program, with its first layer once and at every step, and what it is compared to."""
    first = energy.first_layer
    rows = {"this program": (energy.total_pj, Role.ACCENT)}
    if first.names:
        told = f"first layer at each of {energy.steps} steps"
        rows[told] = (first.every_step_pj, Role.ACCENT)
    rows["convention of papers"] = (energy.convention.total_pj, Role.MUTED)
    rows |= {one.name: (one.total_pj, Role.SECOND) for one in energy.baselines}
    bars = [Bar(name, (Part("", pj, role),), tables.joule(pj)) for name, (pj, role) in rows.items()]
    return bar_rows("energy-beside", "Beside the network", bars)


def energy(found: Findings) -> Element:
    """Show bars, all profiles, and layers in a fold."""
    if found.energy is None:
        return section("energy", "Energy", f"No energy: {found.no_energy}.")
    chosen, (layers, totals) = found.energy, tables.sheets((found.energy,))
    about = (
        f"What one sample takes: operations counted exactly, then priced by {chosen.profile.name}. "
        "Blue: connections, violet: neurons, orange: the rest. Static energy stands apart."
    )
    drawn = cards(pictured(per_layer(chosen)), pictured(beside(chosen)))
    rows = [(one.profile.name, *_figures(one), one.profile.leaves_out) for one in found.energies]
    heads = (
        "profile",
        "energy",
        "5 to 95 %",
        "/ fp32",
        "/ int8",
        "/ equal bits",
        "/ own",
        "static",
    )
    cells = [e("tr", *(e("td", cell) for cell in row)) for row in rows]
    head = e("tr", *(e("th", name) for name in (*heads, "leaves out")))
    profiles = e("div", e("table", head, cells, class_="wide"), class_="scroll")
    notes = e("ul", *(e("li", line) for line in tables.notes(chosen)))
    return section(
        "energy",
        "Energy",
        about,
        drawn,
        card("By profile", profiles),
        fold("Layers, totals and what they mean", _sheet(layers), _sheet(totals), notes),
    )


def _figures(one: Energy) -> tuple[str, ...]:
    ratios = (tables.ratio(base.ratio(one.total_pj)) for base in one.baselines[:3])
    static = "" if one.static is None else tables.joule(one.static.pj)
    alike = "" if one.alike is None else tables.ratio(one.alike.ratio(one.total_pj))
    return tables.joule(one.total_pj), tables.between(one.spread), *ratios, alike, static


def _sheet(sheet: tables.Sheet) -> Element:
    return table(sheet.heads, sheet.rows, texts=sheet.texts)
