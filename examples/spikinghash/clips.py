"""Synthetic recordings of an event camera: a texture that moves, rests, and moves another way.

Classes that differ by order alone show the same motions, and so the same frames, in another order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import UsageError

MOTIONS: Mapping[str, tuple[int, int]] = {
    "down": (1, 0),
    "right": (0, 1),
    "down-right": (1, 1),
    "down-left": (1, -1),
}
"""rows and columns per pixel of way; with any contrast, the ways back look nearly the same"""
STRAIGHT, SLANTED = ("down", "right"), ("down-right", "down-left")
Pair = tuple[str, str]
ORDER: tuple[Pair, ...] = (("down", "right"), ("right", "down"))
SPACE: tuple[Pair, ...] = (("down", "down"), ("down", "right"))
MOTION: tuple[Pair, ...] = (("down", "down"), ("right", "right"))
PAIRS: tuple[Pair, ...] = (*product(STRAIGHT, SLANTED), *product(SLANTED, STRAIGHT))
KINDS: Mapping[str, tuple[Pair, ...]] = {
    "order": ORDER,
    "space": SPACE,
    "motion": MOTION,
    "pairs": PAIRS,
}
"""two classes by order; as controls, two by space alone, in half or all of the steps with a
motion; eight, for retrieval"""


@dataclass(frozen=True)
class Scene:
    """What is filmed."""

    side: int = 16
    """pixels of the sensor"""
    steps: int = 8
    pause: int = 2
    """steps between both motions, in which only noise is seen"""
    texture: int = 5
    """pixels of what moves, a side"""
    speed: int = 3
    """pixels per step"""
    noise: float = 0.0075
    """chance of an event that means nothing, per pixel, step and polarity"""

    def __post_init__(self) -> None:
        if not 0 <= self.pause < self.steps or (self.steps - self.pause) % 2:
            raise UsageError(
                f"a pause of {self.pause} of {self.steps} steps",
                expected="an even number of steps left for both motions",
            )
        if not 1 <= self.texture <= self.side:
            raise UsageError(f"a texture of {self.texture}", expected=f"1 to {self.side} pixels")
        if not 0 <= self.noise < 1:
            raise UsageError(f"noise of {self.noise}", expected="0 or more, below 1")


def clips(
    pairs: Sequence[Pair], count: int, scene: Scene = Scene(), seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Film ``count`` clips: events [count, T, 2, H, W] of 0 and 1, and their classes.

    A class is a pair of motions, the first half and the second.  The texture, where it begins and
    its contrast are drawn; ON is where a pixel became brighter since the step before.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(pairs)).astype(np.int64)
    changes = np.diff(_frames(_places(pairs, labels, scene, rng), scene, rng), axis=1)
    contrast = rng.choice((-1, 1), (count, 1, 1, 1))
    events = np.stack([changes * contrast > 0, changes * contrast < 0], axis=2)
    events |= rng.random(events.shape) < scene.noise
    return events.astype(np.float32), labels


def _places(
    pairs: Sequence[Pair], labels: NDArray[np.int64], scene: Scene, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Give rows and columns of the texture's corner, [count, T + 1, 2]."""
    way = np.array([[MOTIONS[motion] for motion in pair] for pair in pairs])
    each = (scene.steps - scene.pause) // 2
    first, second = way[labels, 0], way[labels, 1]
    moves = np.zeros((len(labels), 1 + scene.steps, 2), np.int64)
    moves[:, 0] = rng.integers(0, scene.side, (len(labels), 2))
    moves[:, 1 : 1 + each] = scene.speed * first[:, None]
    moves[:, 1 + scene.steps - each :] = scene.speed * second[:, None]
    return moves.cumsum(axis=1)


def _frames(places: NDArray[np.int64], scene: Scene, rng: np.random.Generator) -> NDArray[Any]:
    """Draw a texture per clip at all its places, around the edges: [count, T + 1, H, W]."""
    count, side = len(places), scene.side
    still = np.zeros((count, side, side), np.int8)
    small = (count, scene.texture, scene.texture)
    still[:, : scene.texture, : scene.texture] = rng.integers(0, 2, small)
    grid = np.arange(side)
    rows = (grid - places[..., 0, None]) % side
    columns = (grid - places[..., 1, None]) % side
    which = np.arange(count)[:, None, None, None]
    frames: NDArray[Any] = still[which, rows[..., :, None], columns[..., None, :]]
    return frames


def relevance(pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """Say how relevant classes are to one another: 1 the same, 1/2 with one motion in its place."""
    shared = [[sum(a == b for a, b in zip(p, q, strict=True)) / 2 for q in pairs] for p in pairs]
    return np.array(shared)
