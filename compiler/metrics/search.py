"""Nearest codes by Hamming distance, d(a, b) = popcount(a XOR b)."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import DataError, UsageError
from spikec.metrics.codes import WORD, Codes
from spikec.runtime.compiled import BuildError, build, wanted

SOURCE = resources.files(__package__).joinpath("hamming.c")
QUERIES = 64
"""queries that share one pass over the base"""
CELLS = 1 << 22
"""distances that are held at a time"""
logger = logging.getLogger("spikec.metrics")


@dataclass(frozen=True, eq=False)
class Found:
    """The nearest codes of each query; among equally near ones, the first of the base."""

    index: NDArray[np.int64]
    """[queries, k], into the base"""
    distance: NDArray[np.int32]
    """[queries, k], ascending"""


def distances(queries: Codes, base: Codes) -> NDArray[np.int32]:
    """Give all distances, [queries, base]."""
    _check_lengths(queries, base)
    blocks = [_block(rows, base) for rows in _blocks(queries, max(1, CELLS // max(1, len(base))))]
    return np.concatenate(blocks) if blocks else np.zeros((0, len(base)), np.int32)


def search(queries: Codes, base: Codes, k: int) -> Found:
    """Give the k nearest codes of the base to each query, by exhaustive search.

    Compiled code is used where there is a compiler, with the same result without.
    """
    _check_lengths(queries, base)
    if not len(base):
        raise DataError("the base holds no code", expected="at least one")
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= len(base):
        raise UsageError(f"k is {k!r}", expected=f"1 to {len(base)}, the size of the base")
    nearest = _compiled()
    size = QUERIES if nearest else max(1, CELLS // len(base))
    blocks = list(_blocks(queries, size))
    if nearest:
        with ThreadPoolExecutor(_processors()) as pool:  # compiled code releases the lock
            parts = list(pool.map(lambda rows: _nearest(nearest, rows, base, int(k)), blocks))
    else:
        parts = [_plain(rows, base, int(k)) for rows in blocks]
    parts = parts or [Found(np.zeros((0, k), np.int64), np.zeros((0, k), np.int32))]
    return Found(
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.distance for part in parts]),
    )


def _check_lengths(queries: Codes, base: Codes) -> None:
    if queries.bits != base.bits:
        raise DataError(
            f"queries have {queries.bits} bits, the base has {base.bits}",
            expected="codes of one length",
        )


def _blocks(codes: Codes, size: int) -> Iterator[Codes]:
    for first in range(0, len(codes), size):
        yield Codes(codes.words[first : first + size], codes.bits)


def _block(queries: Codes, base: Codes) -> NDArray[np.int32]:
    """Give [queries, base], one word at a time."""
    total = np.zeros((len(queries), len(base)), np.int32)
    for word in range(queries.words.shape[1]):
        total += _ones(queries.words[:, word, None] ^ base.words[None, :, word])
    return total


def _ones(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Count the bits that are set; NumPy 1 has no function for it."""
    counts: NDArray[np.uint8]
    if hasattr(np, "bitwise_count"):
        counts = np.bitwise_count(words)
        return counts
    octets = _table()[np.ascontiguousarray(words).view(np.uint8)]
    counts = octets.reshape(*words.shape, WORD // 8).sum(axis=-1, dtype=np.uint8)
    return counts


@functools.cache
def _table() -> NDArray[np.uint8]:
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    sums: NDArray[np.uint8] = bits.sum(axis=1, dtype=np.uint8)
    return sums


def _sorted(index: NDArray[np.int64], distance: NDArray[np.int32]) -> Found:
    """Order codes, which stand in the order of the base, by distance."""
    order = np.argsort(distance, axis=1, kind="stable")
    return Found(
        np.take_along_axis(index, order, axis=1), np.take_along_axis(distance, order, axis=1)
    )


def _plain(queries: Codes, base: Codes, k: int) -> Found:
    """Keep what is nearer than the k-th distance, and as many at that distance as still fit."""
    found = _block(queries, base)
    last = np.partition(found, k - 1, axis=1)[:, k - 1, None]
    nearer, ties = found < last, found == last
    ties &= np.cumsum(ties, axis=1) <= k - nearer.sum(axis=1, keepdims=True)
    rows, columns = np.nonzero(nearer | ties)
    index = columns.reshape(len(queries), k)
    return _sorted(index, found[rows, columns].reshape(len(queries), k))


def _nearest(nearest: Any, queries: Codes, base: Codes, k: int) -> Found:
    """Let the compiled code find them."""
    count, room, most = len(queries), 4 * k, WORD * queries.words.shape[1]
    index = np.zeros((count, room), np.int64)
    distance = np.zeros((count, room), np.int32)
    within = np.zeros((count, most + 1), np.int64)
    state = np.zeros((count, 3), np.int64)
    nearest(
        *(_address(base.words), len(base), _address(queries.words), count),
        *(base.words.shape[1], most),
        *(k, room, _address(index), _address(distance), _address(within), _address(state)),
    )
    return _sorted(index[:, :k], distance[:, :k])


def _address(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@functools.cache
def _loaded() -> Any:
    try:
        function = ctypes.CDLL(str(build(SOURCE))).spikec_nearest
    except (BuildError, OSError) as error:
        logger.warning("codes are searched without compiled code, more slowly: %s", error)
        return None
    whole, pointer = ctypes.c_int64, ctypes.c_void_p
    function.argtypes = [pointer, whole, pointer, *(whole,) * 5, *(pointer,) * 4]
    function.restype = None
    return function


def _compiled() -> Any:
    return _loaded() if wanted() else None


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
