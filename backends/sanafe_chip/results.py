"""What a simulated chip took: energy and latency, by step and by core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
PARTS = ("synapse", "dendrite", "soma", "network")
COUNTS = ("fired", "updated", "packets", "hops", "spikes")


@dataclass(frozen=True, eq=False)
class Results:
    """Arrays are [samples, steps of the chip]; the last steps empty its pipeline."""

    tool: str
    chip: str
    energy: Numbers
    """J, all told"""
    parts: Mapping[str, Numbers]
    """J, by kind of unit"""
    latency: Numbers
    """s"""
    counts: Mapping[str, Numbers]
    """neurons that fired and that were updated, messages, routers passed, synaptic events"""
    cores: tuple[str, ...]
    core_energy: Numbers
    """J, [samples, steps, cores]; routers are not in it"""

    @property
    def joules(self) -> Numbers:
        """Energy of each sample."""
        return np.asarray(self.energy.sum(axis=1))

    @property
    def seconds(self) -> Numbers:
        """Latency of each sample."""
        return np.asarray(self.latency.sum(axis=1))

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        return {
            "tool": self.tool,
            "chip": self.chip,
            "energy_j": self.joules.tolist(),
            "latency_s": self.seconds.tolist(),
            "steps": {
                "energy_j": self.energy.tolist(),
                "latency_s": self.latency.tolist(),
                **{f"{part}_energy_j": array.tolist() for part, array in self.parts.items()},
                **{name: array.astype(int).tolist() for name, array in self.counts.items()},
            },
            "cores": {
                name: self.core_energy[:, :, i].tolist() for i, name in enumerate(self.cores)
            },
        }

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{self.joules.mean() * 1e6:.3g} µJ and {self.seconds.mean() * 1e6:.3g} µs per sample"
        )


def results_of(values: Mapping[str, NDArray[Any]], chip: str, cores: list[str]) -> Results:
    """Read what the child wrote."""
    return Results(
        tool=f"SANA-FE {values['version']}",
        chip=chip,
        energy=values["total"],
        parts={part: values[part] for part in PARTS},
        latency=values["latency"],
        counts={count: values[count] for count in COUNTS},
        cores=tuple(cores),
        core_energy=values["cores"],
    )
