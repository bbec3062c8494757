"""Estimates as tables of words: layers, totals, and several programs side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spikec.energy.result import Energy, Kind, LayerEnergy, Spread
from spikec.report.words import percent, plain, quantity

Cells = tuple[str, ...]
ALIKE = "/ ANN at these prices"
LITERATURE = "convention of the literature"
WORDS = {
    "macs": "MACs",
    "adds": "additions of analog values",
    "updates": "updates of neurons",
    "events": "events sent",
    "others": "functions and comparisons",
}
"""counts that a profile may have no price for"""
SHOWN = 4
"""functions that a note names"""


@dataclass(frozen=True)
class Sheet:
    """A table: the first ``texts`` columns are words, the others numbers."""

    title: str
    heads: Cells
    rows: tuple[Cells, ...]
    texts: int = 1


def sheets(energies: Sequence[Energy]) -> tuple[Sheet, ...]:
    """Give what people want to see of one estimate, or of several."""
    if len(energies) == 1:
        return layers(energies[0]), totals(energies[0])
    return (comparison(energies),)


def layers(energy: Energy) -> Sheet:
    """Give a row for each node that costs or counts anything, and their sum."""
    names = [baseline.name for baseline in energy.baselines]
    heads = ("layer", "op", "rate in", "rate", "MACs", "ACs", "updates", "events", "energy")
    ends = (f"break-even with {name}" for name in names[:2])
    rows = [_row(layer, energy, names[:2]) for layer in energy.layers]
    sums = ("all", "", "", "", *_numbers(energy), joule(energy.total_pj), percent(1.0), "", "")
    title = f"{energy.program}: one sample by {energy.profile.name}"
    return Sheet(title, (*heads, "share", *ends), (*rows, sums), texts=2)


def _row(layer: LayerEnergy, energy: Energy, names: Sequence[str]) -> Cells:
    share = layer.total_pj / energy.total_pj if energy.total_pj else 0.0
    return (
        layer.name,
        layer.op,
        _rate(layer.rate_in),
        _rate(layer.rate) if layer.kind is Kind.NEURONS else "",
        *_numbers(layer),
        joule(layer.total_pj) if layer.total_pj else "",
        percent(share) if layer.total_pj else "",
        *(_rate(layer.break_even.get(name)) for name in names),
    )


def _numbers(one: LayerEnergy | Energy) -> Cells:
    counts = one.counts
    numbers = (counts.macs, counts.acs, counts.updates, counts.events)
    return tuple(quantity(float(number)) if number else "" for number in numbers)


def totals(energy: Energy) -> Sheet:
    """Give the energy of a sample beside those that it is compared with."""
    heads = ("what", "energy", "this program by that")
    return Sheet("", heads, tuple(_totals(energy)))


def _totals(energy: Energy) -> Iterator[Cells]:
    first, paper = energy.first_layer, energy.convention
    yield "this program, mean over the samples", joule(energy.total_pj), ""
    yield "5th to 95th percentile of the samples", between(energy.spread), ""
    for one in energy.baselines:
        yield one.name, joule(one.total_pj), ratio(one.ratio(energy.total_pj))
    if first.names:
        told = f"first layer ({', '.join(first.names)}: {quantity(first.macs)} MACs)"
        yield f"{told} computed once", joule(first.once_pj), ""
        yield f"{told} at each of {energy.steps} steps", joule(first.every_step_pj), ""
    told = (
        f"{LITERATURE}: ΣSOP = {quantity(paper.sop)}, FLOPs(first) = {quantity(paper.first_flops)}"
    )
    yield told, joule(paper.total_pj), ratio(paper.ratio(energy.total_pj))
    if energy.static is not None:
        yield static_words(energy), joule(energy.static.pj), ""


def static_words(energy: Energy) -> str:
    """Say how long the chip is on, and at what power."""
    static = energy.static
    assert static is not None
    chips = f"{static.chips:,} chip{'s' if static.chips > 1 else ''}"
    return (
        f"static, not in the energy above: {quantity(static.watts, 'W')} of {chips} for"
        f" {quantity(static.seconds, 's')} ({static.cores:,} cores equally busy)"
    )


def comparison(energies: Sequence[Energy]) -> Sheet:
    """Give a row for each program and profile."""
    heads = ("program", "recipe", "profile", "T", "MACs", "ACs", "events", "energy")
    more = ("5th to 95th percentile", "/ ANN fp32", "/ ANN int8", "/ ANN equally quantised", ALIKE)
    rows = tuple(_compared(energy) for energy in energies)
    return Sheet("", (*heads, *more, "static"), rows, texts=3)


def _compared(energy: Energy) -> Cells:
    macs, acs, _, events = _numbers(energy)
    ratios = (ratio(one.ratio(energy.total_pj)) for one in energy.baselines[:3])
    return (
        energy.program,
        energy.recipe,
        energy.profile.name,
        str(energy.steps),
        *(macs, acs, events),
        joule(energy.total_pj),
        between(energy.spread),
        *ratios,
        "" if energy.alike is None else ratio(energy.alike.ratio(energy.total_pj)),
        "" if energy.static is None else joule(energy.static.pj),
    )


def notes(energy: Energy) -> Iterator[str]:
    """Say what a reader must know to use the figures of one estimate."""
    yield f"{energy.samples:,} samples, {energy.steps} steps; counts and energies are means"
    yield from shared_notes(energy)
    told = [
        f"{quantity(number)} {WORDS[name]}"
        for name, number in energy.unpriced.items()
        if not math.isnan(number)
    ]
    if told:
        yield f"counted, but without a price in {energy.profile.name}: {', '.join(told)}"
    if energy.functions:
        count, shown = len(energy.functions), ", ".join(energy.functions[:SHOWN])
        more = ", …" if count > SHOWN else ""
        yield f"functions of what has been decoded, at every step: {count} ({shown}{more})"
    if energy.total_pj == 0:
        yield "no event came, or nothing that happened has a price"


def shared_notes(energy: Energy) -> Iterator[str]:
    """Say what a profile and the networks beside it are."""
    for one in energy.baselines:
        yield f"{one.name}: {one.about}"
    yield f"{LITERATURE}: E = 0.9 pJ ΣSOP + 4.6 pJ FLOPs(first), SOP = rate · T · FLOPs"
    yield f"{energy.profile.name} leaves out: {energy.profile.leaves_out}"
    if any(map(math.isnan, energy.unpriced.values())):
        yield (
            "hops are left out, and a message goes to each layer that reads it: the program stands"
            " on no cores (spikec lower puts it there)"
        )


def joule(pj: float) -> str:
    """Write an energy given in pJ."""
    return quantity(pj * 1e-12, "J")


def between(spread: Spread) -> str:
    """Write the range of most samples."""
    return f"{joule(spread.low)} … {joule(spread.high)}"


def ratio(number: float) -> str:
    """Write a ratio; nothing where there is none."""
    return "" if math.isnan(number) else f"{plain(number)}×"


def _rate(rate: float | None) -> str:
    return "" if rate is None else plain(rate)
