"""Counts, baselines and prices put together: what a program takes, by one profile."""

from __future__ import annotations

import os

import numpy as np

from spikec.energy.baseline import baselines, levels_of
from spikec.energy.catalog import DEFAULT, load_profile
from spikec.energy.convention import Convention, Entry, convention
from spikec.energy.count import Row
from spikec.energy.counts import total
from spikec.energy.first import first_layer
from spikec.energy.layer import layer_energies
from spikec.energy.measure import Measured
from spikec.energy.price import Parts, price, unpriced
from spikec.energy.profile import Profile
from spikec.energy.result import Energy, Spread
from spikec.energy.standby import standby
from spikec.ir import Node, ops
from spikec.ir.op import Family
from spikec.target.placement import placement_of

WEIGHTED = (ops.Linear, ops.Conv, ops.ConvTranspose, ops.DeformConv)
"""ops that the literature calls layers"""
FUNCTIONS = (Family.ACTIVATION, Family.NORM)
COMPARISONS = (ops.Quantise, ops.Round, ops.Floor, ops.Clip, ops.ReLU, ops.Abs, ops.Neg)


def estimate(found: Measured, profile: str | os.PathLike[str] | Profile = DEFAULT) -> Energy:
    """Price what was counted."""
    prices = load_profile(profile)
    levels = levels_of(found.graph, found.steps)
    known = baselines(found.reference, levels, prices)
    parts = [price(row.work, prices) for row in found.rows]
    counts = total(row.work.counts for row in found.rows)
    energy = sum(parts, Parts())
    by_sample = np.broadcast_to(energy.total, (found.samples,)).astype(float)
    layers = layer_energies(found, parts, prices, known)
    placement = placement_of(found.graph)
    return Energy(
        program=found.graph.name,
        recipe=found.recipe,
        steps=found.steps,
        samples=found.samples,
        profile=prices,
        levels=levels,
        placed="" if placement is None else placement.target,
        layers=layers,
        counts=counts.mean(),
        energy=energy.mean(),
        by_sample=tuple(by_sample.tolist()),
        spread=Spread.of(by_sample),
        baselines=known,
        first_layer=first_layer(found, parts, float(by_sample.mean())),
        convention=literature(found.rows),
        static=None if prices.static is None else standby(found, prices.static, placement),
        unpriced=unpriced(counts, prices, placed=placement is not None),
        functions=tuple(row.node.name for row in found.rows if _is_function(row.node)),
    )


def _is_function(node: Node) -> bool:
    """Tell whether a smooth function runs at every step; rounding and bounds are comparisons."""
    timed = any(not value.type.is_static for value in node.inputs)
    return timed and node.op.family in FUNCTIONS and not isinstance(node.op, COMPARISONS)


def literature(rows: tuple[Row, ...]) -> Convention:
    """Apply the convention of the literature to the layers with weights."""
    layers, first = [], 0.0
    for row in rows:
        work = row.work
        if not isinstance(row.node.op, WEIGHTED):
            continue
        if work.inputs:
            rate = float(np.mean(work.arrived)) / (work.inputs * work.runs)
            layers.append(Entry(row.node.name, rate, work.runs, work.flops))
        else:
            first += work.flops * work.runs
    return convention(layers, first)
