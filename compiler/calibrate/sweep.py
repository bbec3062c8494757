"""Runs a graph over calibration data, block by block, and keeps statistics of chosen values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from numpy.typing import NDArray

from spikec.calibrate.histogram import Histogram, Range, rows_of
from spikec.errors import DataError, Problem
from spikec.ir import Graph, Value
from spikec.runtime import trace

Inputs = Mapping[str, NDArray[Any]]
Key = TypeVar("Key")
Parts = Iterable[Mapping[Key, NDArray[Any]]]
"""[channels, samples] of several values, of one block of samples after another"""
BLOCK = 128
"""Samples that run together; results of a sample do not depend on its block."""


def blocks(inputs: Inputs, size: int = BLOCK) -> Iterator[dict[str, NDArray[Any]]]:
    """Cut samples into blocks."""
    count = len(next(iter(inputs.values())))
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in inputs.items()}


def ranges_of(parts: Parts[Key]) -> dict[Key, Range]:
    """First sweep: the range of each value; ranges of several workers merge with ``|``."""
    found: dict[Key, Range] = {}
    for rows in parts:
        for key, row in rows.items():
            seen = Range.of(row)
            found[key] = found[key] | seen if key in found else seen
    return found


def counts_of(parts: Parts[Key], ranges: Mapping[Key, Range]) -> dict[Key, Histogram]:
    """Second sweep: counts over fixed ranges; histograms of several workers merge with ``+``."""
    found = {key: Histogram.empty(range_) for key, range_ in ranges.items()}
    for rows in parts:
        for key, row in rows.items():
            found[key] = found[key].add(row)
    return found


def histograms(parts: Callable[[], Parts[Key]]) -> dict[Key, Histogram]:
    """Sweep twice; ``parts`` gives the same values each time."""
    return counts_of(parts(), ranges_of(parts()))


def observe(
    graph: Graph, inputs: Inputs, axes: Mapping[Value, int], *, counted: bool = True
) -> dict[Value, Histogram]:
    """Give a histogram per channel for each value, whose channel axis ``axes`` names.

    Unless ``counted`` there is one sweep, and only the ranges of the histograms are filled in.
    """
    ranges = ranges_of(rows_in(graph, inputs, axes))
    check_finite(ranges)
    return counts_of(rows_in(graph, inputs, axes) if counted else (), ranges)


def rows_in(
    graph: Graph, inputs: Inputs, axes: Mapping[Value, int]
) -> Iterator[dict[Value, NDArray[Any]]]:
    """Give [channels, samples] of the values, block after block."""
    names = {value.name for value in axes}
    for block in blocks(inputs):
        seen = trace(graph, block, "layerwise", record=names).values
        yield {value: rows_of(seen[value.name], axis) for value, axis in axes.items()}


def check_finite(ranges: Mapping[Value, Range]) -> None:
    """Refuse values of which no statistics can be made, all at once."""
    problems = [
        Problem("values that are NaN or infinite", value.producer.place)
        for value, range_ in ranges.items()
        if not range_.is_finite
    ]
    if problems:
        raise DataError(
            "on the calibration data the network leaves the range of float32",
            remedy="check the preprocessing (scale, mean, std) and the weights",
            problems=problems,
        )
