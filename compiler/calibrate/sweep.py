"""Runs a graph over calibration data, block by block, and keeps statistics of chosen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from spikec.calibrate.histogram import Histogram, Range, rows_of
from spikec.ir import Graph, Value
from spikec.runtime import trace

Inputs = Mapping[str, NDArray[Any]]
BLOCK = 128
"""Samples that run together; results of a sample do not depend on its block."""


def blocks(inputs: Inputs, size: int = BLOCK) -> Iterator[dict[str, NDArray[Any]]]:
    """Cut samples into blocks."""
    count = len(next(iter(inputs.values())))
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in inputs.items()}


def observe(
    graph: Graph, inputs: Inputs, axes: Mapping[Value, int], engine: str = "layerwise"
) -> dict[Value, Histogram]:
    """Give a histogram per channel for each value, whose channel axis ``axes`` names.

    Two sweeps: the first fixes the ranges, the second counts.
    """
    ranges: dict[Value, Range] = {}
    for rows in _sweep(graph, inputs, axes, engine):
        for value, row in rows.items():
            seen = Range.of(row)
            ranges[value] = ranges[value] | seen if value in ranges else seen
    found = {value: Histogram.empty(range_) for value, range_ in ranges.items()}
    for rows in _sweep(graph, inputs, axes, engine):
        for value, row in rows.items():
            found[value] = found[value].add(row)
    return found


def _sweep(
    graph: Graph, inputs: Inputs, axes: Mapping[Value, int], engine: str
) -> Iterator[dict[Value, NDArray[Any]]]:
    names = {value.name for value in axes}
    for block in blocks(inputs):
        seen = trace(graph, block, engine, record=names).values
        yield {value: rows_of(seen[value.name], axis) for value, axis in axes.items()}
