"""Scores of ranked lists; r_i is the relevance of what stands at place i = 1 ... n."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Ranked lists, one per query."""

    relevance: NDArray[np.float64]
    """[queries, n]: r_i"""
    best: NDArray[np.float64]
    """[queries, n]: r_i of the best order that the whole base allows"""


def average_precision(ranking: Ranking) -> NDArray[np.float64]:
    """AP@n = 1/R sum_i P(i) [r_i = 1], R = sum_i [r_i = 1], P(i) = 1/i sum_{j<=i} [r_j = 1].

    0 where nothing of the list is relevant.
    """
    right = ranking.relevance == 1
    places = np.arange(1, right.shape[1] + 1)
    precision = np.cumsum(right, axis=1) / places
    return _ratio((precision * right).sum(axis=1), right.sum(axis=1))


def cumulative_gain(ranking: Ranking) -> NDArray[np.float64]:
    """ACG@n = 1/n sum_i r_i."""
    means: NDArray[np.float64] = ranking.relevance.mean(axis=1)
    return means


def discounted_gain(ranking: Ranking) -> NDArray[np.float64]:
    """NDCG@n = DCG / DCG of the best order, DCG = r_1 + sum_{i=2}^n r_i / log2(i).

    Places 1 and 2 weigh the same.  0 where nothing of the base is relevant.
    """
    return _ratio(_discounted(ranking.relevance), _discounted(ranking.best))


def _discounted(relevance: Numbers) -> Numbers:
    places = np.maximum(np.arange(1, relevance.shape[1] + 1), 2)
    sums: Numbers = (relevance / np.log2(places)).sum(axis=1)
    return sums


def _ratio(of: Numbers, to: Numbers) -> NDArray[np.float64]:
    return np.divide(of, to, out=np.zeros(len(of)), where=to > 0)
