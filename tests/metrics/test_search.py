"""Packed codes and Hamming search, against brute force over single bits."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikec.errors import DataError, UsageError
from spikec.metrics import Codes, Found, distances, pack, search
from spikec.runtime import compiled

Bits = NDArray[np.uint8]
ENGINES = pytest.mark.parametrize("native", ["1", "0"], ids=["compiled", "plain"])


def drawn(seed: int, count: int, bits: int, kinds: int = 0) -> Bits:
    """Random codes; with ``kinds``, so many different ones, so that distances tie."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, (kinds or count, bits), np.uint8)
    return codes[rng.integers(0, kinds, count)] if kinds else codes


def brute_force(queries: Bits, base: Bits, k: int) -> Found:
    counts = (queries[:, None, :] != base[None, :, :]).sum(axis=2)
    index = np.array([sorted(range(len(base)), key=lambda i: (row[i], i))[:k] for row in counts])
    return Found(index, np.take_along_axis(counts, index, axis=1).astype(np.int32))


def test_the_metrics_load_no_framework() -> None:
    code = "import sys, spikec.metrics; assert not {'torch', 'onnx', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("bits", [1, 7, 8, 63, 64, 65, 128, 200])
def test_codes_survive_packing(bits: int) -> None:
    codes = drawn(bits, 5, bits)
    packed = pack(codes)
    assert packed.words.shape == (5, -(-bits // 64))
    np.testing.assert_array_equal(packed.unpack(), codes)
    np.testing.assert_array_equal(pack(codes.astype(bool)).words, packed.words)


@ENGINES
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 70), st.integers(1, 90), st.integers(1, 140)),
    kinds=st.sampled_from([0, 1, 3]),
    share=st.floats(0, 1),
)
def test_search_equals_brute_force(
    native: str, seed: int, sizes: tuple[int, int, int], kinds: int, share: float
) -> None:
    queries, base = drawn(seed, sizes[0], sizes[2]), drawn(seed + 1, sizes[1], sizes[2], kinds)
    k = 1 + int(share * (sizes[1] - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(compiled.SWITCH, native)
        found = search(pack(queries), pack(base), k)
    expected = brute_force(queries, base, k)
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.distance, expected.distance)


@ENGINES
@pytest.mark.parametrize("order", [1, -1])
def test_a_base_in_order_of_distance(
    native: str, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst order for a bound: each code is nearer than all before it."""
    monkeypatch.setenv(compiled.SWITCH, native)
    base = np.tril(np.ones((400, 400), np.uint8))[::order].repeat(7, axis=0)
    query = np.zeros((1, 400), np.uint8)
    found, expected = search(pack(query), pack(base), 9), brute_force(query, base, 9)
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.distance, expected.distance)


@ENGINES
def test_a_large_base(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks of queries and of the base."""
    monkeypatch.setenv(compiled.SWITCH, native)
    queries, base = pack(drawn(0, 130, 64)), pack(drawn(1, 40_000, 64))
    found = search(queries, base, 100)
    everything = distances(queries, base)
    order = np.argsort(everything, axis=1, kind="stable")[:, :100]
    np.testing.assert_array_equal(found.index, order)
    np.testing.assert_array_equal(found.distance, np.take_along_axis(everything, order, axis=1))


STRIDES = (np.s_[::2], np.s_[1::3], np.s_[::-1])


@ENGINES
@pytest.mark.parametrize("bits", [64, 130])
@pytest.mark.parametrize("rows", STRIDES, ids=["even", "third", "backwards"])
def test_codes_that_lie_apart(
    native: str, bits: int, rows: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(compiled.SWITCH, native)
    queries, base = drawn(0, 90, bits), drawn(1, 120, bits)
    apart = [Codes(pack(codes).words[rows], bits) for codes in (queries, base)]
    expected = brute_force(queries[rows], base[rows], 7)
    for asked, stored in (apart, [pack(queries[rows]), apart[1]], [apart[0], pack(base[rows])]):
        found = search(asked, stored, 7)
        np.testing.assert_array_equal(found.index, expected.index)
        np.testing.assert_array_equal(found.distance, expected.distance)


def test_codes_in_columns() -> None:
    codes = drawn(0, 9, 130)
    packed = pack(np.asfortranarray(codes))
    np.testing.assert_array_equal(packed.unpack(), codes)
    columns = Codes(np.asfortranarray(packed.words), 130)
    np.testing.assert_array_equal(columns.unpack(), codes)


def test_contiguous_codes_are_not_copied() -> None:
    words = pack(drawn(0, 9, 130)).words
    assert Codes(words, 130).words is words


def test_no_query_finds_nothing() -> None:
    base = pack(drawn(0, 4, 12))
    assert search(pack(np.zeros((0, 12), np.uint8)), base, 3).index.shape == (0, 3)


def test_bits_are_counted_without_numpy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, base = drawn(0, 6, 70), drawn(1, 9, 70)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    expected = (queries[:, None] != base[None]).sum(axis=2)
    np.testing.assert_array_equal(distances(pack(queries), pack(base)), expected)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros(4, np.uint8), "at least one bit"),
        (np.zeros((3, 0), np.uint8), "at least one bit"),
        (np.full((2, 3), 2), "something else than bits"),
        (np.array([[-1, 1]]), "give codes > 0"),
        (np.array([[np.nan, 1]]), "something else than bits"),
        (np.array([["a"]]), "something else than bits"),
    ],
)
def test_what_is_no_code_is_refused(codes: NDArray[np.generic], message: str) -> None:
    with pytest.raises(DataError, match=message):
        pack(codes)


@pytest.mark.parametrize(
    "codes", [[[0, 1], [1]], torch.zeros(2, 3, requires_grad=True)], ids=["ragged", "gradient"]
)
def test_what_is_no_array_is_refused(codes: Any) -> None:
    with pytest.raises(DataError, match="codes cannot be read as an array"):
        pack(codes)


def test_lengths_must_agree() -> None:
    with pytest.raises(DataError, match="queries have 8 bits, the base has 9"):
        search(pack(drawn(0, 2, 8)), pack(drawn(0, 2, 9)), 1)


@pytest.mark.parametrize("k", [0, -1, 6, 1.5, True])
def test_k_must_fit_the_base(k: int) -> None:
    codes = pack(drawn(0, 5, 8))
    with pytest.raises(UsageError, match="1 to 5, the size of the base"):
        search(codes, codes, k)


def test_an_empty_base_is_refused() -> None:
    with pytest.raises(DataError, match="the base holds no code"):
        search(pack(drawn(0, 2, 8)), pack(np.zeros((0, 8), np.uint8)), 1)
