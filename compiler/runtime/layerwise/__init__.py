"""The fast engine: layer-major over all steps of a block of samples, with torch kernels.

Each node runs once per block, on arrays that hold all T steps; static values are computed once.
Results equal the reference's bit for bit, except that convolutions and matrix products sum in
another order (which changes nothing where the sums are exact, as on integers or dyadic weights).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikec.ir.graph import Graph, Value
from spikec.runtime.feed import Feed
from spikec.runtime.layerwise.engine import Block, Setting
from spikec.runtime.layerwise.integers import integer_nodes
from spikec.runtime.layerwise.kernels import Constants, tensor_of
from spikec.runtime.layerwise.observe import EventCounts, Recorder
from spikec.runtime.layerwise.plan import Plan, plan

__all__ = ["EventCounts", "Progress", "Simulation", "execute", "simulate"]

Numbers = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with the number of finished parts of the work, and of all parts."""


@dataclass(frozen=True)
class Simulation:
    """What a simulation has shown."""

    values: dict[str, Numbers]
    """wanted values by name"""
    events: dict[str, EventCounts]
    """counts of events by name, where they were asked for"""


def execute(graph: Graph, feed: Feed, wanted: frozenset[str]) -> dict[str, Numbers]:
    """Compute all values; give those whose names are wanted."""
    return simulate(graph, feed, wanted).values


def simulate(
    graph: Graph,
    feed: Feed,
    wanted: frozenset[str],
    *,
    counted: frozenset[str] = frozenset(),
    memory: int | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Run a graph; give the wanted values, and how many events there were in ``counted`` ones.

    ``memory`` bounds the bytes of intermediate values: the batch is cut into blocks, and time too
    where one sample needs more.  What is wanted, and the weights, come on top.  No cut changes a
    result.
    """
    chosen = plan(graph, feed, wanted, memory)
    values: dict[str, Numbers] = {}
    by_name = {value.name: value for node in graph for value in node.outputs}
    starts = range(0, feed.sizes.batch, chosen.samples)
    setting = Setting(
        chosen,
        feed,
        wanted,
        Constants(feed.dtype),
        Recorder(graph, feed, counted),
        integer_nodes(graph, feed),
        _counter(chosen, len(starts), feed, progress),
    )
    with torch.inference_mode(), np.errstate(all="ignore"):
        for start in starts:
            samples = min(chosen.samples, feed.sizes.batch - start)
            block = Block(setting, _inputs(graph, feed, start, samples), start, samples)
            for name, x in block.run().items():
                _put(values, by_name[name], x, start, feed)
    return Simulation(values, setting.recorder.counts)


def _counter(
    chosen: Plan, blocks: int, feed: Feed, progress: Progress | None
) -> Callable[[], None]:
    spans = -(-feed.sizes.steps // chosen.steps)
    per_block = sum(len(p.nodes) * (spans if p.steps_through else 1) for p in chosen.phases)
    total, finished = blocks * per_block, 0

    def done() -> None:
        nonlocal finished
        finished += 1
        if progress is not None:
            progress(finished, total)

    return done


def _inputs(graph: Graph, feed: Feed, start: int, samples: int) -> dict[str, Tensor]:
    """Cut the samples of a block out of the inputs."""
    return {
        node.name: tensor_of(
            np.ascontiguousarray(
                _samples(feed.arrays[node.name], node.outputs[0], feed, start, samples)
            ).reshape(node.outputs[0].type.shape(type(feed.sizes)(samples, feed.sizes.steps)))
        )
        for node in graph.inputs
    }


def _put(values: dict[str, Numbers], value: Value, x: Tensor, start: int, feed: Feed) -> None:
    """Put the block of a wanted value where it belongs."""
    if value.type.batch_axis is None or x.shape == value.type.shape(feed.sizes):
        values.setdefault(value.name, np.asarray(x.numpy(), order="C"))
        return
    if value.name not in values:
        dtype = feed.element_type(value.type.dtype)
        values[value.name] = np.empty(value.type.shape(feed.sizes), dtype)
    samples = (
        x.shape[value.type.batch_axis]
        * feed.sizes.batch
        // values[value.name].shape[value.type.batch_axis]
    )
    part = _samples(values[value.name], value, feed, start, samples)
    part[...] = x.numpy().reshape(part.shape)


def _samples(array: Numbers, value: Value, feed: Feed, start: int, samples: int) -> Numbers:
    """Give a view of some samples, with time on an axis of its own in front of the batch's."""
    axis = value.type.batch_axis
    if axis is None or samples == feed.sizes.batch:
        return array
    at = array.ndim + axis
    outer = int(feed.sizes.steps * value.type.rate) if value.type.time_axis == axis else 1
    inner = array.shape[at] // outer // feed.sizes.batch
    view = array.reshape(*array.shape[:at], outer, feed.sizes.batch, inner, *array.shape[at + 1 :])
    return view[(*(slice(None),) * (at + 1), slice(start, start + samples))]
