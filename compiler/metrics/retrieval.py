"""How well codes find what belongs together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikec.errors import DataError
from spikec.metrics.codes import Codes
from spikec.metrics.ranking import Ranking, average_precision, cumulative_gain, discounted_gain
from spikec.metrics.search import search


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
    table = _table(relevance, 1 + int(max(asked.max(), stored.max())))
    ranking = Ranking(table[asked[:, None], stored[found.index]], _best(table, stored, k)[asked])
    return Retrieval(
        int(k),
        float(average_precision(ranking).mean()),
        float(cumulative_gain(ranking).mean()),
        float(discounted_gain(ranking).mean()),
    )


def _labels(labels: ArrayLike, codes: Codes, whose: str) -> NDArray[np.int64]:
    array = np.asarray(labels)
    if array.shape != (len(codes),) or array.dtype.kind not in "iu":
        raise DataError(
            f"{whose} labels {list(array.shape)} of {array.dtype} for {len(codes)} codes",
            expected="one whole number per code",
        )
    if array.size and array.min() < 0:
        raise DataError(f"a {whose} label is {array.min()}", expected="classes from 0 on")
    return array.astype(np.int64)


def _table(relevance: ArrayLike | None, classes: int) -> NDArray[np.float64]:
    if relevance is None:
        return np.eye(classes)
    table: NDArray[Any] = np.asarray(relevance)
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
