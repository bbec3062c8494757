"""One row a node: its energy, its rates, and the rate at which it takes what the network takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from spikec.energy.baseline import Baseline
from spikec.energy.count import Row
from spikec.energy.counts import NAMES, Counts
from spikec.energy.measure import Measured
from spikec.energy.price import Parts, price
from spikec.energy.profile import Profile
from spikec.energy.result import Kind, LayerEnergy, Spread
from spikec.ir import Family, Op


def layer_energies(
    found: Measured, parts: Sequence[Parts], profile: Profile, known: Sequence[Baseline]
) -> tuple[LayerEnergy, ...]:
    """Give a row for each node that does anything."""
    network = {row.node.name: type(row.node.op) for row in found.reference}
    return tuple(_layers(found.rows, parts, profile, (network, known)))


def _layers(
    rows: Sequence[Row],
    parts: Sequence[Parts],
    profile: Profile,
    network: tuple[Mapping[str, type[Op]], Sequence[Baseline]],
) -> Iterator[LayerEnergy]:
    ops, known = network
    for row, part in zip(rows, parts, strict=True):
        node, work = row.node, row.work
        if not any(np.any(getattr(work.counts, name)) for name in NAMES):
            continue
        same = work.synapses > 0 and ops.get(node.name) is type(node.op)
        ann = {one.name: one.layers[node.name] for one in known} if same else {}
        neurons = round(_mean(work.counts.updates) / work.runs)
        yield LayerEnergy(
            name=node.name,
            op=type(node.op).__name__,
            kind=kind_of(row),
            place=str(node.location),
            counts=work.counts.mean(),
            energy=part.mean(),
            spread=Spread.of(part.total),
            flops=work.flops,
            synapses=work.synapses,
            runs=work.runs,
            rate_in=rate_in(row),
            rate=_mean(work.counts.events) / (neurons * work.runs) if neurons else None,
            neurons=neurons,
            ann_pj=ann,
            break_even=break_even(row, profile, ann),
        )


def kind_of(row: Row) -> Kind:
    """Tell connections, neurons and all else apart."""
    if row.node.op.family is Family.NEURON:
        return Kind.NEURONS
    return Kind.SYNAPSES if row.work.synapses else Kind.OTHER


def rate_in(row: Row) -> float | None:
    """Give events per element and step of what comes in."""
    work = row.work
    return _mean(work.arrived) / (work.inputs * work.runs) if work.inputs else None


def break_even(row: Row, profile: Profile, ann: Mapping[str, float]) -> dict[str, float]:
    """Give the rate r at which fixed + r · slope = energy of the network's layer.

    The slope is what the measured events take, per event and element and step; fixed is what the
    layer takes without events (its bias).  Empty where no event came.
    """
    work, rate = row.work, rate_in(row)
    if not rate:
        return {}
    fixed = float(price(replace(work, counts=silent(work.counts)), profile).total)
    slope = (_mean(price(work, profile).total) - fixed) / rate
    if slope <= 0:
        return {}
    return {name: max(0.0, (energy - fixed) / slope) for name, energy in ann.items()}


def silent(counts: Counts) -> Counts:
    """Give what a layer does without events: it adds its bias, and reads it."""
    added, used = _mean(counts.adds), _mean(counts.acs) + _mean(counts.adds)
    read = _mean(counts.weight_read) * added / used if used else 0.0
    return Counts(adds=added, weight_read=read)


def _mean(numbers: object) -> float:
    return float(np.mean(np.asarray(numbers)))
