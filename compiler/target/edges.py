"""Connections written out: one edge per synapse, as arrays of targets, sources and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Edges:
    """y[target] += weight · x[source]; elements are counted in row-major order of one sample."""

    target: Indices
    source: Indices
    weight: Numbers
    targets: int
    """number of elements of y"""
    sources: int
    """number of elements of x"""

    def __len__(self) -> int:
        return len(self.weight)

    @staticmethod
    def same(size: int) -> Edges:
        """Connect one to one."""
        index = np.arange(size, dtype=np.int64)
        return Edges(index, index, np.ones(size), size, size)

    @staticmethod
    def moved(origin: Indices, sources: int) -> Edges:
        """Give y[i] = x[origin[i]], and 0 where ``origin`` is -1."""
        flat = np.asarray(origin, np.int64).ravel()
        (target,) = np.nonzero(flat >= 0)
        return Edges(target, flat[target], np.ones(len(target)), len(flat), sources)

    def scaled(self, factor: NDArray[np.float64] | float) -> Edges:
        """Multiply y by one number, or by one per element."""
        each = np.broadcast_to(np.asarray(factor, np.float64), (self.targets,))
        return Edges(
            self.target, self.source, self.weight * each[self.target], self.targets, self.sources
        )

    def behind(self, inner: Edges) -> Edges:
        """Give y as a sum over the sources of x, where ``inner`` makes x of them."""
        order = np.argsort(inner.target, kind="stable")
        count = np.bincount(inner.target, minlength=inner.targets)
        first = np.cumsum(count) - count
        each = count[self.source]
        start = np.repeat(first[self.source], each)
        within = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        met = order[start + within]
        weight = np.repeat(self.weight, each) * inner.weight[met]
        joined = Edges(
            np.repeat(self.target, each), inner.source[met], weight, self.targets, inner.sources
        )
        single = bool((count <= 1).all())  # sources of one target stay apart, unless they were not
        return joined if single else joined.merged()

    def plus(self, other: Edges) -> Edges:
        """Add what others bring to the same targets from the same sources."""
        return Edges(
            np.concatenate([self.target, other.target]),
            np.concatenate([self.source, other.source]),
            np.concatenate([self.weight, other.weight]),
            self.targets,
            self.sources,
        ).merged()

    def merged(self) -> Edges:
        """Put edges between the same two elements into one, and drop those of weight 0."""
        key, index = np.unique(self.target * self.sources + self.source, return_inverse=True)
        weight = np.bincount(index, self.weight, len(key))
        kept = weight != 0
        key, weight = key[kept], weight[kept]
        return Edges(key // self.sources, key % self.sources, weight, self.targets, self.sources)

    def apply(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give y for one x, or for any array of them: elements on the last axis."""
        rows = x.reshape(-1, self.sources)
        y = np.stack(
            [np.bincount(self.target, self.weight * row[self.source], self.targets) for row in rows]
        )
        return np.asarray(y.reshape(*x.shape[:-1], self.targets), np.float64)
