"""Where cores lie on a chip, and how far messages go between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikec.target.axes import Counts
from spikec.target.model import Target


@dataclass(frozen=True)
class Mesh:
    """Tiles in ``width`` columns and ``height`` rows per chip; chips stand side by side.

    Slot s is core s mod per_tile of tile t = s div per_tile; tiles are counted down the columns:
    column t div height, row t mod height.
    """

    width: int
    height: int
    per_tile: int
    chips: int
    usable: int
    """cores per chip that programs may have"""
    assumed: bool
    """no mesh is known of the target: this is the smallest square"""

    @property
    def slots(self) -> int:
        """Number of places for cores on all chips."""
        return self.chips * self.usable

    def tiles(self) -> Counts:
        """Give column and row of each slot: [slots, 2]."""
        slot = np.arange(self.slots)
        chip, core = slot // self.usable, slot % self.usable
        tile = core // self.per_tile
        return np.stack([chip * self.width + tile // self.height, tile % self.height], axis=1)

    def far(self, slots: Counts) -> Counts:
        """Give the routers that messages pass between slots: |Δcolumn| + |Δrow|."""
        tiles = self.tiles()[slots]
        return np.asarray(np.abs(tiles[:, None] - tiles[None]).sum(axis=2))

    def snake(self) -> Counts:
        """Give the slots along a way through all tiles, up and down the columns."""
        column, row = self.tiles().T
        turned = np.where(column % 2, self.height - 1 - row, row)
        return np.lexsort((np.arange(self.slots), turned, column))


def mesh_of(target: Target, cores: int) -> Mesh:
    """Give the mesh of a target, of as many chips as so many cores need."""
    facts = (target.mesh.width, target.mesh.height, target.mesh.cores_per_tile)
    width, height, per_tile = (1 if fact is None else fact.value for fact in facts)
    assumed = target.mesh.width is None or target.mesh.height is None
    most = None if target.limits.cores is None else target.limits.cores.value
    if assumed:
        wanted = max(1, cores if most is None else most)
        width = math.isqrt(-(-wanted // per_tile) - 1) + 1
        height = -(-wanted // (per_tile * width))
    slots = width * height * per_tile
    usable = slots if most is None else min(slots, most)
    chips = 1 if assumed and most is None else max(1, -(-cores // usable))
    return Mesh(width, height, per_tile, chips, usable, assumed)
