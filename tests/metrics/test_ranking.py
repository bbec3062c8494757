"""Scores of ranked lists, against loops and scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from spikec.errors import DataError
from spikec.metrics import pack, retrieval

RELEVANCE = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1.0]])


def brute_force(ranked: list[float], everything: list[float], k: int) -> tuple[float, float, float]:
    """AP, ACG and NDCG at k of one query, as they are written in papers."""
    top = ranked[:k]
    hits = [i for i, r in enumerate(top, 1) if r == 1]
    precisions = [sum(r == 1 for r in top[:i]) / i for i in hits]

    def gain(items: list[float]) -> float:
        return sum(r if i == 1 else r / math.log2(i) for i, r in enumerate(items, 1))

    best = gain(sorted(everything, reverse=True)[:k])
    return (
        sum(precisions) / len(hits) if hits else 0.0,
        sum(top) / k,
        gain(top) / best if best else 0.0,
    )


def ranked(query: NDArray[np.uint8], base: NDArray[np.uint8]) -> list[int]:
    return sorted(range(len(base)), key=lambda i: (int((base[i] != query).sum()), i))


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 6)),
    share=st.floats(0, 1),
)
def test_scores_equal_loops(seed: int, sizes: tuple[int, int, int], share: float) -> None:
    rng = np.random.default_rng(seed)
    asked, stored, bits = sizes
    k = 1 + int(share * (stored - 1))
    queries, base = (rng.integers(0, 2, (n, bits), np.uint8) for n in (asked, stored))
    asked_labels, stored_labels = rng.integers(0, 3, asked), rng.integers(0, 3, stored)
    found = retrieval(pack(queries), asked_labels, pack(base), stored_labels, k, RELEVANCE)
    scores = []
    for query, label in zip(queries, asked_labels, strict=True):
        everything = [float(RELEVANCE[label, other]) for other in stored_labels]
        scores.append(brute_force([everything[i] for i in ranked(query, base)], everything, k))
    means = np.mean(scores, axis=0)
    assert found.mean_average_precision == pytest.approx(means[0], abs=1e-12)
    assert found.cumulative_gain == pytest.approx(means[1], abs=1e-12)
    assert found.discounted_gain == pytest.approx(means[2], abs=1e-12)


def test_precision_over_the_whole_base_is_scikit_learns() -> None:
    """Codes 0, 1, 11, 111, ... : no two are equally far from the empty one."""
    rng = np.random.default_rng(0)
    base = np.tril(np.ones((60, 60), np.uint8))[rng.permutation(60)]
    labels = rng.integers(0, 3, 60)
    for asked in range(3):
        found = retrieval(pack(np.zeros((1, 60), np.uint8)), [asked], pack(base), labels, 60)
        expected = average_precision_score(labels == asked, -base.sum(axis=1).astype(float))
        assert found.mean_average_precision == pytest.approx(expected, abs=1e-12)


def test_a_perfect_order_scores_one() -> None:
    codes = np.repeat(np.eye(4, dtype=np.uint8), 5, axis=0)
    labels = np.repeat(np.arange(4), 5)
    found = retrieval(pack(codes), labels, pack(codes), labels, 5)
    assert (found.mean_average_precision, found.cumulative_gain, found.discounted_gain) == (1, 1, 1)


@pytest.mark.parametrize("numbers", [(0, 1, 2), (7, 10**6, 3), (2**62, 0, 2**63 - 1)])
@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_classes_may_have_any_numbers(numbers: tuple[int, ...], kind: type) -> None:
    """Without a table, which would be of as many classes as the largest number."""
    rng = np.random.default_rng(1)
    codes = [pack(rng.integers(0, 2, (n, 5), np.uint8)) for n in (9, 40)]
    asked, stored = rng.integers(0, 3, 9), rng.integers(0, 2, 40)  # one class is asked for in vain
    expected = retrieval(codes[0], asked, codes[1], stored, 30, np.eye(3))
    named: NDArray[Any] = np.array(numbers, kind)
    assert retrieval(codes[0], named[asked], codes[1], named[stored], 30) == expected


def test_large_classes_are_told_apart() -> None:
    """They differ by less than a float tells."""
    codes = pack(np.zeros((2, 3), np.uint8))
    high, signed = np.array([2**63, 2**63 + 1], np.uint64), np.array([2**60, 2**60 + 1])
    for asked, stored in ((high, high), (signed, signed.astype(np.uint64))):
        found = retrieval(codes, asked, codes, stored, 1)  # both find the first of the base
        assert found.mean_average_precision == found.cumulative_gain == 0.5


CODES = pack(np.eye(3, dtype=np.uint8))


@pytest.mark.parametrize(
    ("labels", "relevance", "message"),
    [
        ([0, 1], None, "one whole number per code"),
        ([0.0, 1.0, 2.0], None, "one whole number per code"),
        ([0, 1, -1], None, "classes from 0 on"),
        (np.array([0, 1, 2**63], np.uint64), np.eye(3), "at least 9223372036854775809 classes"),
        ([0, 1, [2]], None, "base labels cannot be read as an array"),
        (torch.tensor([0.0, 1.0, 2.0], requires_grad=True), None, "base labels cannot be read"),
        ([0, 1, 2], [[1, 0, 0], [0, 1]], "relevance cannot be read as an array"),
        ([0, 1, 2], np.eye(2), "at least 3 classes"),
        ([0, 1, 2], np.eye(3)[:2], "at least 3 classes"),
        ([0, 1, 2], 2 * np.eye(3), "not between 0 and 1"),
        ([0, 1, 2], np.full((3, 3), np.nan), "not between 0 and 1"),
    ],
)
def test_bad_labels_and_relevances(labels: Any, relevance: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        retrieval(CODES, [0, 1, 2], CODES, labels, 1, relevance)


def test_no_query_has_no_score() -> None:
    with pytest.raises(DataError, match="there is no query"):
        retrieval(pack(np.zeros((0, 3), np.uint8)), np.zeros(0, int), CODES, [0, 1, 2], 1)
