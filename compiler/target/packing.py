"""Puts the blocks of all layers onto cores: which core holds which block, and how full it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikec.target.axes import Counts
from spikec.target.divide import Division, divide, limits_of
from spikec.target.layers import Layer
from spikec.target.model import Target

_OPEN = 64
"""cores that are kept open: a block goes to the first of these that has room"""

_MANY = 1000
"""blocks of a layer from which on those that fill a core are not tried elsewhere"""


@dataclass(frozen=True, eq=False)
class Packing:
    """Which core holds each block."""

    divisions: tuple[Division, ...]
    """of each layer, in the order of the layers"""
    cores: tuple[Counts, ...]
    """of each layer: the core of each block"""
    used: Counts
    """[cores, resources]: what is taken, in the order of the target's limits"""


def pack(layers: tuple[Layer, ...], target: Target) -> Packing:
    """Divide all layers, and place their blocks."""
    divisions = _divisions(layers, target)
    cores, used = _place(divisions, target)
    return Packing(divisions, cores, used)


def _divisions(layers: tuple[Layer, ...], target: Target) -> tuple[Division, ...]:
    """Divide layers from the last to the first: output axons depend on who reads."""
    done: dict[str, Division] = {}
    for layer in reversed(layers):
        readers = [
            (connection, done[other.name])
            for other in layers
            if other.name in done
            for connection in other.inputs
            if connection.source.producer is layer.node
        ]
        done[layer.name] = divide(layer, target, readers)
    return tuple(done[layer.name] for layer in layers)


def _place(divisions: tuple[Division, ...], target: Target) -> tuple[tuple[Counts, ...], Counts]:
    """First fit, in the order of the layers, among the cores opened last."""
    limits = limits_of(target)
    most = np.array(list(limits.values()), np.int64)
    share = target.cores.share_cores.value
    used = np.zeros((sum(division.blocks for division in divisions), len(limits)), np.int64)
    opened = 0
    places: list[Counts] = []
    for division in divisions:
        rows = [division.demand[r] for r in limits]
        needs = np.stack(rows, 1) if rows else np.zeros((division.blocks, 0), np.int64)
        if not share or _fill(needs, most):
            used[opened : opened + len(needs)] = needs
            places.append(np.arange(opened, opened + len(needs)))
            opened += len(needs)
            continue
        numbers = np.zeros(len(needs), np.int64)
        for block, need in enumerate(needs):
            first = max(0, opened - _OPEN)
            room = (used[first:opened] + need <= most).all(axis=1)
            number = first + int(room.argmax()) if room.any() else opened
            opened = max(opened, number + 1)
            used[number] += need
            numbers[block] = number
        places.append(numbers)
    return tuple(places), used[:opened]


def _fill(needs: Counts, most: Counts) -> bool:
    """Tell that a layer has many blocks, no two of which fit one core."""
    return len(needs) > _MANY and bool((2 * needs > most).any(axis=1).all())
