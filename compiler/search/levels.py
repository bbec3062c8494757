"""Fewer levels for the layers that bear them best.

On the network with L levels everywhere, one layer after the other gets half of them.  That adds an
error E = |o' - o|² / |o|² to the outputs o, and saves S events, values that are 0 now.  Layers are
ranked by S / E; the better half of them, then three quarters, then all but those that save nothing,
are what is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.data import Data
from spikec.ir import Array, Editor, Graph, Node, ops
from spikec.ir.edit import copied
from spikec.program import Program
from spikec.runtime import trace

SHARES = (0.25, 0.5, 0.75, 1.0)
SAMPLES = 64
LEVELLED = re.compile(r"(graded|lossless)\{([^{}]*)\}")


@dataclass(frozen=True)
class Saving:
    """What half of the levels of one layer bring."""

    name: str
    events: float
    error: float


def fewer_levels(recipe: str, steps: int, program: Program, data: Data) -> Iterator[str]:
    """Give the recipe with more and more layers of half the levels."""
    match = LEVELLED.fullmatch(recipe)
    if match is None:
        return
    levels, half = _levels(match[1], match[2], steps)
    savings = _savings(program, data.first(SAMPLES), levels, half)
    ranked = sorted((s for s in savings if s.events > 0), key=lambda s: -s.events / s.error)
    before: list[str] = []
    for share in SHARES:
        names = [s.name for s in ranked[: round(share * len(ranked))]]
        if names and names != before:
            at = "+".join(f"{name}:{half}" for name in sorted(names))
            yield f"{match[1]}{{{match[2]},at={at}}}"
        before = names


def _levels(name: str, options: str, steps: int) -> tuple[int, int]:
    """Give the levels of an activation, and half of them as the recipe has them."""
    given = dict(item.split("=") for item in options.split(","))
    if name == "graded":
        n = int(given["n"])
        return (2**n - 1) * steps, (2 ** (n - 1) - 1) * steps
    levels = int(given["levels"])
    return levels, levels // 2


def _savings(program: Program, data: Data, levels: int, half: int) -> list[Saving]:
    """Measure on the analog network with quantisers at the thresholds of the program."""
    graph = _quantised(program, levels)
    inputs = program.inputs(data)
    sites = [node for node in graph if isinstance(node.op, ops.QuantReLU)]
    before, events = _run(graph, inputs, sites)
    power = float(np.square(before).mean()) or 1.0
    found = []
    for node in sites:
        op = node.op
        assert isinstance(op, ops.QuantReLU)
        step = Array(op.step.data * (levels / half), "float32")
        Editor(graph, by="search").change_op(node, replace(op, step=step, levels=half))
        after, fewer = _run(graph, inputs, sites)
        Editor(graph, by="search").change_op(node, op)
        error = float(np.square(after - before).mean()) / power
        found.append(Saving(node.name, events - fewer, max(error, 1e-12)))
    return found


def _quantised(program: Program, levels: int) -> Graph:
    """Put quantisers where the program has neurons, with full scales as calibrated."""
    graph = copied(program.reference)
    edit = Editor(graph, by="search")
    scales = {n.name: _scale(n) for n in program.graph if _scale(n) is not None}
    for node in list(graph):
        scale = scales.get(node.name)
        if scale is not None and isinstance(node.op, ops.ReLU | ops.Clip):
            edit.change_op(node, ops.QuantReLU(Array(scale / levels, "float32"), levels))
    return graph


def _scale(node: Node) -> NDArray[np.float64] | None:
    """Give the largest activation that a neuron can stand for."""
    op = node.op
    if isinstance(op, ops.MultiThreshold):
        return np.asarray(op.quantum.data.astype(np.float64) * op.levels)
    if isinstance(op, ops.BipolarIF):
        amplitude = op.threshold if op.amplitude is None else op.amplitude
        return np.asarray(amplitude.data.astype(np.float64) * op.high)
    return None


def _run(
    graph: Graph,
    inputs: Mapping[str, NDArray[Any]],
    sites: list[Node],
) -> tuple[NDArray[Any], int]:
    """Give the outputs, and the number of values that are not 0."""
    seen = trace(graph, dict(inputs), "layerwise", record=[node.name for node in sites])
    return seen.outputs[0], sum(int(np.count_nonzero(x)) for x in seen.values.values())
