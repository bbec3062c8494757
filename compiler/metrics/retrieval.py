"""How well codes find what belongs together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikec.errors import DataError
from spikec.metrics.arrays import read_array
from spikec.metrics.codes import Codes
from spikec.metrics.ranking import Ranking, average_precision, cumulative_gain, discounted_gain
from spikec.metrics.search import Found, search

Labels = NDArray[np.uint64]


@dataclass(frozen=True)
class Retrieval:
    """Means over all queries."""

    k: int
    mean_average_precision: float
    """mAP@k"""
    cumulative_gain: float
    """ACG@k"""
    discounted_gain: float
    """NDCG@k"""


def retrieval(
    queries: Codes,
    query_labels: ArrayLike,
    base: Codes,
    base_labels: ArrayLike,
    k: int,
    relevance: ArrayLike | None = None,
) -> Retrieval:
    """Search the base for each query and score the k nearest.

    ``relevance`` [classes, classes] says how relevant a class is to another: 1 the same, 1/2 a
    similar one, 0 any other (the default: 1 on the diagonal, else 0).  Equally near codes are
    ranked in the order of the base.
    """
    found = search(queries, base, k)
    asked, stored = _labels(query_labels, queries, "query"), _labels(base_labels, base, "base")
    if not len(asked):
        raise DataError("there is no query", expected="at least one")
    if relevance is None:
        ranking = _by_class(asked, stored, found)
    else:
        table = _table(relevance, 1 + int(max(asked.max(), stored.max())))
        rows, columns = asked.astype(np.int64), stored.astype(np.int64)
        relevant = table[rows[:, None], columns[found.index]]
        ranking = Ranking(relevant, _best(table, columns, k)[rows])
    return Retrieval(
        int(k),
        float(average_precision(ranking).mean()),
        float(cumulative_gain(ranking).mean()),
        float(discounted_gain(ranking).mean()),
    )


def _by_class(asked: Labels, stored: Labels, found: Found) -> Ranking:
    """Rank by 1 for the same class, else 0, without a table: classes may be any numbers."""
    ordered, k = np.sort(stored), found.index.shape[1]
    first, behind = (np.searchsorted(ordered, asked, side) for side in ("left", "right"))
    right = asked[:, None] == stored[found.index]
    best = np.arange(k) < (behind - first)[:, None]
    return Ranking(right.astype(np.float64), best.astype(np.float64))


def _labels(labels: ArrayLike, codes: Codes, whose: str) -> Labels:
    array = read_array(labels, f"{whose} labels")
    if array.shape != (len(codes),) or array.dtype.kind not in "iu":
        raise DataError(
            f"{whose} labels {list(array.shape)} of {array.dtype} for {len(codes)} codes",
            expected="one whole number per code",
        )
    if array.size and array.min() < 0:
        raise DataError(f"a {whose} label is {array.min()}", expected="classes from 0 on")
    return array.astype(np.uint64)


def _table(relevance: ArrayLike, classes: int) -> NDArray[np.float64]:
    table = read_array(relevance, "relevance")
    square = table.ndim == 2 and table.shape[0] == table.shape[1] >= classes
    if not square or table.dtype.kind not in "biuf":
        raise DataError(
            f"relevance {list(table.shape)} of {table.dtype}",
            expected=f"numbers [classes, classes], at least {classes} classes",
        )
    if not ((table >= 0) & (table <= 1)).all():
        raise DataError("a relevance is not between 0 and 1", expected="1: the same class")
    return table.astype(np.float64)


def _best(table: NDArray[np.float64], labels: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Give, for each class of a query, the k largest relevances of the base: [classes, k]."""
    sizes = np.bincount(labels, minlength=len(table))
    order = np.argsort(-table, axis=1, kind="stable")
    ends = np.cumsum(sizes[order], axis=1)
    place = np.array([np.searchsorted(row, np.arange(k), side="right") for row in ends])
    return np.take_along_axis(np.take_along_axis(table, order, axis=1), place, axis=1)
