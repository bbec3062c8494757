"""Counts times prices: energies by cause, for each sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spikec.energy.counts import Counts, Stores, Work
from spikec.energy.profile import Figure, Memory, Profile
from spikec.energy.storage import Storage

Energies: TypeAlias = float | NDArray[Any]
"""pJ: one number for every sample, or one number a sample"""


@dataclass(frozen=True, eq=False)
class Parts:
    """pJ by cause."""

    macs: Energies = 0.0
    acs: Energies = 0.0
    """synaptic operations; an event of k quanta takes one for each binary one of |k|"""
    adds: Energies = 0.0
    updates: Energies = 0.0
    events: Energies = 0.0
    messages: Energies = 0.0
    """messages and hops"""
    memory: Energies = 0.0

    @property
    def total(self) -> Energies:
        """All together."""
        energies: list[Energies] = [getattr(self, field.name) for field in fields(self)]
        return sum(energies)

    def __add__(self, other: Parts) -> Parts:
        """Add up, sample by sample."""
        names = (field.name for field in fields(self))
        return Parts(*(getattr(self, name) + getattr(other, name) for name in names))

    def mean(self) -> Parts:
        """Give the mean over the samples."""
        return Parts(*(float(np.mean(getattr(self, field.name))) for field in fields(self)))

    def to_json(self) -> dict[str, float]:
        """Give means for machines."""
        means = {f.name: float(np.mean(getattr(self, f.name))) for f in fields(self)}
        return {**means, "total": float(np.mean(self.total))}


def price(work: Work, profile: Profile) -> Parts:
    """Price what a node did."""
    counts, table = work.counts, profile
    return Parts(
        macs=_times(counts.macs, table.operations.mac),
        acs=_times(counts.shift_adds, synaptic(work.storage, table)),
        adds=_times(counts.adds, table.operations.add),
        updates=_times(counts.updates, table.neurons.update),
        events=_times(counts.events, table.neurons.event),
        messages=_times(counts.messages, table.network.message)
        + _times(counts.hops_x, table.network.hop_x)
        + _times(counts.hops_y, table.network.hop_y),
        memory=0.0 if profile.memory is None else moved(counts, work.stores, profile.memory),
    )


def synaptic(storage: Storage, profile: Profile) -> Figure:
    """Choose the figure of a synaptic operation by the kind of connection."""
    figure: Figure | None = getattr(profile.operations, storage.value)
    return profile.operations.ac if figure is None else figure


def moved(counts: Counts, stores: Stores, memory: Memory) -> Energies:
    """Price each byte by the memory in which it lies."""
    queue = memory.queue_bytes.value
    rows = (
        (counts.weight_read, stores.weights),
        (counts.state_read, stores.states),
        (counts.state_written, stores.states),
        (counts.value_read, stores.read or queue),
        (counts.value_written, stores.written or queue),
    )
    return sum(number * memory.per_byte(size) for number, size in rows)


def unpriced(counts: Counts, profile: Profile, *, placed: bool) -> Mapping[str, float]:
    """Say what was counted and has no price in a profile (means over the samples).

    Hops are no number as long as nothing is placed: where they have a price, they count as 0.
    """
    prices = {
        "macs": profile.operations.mac,
        "adds": profile.operations.add,
        "updates": profile.neurons.update,
        "events": profile.neurons.event,
        "others": None,
    }
    found = {name: float(np.mean(getattr(counts, name))) for name, p in prices.items() if not p}
    if not placed and profile.network.hop_x is not None:
        found["hops"] = float("nan")
    return {name: number for name, number in found.items() if number}


def _times(number: Energies, figure: Figure | None) -> Energies:
    return 0.0 if figure is None else number * figure.value
