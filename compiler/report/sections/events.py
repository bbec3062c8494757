"""How much is fired: events and rates of each layer, and the events of one sample."""

from __future__ import annotations

from spikec.report.findings import Findings
from spikec.report.firing import SHOWN, Firing
from spikec.report.markup import Element
from spikec.report.parts import card, cards, figure, fold, pictured, section, table
from spikec.report.plots.bars import Bar, Part, bar_rows
from spikec.report.plots.raster import spike_raster
from spikec.report.plots.rates import rate_histogram
from spikec.report.shapes import Picture, Role
from spikec.report.words import few, plain, quantity


def pictures(found: Findings) -> list[Picture]:
    """Draw bars, histograms and rasters."""
    most = max((float(layer.rates.max()) for layer in found.firing), default=0.0)
    return [
        per_layer(found),
        per_neuron(found),
        *(rate_histogram(layer, most) for layer in found.firing),
        *(spike_raster(layer) for layer in found.firing),
    ]


def per_layer(found: Findings) -> Picture:
    """Draw the events of one sample, by layer."""
    rates = found.activity.rates
    bars = [_bar(name, rate * found.neurons[name]) for name, rate in rates.items()]
    return bar_rows("events", "Events per sample", bars)


def per_neuron(found: Findings) -> Picture:
    """Draw the events of one neuron and sample, by layer."""
    bars = [
        Bar(name, (Part("events", rate, Role.SECOND),), plain(rate))
        for name, rate in found.activity.rates.items()
    ]
    return bar_rows("events-per-neuron", "Events per neuron and sample", bars)


def _bar(name: str, events: float) -> Bar:
    return Bar(name, (Part("events", events),), quantity(events))


def events(found: Findings) -> Element:
    """Show events by layer, with a table in a fold."""
    seen, layers = found.activity, {layer.name: layer for layer in found.firing}
    total = sum(rate * found.neurons[name] for name, rate in seen.rates.items())
    rows = (
        (
            name,
            f"{found.neurons[name]:,}",
            f"{rate * found.neurons[name]:,.1f}",
            f"{rate:.4f}",
            few(layers[name].silent),
        )
        for name, rate in seen.rates.items()
    )
    heads = ("layer", "neurons", "events per sample", "per neuron", "silent")
    about = (
        f"{quantity(total)} events per sample in {sum(found.neurons.values()):,} neurons, over "
        f"{found.steps} time steps: {plain(seen.events_per_neuron)} per neuron. Means over "
        f"{seen.samples:,} samples; an event of several levels counts once."
    )
    both = cards(
        pictured(per_layer(found)),
        pictured(per_neuron(found)),
    )
    return section("events", "Events", about, both, fold("As a table", table(heads, rows)))


def rates(found: Findings) -> Element:
    """Show a histogram for each layer."""
    most = max((float(layer.rates.max()) for layer in found.firing), default=0.0)
    about = (
        "How often the neurons of a layer fire: events per neuron and time step, mean over all "
        "samples. All layers share the horizontal scale; heights are each layer's own. Neurons "
        "that never fired are told in words. The line is the mean."
    )
    small = (figure(rate_histogram(layer, most)) for layer in found.firing)
    shown = card("", cards(*small, kind="small"))
    return section("rates", "Firing rates", about, shown)


def raster(found: Findings) -> Element:
    """Show the chosen layer's events beside some others'; the rest waits in a fold."""
    first, rest = _ordered(found)
    about = (
        f"Sample {found.choice.sample} (counted from 0): a row for each of up to {SHOWN} neurons, "
        "evenly taken from the layer, a column for each time step. Stronger colour: more levels in "
        "one event; orange: negative. Above, the whole layer's events per step, mean over all "
        "samples."
    )
    more = fold(f"{len(rest)} more layers", cards(*map(_drawn, rest))) if rest else None
    return section("raster", "Spike raster", about, cards(*map(_drawn, first)), more)


def _ordered(found: Findings) -> tuple[list[Firing], list[Firing]]:
    """Give the chosen layer, then the first and the middle one; and all that remain."""
    by_name = {layer.name: layer for layer in found.firing}
    names = list(by_name)
    open_ones = dict.fromkeys((found.choice.layer, names[0], names[len(names) // 2]))
    first = [by_name[name] for name in open_ones if name in by_name]
    return first, [layer for layer in found.firing if layer not in first]


def _drawn(layer: Firing) -> Element:
    return pictured(spike_raster(layer))
