"""Static energy: power times latency, by a model of the latency."""

from __future__ import annotations

from math import ceil

import numpy as np

from spikec.energy.counts import total
from spikec.energy.measure import Measured
from spikec.energy.profile import Figure, Static
from spikec.energy.result import StaticEnergy
from spikec.ir import Family, Graph, Sizes
from spikec.target.placement import Placement


def standby(found: Measured, static: Static, placement: Placement | None) -> StaticEnergy:
    """Latency t = steps · step + (acs · ac + updates · update + events · event) / cores."""
    counts = total(row.work.counts for row in found.rows)
    cores = cores_of(found.graph, static) if placement is None else placement.cores
    of_chip = static.cores_per_chip
    busy = (
        _times(float(np.mean(counts.acs)), static.ac)
        + _times(float(np.mean(counts.updates)), static.update)
        + _times(float(np.mean(counts.events)), static.event)
    )
    chips = 1 if of_chip is None else ceil(cores / of_chip.value)
    seconds = 1e-9 * (found.steps * static.step.value + busy / cores)
    return StaticEnergy(chips, cores, seconds, chips * static.power.value)


def cores_of(graph: Graph, static: Static) -> int:
    """Give the cores that the layers fill, where nobody has placed them: one layer a core."""
    if static.neurons_per_core is None:
        return 1
    sizes = (
        Sizes(1, 1).of(node.outputs[0].type.step().size)
        for node in graph
        if node.op.family is Family.NEURON
    )
    return max(1, sum(ceil(size / static.neurons_per_core.value) for size in sizes))


def _times(number: float, figure: Figure | None) -> float:
    return 0.0 if figure is None else number * figure.value
