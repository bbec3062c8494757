"""Queries per second of Hamming search in a million codes, beside faiss's binary flat index.

    python -m benchmarks.search [--codes 1000000] [--bits 64] [--queries 512] [--k 100]

Both search exhaustively, with as many threads as asked for, and are timed in turns; medians are
shown.  The distances found are compared first.  faiss is measured where it can be imported
(``pip install faiss-cpu``); spikec does not need it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from spikec.metrics import Codes, pack, search
from spikec.runtime.compiled import SWITCH

Search = Callable[[], Any]


def faiss_search(queries: Codes, base: Codes, k: int, threads: int) -> Search:
    """Build the index, and give what searches it; only the search is timed."""
    faiss: Any = importlib.import_module("faiss")
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexBinaryFlat(64 * base.words.shape[1])
    index.add(base.words.view(np.uint8))
    asked = queries.words.view(np.uint8)
    return lambda: index.search(asked, k)[0]


def plain_search(queries: Codes, base: Codes, k: int) -> Search:
    """Search without compiled code."""

    def run() -> Any:
        os.environ[SWITCH] = "0"
        try:
            return search(queries, base, k).distance
        finally:
            del os.environ[SWITCH]

    return run


def main() -> None:
    """Print one line per engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codes", type=int, default=1_000_000)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--queries", type=int, default=512)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    rng = np.random.default_rng(0)
    base, queries = (
        pack(rng.integers(0, 2, (count, options.bits), np.uint8))
        for count in (options.codes, options.queries)
    )
    few = Codes(queries.words[:16], queries.bits)
    engines: dict[str, tuple[Codes, Search]] = {
        "spikec": (queries, lambda: search(queries, base, options.k).distance),
        "spikec, nothing compiled": (few, plain_search(few, base, options.k)),
    }
    if importlib.util.find_spec("faiss"):
        engines["faiss IndexBinaryFlat"] = (
            queries,
            faiss_search(queries, base, options.k, options.threads),
        )
    expected = engines["spikec"][1]()
    for name, (asked, run) in engines.items():
        if not np.array_equal(run(), expected[: len(asked)]):
            raise SystemExit(f"{name} finds other distances")
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(options.repeats):
        for name, (_, run) in engines.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: len(engines[name][0]) / statistics.median(s) for name, s in seconds.items()}
    if options.json:
        print(json.dumps(rates, indent=1))
    else:
        for name, rate in rates.items():
            print(f"| {name} | {rate:,.0f} | {rate / rates['spikec']:.3f} |")


if __name__ == "__main__":
    main()
