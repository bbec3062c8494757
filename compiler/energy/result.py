"""What an estimate says: frozen data from which tables and reports are drawn.  Energies in pJ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np

from spikec.energy.baseline import Baseline
from spikec.energy.convention import Convention
from spikec.energy.counts import Counts
from spikec.energy.price import Energies, Parts
from spikec.energy.profile import Profile


@dataclass(frozen=True)
class Spread:
    """A quantity over the samples."""

    mean: float
    low: float
    """5th percentile"""
    high: float
    """95th percentile"""

    @staticmethod
    def of(energies: Energies) -> Spread:
        """Look at one number for every sample, or one number a sample."""
        low, high = np.percentile(energies, (5, 95))
        return Spread(float(np.mean(energies)), float(low), float(high))


class Kind(Enum):
    """What a node is to a table."""

    SYNAPSES = "synapses"
    NEURONS = "neurons"
    OTHER = "other"


@dataclass(frozen=True, eq=False)
class LayerEnergy:
    """One node that does anything: connections, neurons, or an operation beside them."""

    name: str
    op: str
    kind: Kind
    place: str
    """where it comes from in the user's source; empty where that is unknown"""
    counts: Counts
    """means over the samples"""
    energy: Parts
    """means over the samples"""
    spread: Spread
    """of the node's energy"""
    flops: int
    """multiplications of one step on dense operands, padding included"""
    synapses: int
    """connections: the same without padding"""
    runs: int
    """steps in which it works; 1 for what is computed once"""
    rate_in: float | None
    """events per element and step of what comes in; None where that is no events"""
    rate: float | None
    """events per neuron and step; None where nothing fires"""
    neurons: int
    """number of neurons, 0 for other nodes"""
    ann_pj: Mapping[str, float]
    """what the connections take in the analog network, run once, by baseline"""
    break_even: Mapping[str, float]
    """events per element and step at which they take the same here, by baseline"""

    @property
    def total_pj(self) -> float:
        """Mean energy of a sample."""
        return float(self.energy.total)

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        return {
            "name": self.name,
            "op": self.op,
            "kind": self.kind.value,
            "place": self.place,
            "counts": self.counts.to_json(),
            "energy_pj": self.energy.to_json(),
            "spread_pj": asdict(self.spread),
            "flops": self.flops,
            "synapses": self.synapses,
            "runs": self.runs,
            "rate_in": self.rate_in,
            "rate": self.rate,
            "neurons": self.neurons,
            "ann_pj": dict(self.ann_pj),
            "break_even": dict(self.break_even),
        }


def _real(number: float) -> float | None:
    """Give None for what is not a number, which JSON has not."""
    return None if math.isnan(number) else number


@dataclass(frozen=True)
class FirstLayer:
    """Layers whose input is the same at every step: computed once, or again at each step."""

    names: tuple[str, ...]
    macs: float
    """products of all of them, computed once"""
    pj: float
    """what they take, computed once"""
    once_pj: float
    """energy of a sample with them computed once"""
    every_step_pj: float
    """energy of a sample with them computed at each step"""


@dataclass(frozen=True)
class StaticEnergy:
    """What the chip takes although nothing happens, by a model of its latency."""

    chips: int
    cores: int
    seconds: float
    """latency of a sample: mean"""
    watts: float
    """of all chips"""

    @property
    def pj(self) -> float:
        """Power times latency."""
        return self.watts * self.seconds * 1e12


@dataclass(frozen=True, eq=False)
class Energy:
    """What a program takes for one sample, by one profile."""

    program: str
    recipe: str
    steps: int
    samples: int
    profile: Profile
    levels: int
    """most values other than 0 that the events of a neuron stand for"""
    placed: str
    """the target on whose cores it stands; empty where it stands on none"""
    layers: tuple[LayerEnergy, ...]
    counts: Counts
    """of all nodes: means over the samples"""
    energy: Parts
    """of all nodes: means over the samples"""
    by_sample: tuple[float, ...]
    """energy of each sample, without static energy"""
    spread: Spread
    """of ``by_sample``"""
    baselines: tuple[Baseline, ...]
    first_layer: FirstLayer
    convention: Convention
    static: StaticEnergy | None
    """None where the profile has no static power"""
    unpriced: Mapping[str, float]
    """operations that were counted, and that the profile has no figure for"""
    functions: tuple[str, ...] = ()
    """norms and smooth activations that are evaluated at every step, by name"""

    @property
    def total_pj(self) -> float:
        """Mean energy of a sample, static energy apart."""
        return self.spread.mean

    @property
    def reference_pj(self) -> float:
        """The analog network in float32, arithmetic alone."""
        return self.baselines[0].total_pj

    @property
    def alike(self) -> Baseline | None:
        """The analog network at the prices of the profile; None where it prices no MACs."""
        mac = self.profile.operations.mac
        if mac is None:
            return None
        named = {one.name: one for one in self.baselines}
        own = named.get(f"ann-{self.profile.name}")
        return own or next(one for one in self.baselines if one.mac_pj == mac.value)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return sum(layer.neurons for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        static = self.static
        return {
            "program": self.program,
            "recipe": self.recipe,
            "steps": self.steps,
            "samples": self.samples,
            "profile": self.profile.name,
            "leaves_out": self.profile.leaves_out,
            "sources": {name: asdict(figure) for name, figure, _ in self.profile.figures()},
            "levels": self.levels,
            "placed": self.placed,
            "total_pj": self.total_pj,
            "spread_pj": asdict(self.spread),
            "energy_pj": self.energy.to_json(),
            "counts": self.counts.to_json(),
            "static": None if static is None else {**asdict(static), "pj": static.pj},
            "baselines": [
                {**b.to_json(), "ratio": _real(b.ratio(self.total_pj))} for b in self.baselines
            ],
            "first_layer": asdict(self.first_layer),
            "convention": self.convention.to_json(),
            "unpriced": {name: _real(number) for name, number in self.unpriced.items()},
            "functions": list(self.functions),
            "layers": [layer.to_json() for layer in self.layers],
        }

    def table(self) -> str:
        """Write layers and totals as aligned text."""
        from spikec.energy.writing import text

        return text((self,))

    def to_csv(self) -> str:
        """Write the layers and their sum as CSV, numbers in full."""
        from spikec.energy.writing import csv_text

        return csv_text((self,))

    def to_markdown(self) -> str:
        """Write all tables as Markdown."""
        from spikec.energy.writing import markdown

        return markdown((self,))
