"""Gives each core a place on the mesh, so that messages pass few routers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikec.target.axes import Counts
from spikec.target.mesh import Mesh

Numbers = NDArray[np.float64]
WORK = 5e8
"""elementary steps of the search, at most: it is bounded by work, not by time, and so repeatable"""
LARGEST = 3000
"""places from which on the cores stay in the order of the layers"""


def arrange(traffic: Numbers, mesh: Mesh) -> Counts:
    """Give the slot of each core: Σ messages · hops is as small as exchanges of two can make it.

    The cores begin in the order of the layers on a way through all tiles; then, as long as that
    helps, the two slots are exchanged (or a core moved to a free slot) that save most.
    """
    cores = len(traffic)
    slots = mesh.snake()[: 2 * cores]  # as many free ones, and no more: the way is compact
    if not cores >= 2 or len(slots) > LARGEST:
        return slots[:cores]
    weight = np.zeros((len(slots), len(slots)))
    weight[:cores, :cores] = traffic + traffic.T
    search = _Search(weight, mesh.far(slots).astype(np.float64))
    order = search.run(int(WORK / len(slots) ** 2))
    return slots[order][:cores]


def cost_of(traffic: Numbers, mesh: Mesh, slots: Counts) -> float:
    """Give Σ messages · hops."""
    return float((traffic * mesh.far(slots)).sum())


class _Search:
    """Exchanges items on places: ``far[i, k]`` is the distance of the places of items i and k."""

    def __init__(self, weight: Numbers, far: Numbers) -> None:
        self.weight = weight
        self.far = far
        self.order = np.arange(len(weight))
        self.sums = weight @ far
        """[i, j]: what item i would cost at the place of item j"""

    def run(self, exchanges: int) -> Counts:
        """Make the best exchange until none helps; give the place of each item."""
        least = 1e-9 * max(1.0, float(self.weight.sum()))
        for _ in range(exchanges):
            i, j = self._best()
            if self._change(i, j) > -least:
                break
            self._exchange(i, j)
        return self.order

    def _best(self) -> tuple[int, int]:
        own = np.diagonal(self.sums)
        change = self.sums - own[:, None]
        change = change + change.T + 2 * self.weight * self.far
        i, j = divmod(int(change.argmin()), len(change))
        return i, j

    def _change(self, i: int, j: int) -> float:
        moved = self.sums[i, j] + self.sums[j, i] - self.sums[i, i] - self.sums[j, j]
        return float(moved + 2 * self.weight[i, j] * self.far[i, j])

    def _exchange(self, i: int, j: int) -> None:
        pair, swapped = [i, j], [j, i]
        before = self.far[pair].copy()
        self.far[pair] = self.far[swapped]
        self.far[:, pair] = self.far[:, swapped]
        self.order[pair] = self.order[swapped]
        self.sums += self.weight[:, pair] @ (self.far[pair] - before)
        self.sums[:, pair] = self.weight @ self.far[:, pair]
