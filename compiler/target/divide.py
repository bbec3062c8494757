"""Divides a layer into blocks that fit a core each: as few as its axes allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from spikec.ir import ops
from spikec.target.axes import Counts
from spikec.target.distinct import axons_per_source
from spikec.target.layers import Connection, Layer
from spikec.target.model import Target
from spikec.target.reach import Grid, Shape, outer


class Resource(Enum):
    """What a core has a limited amount of."""

    NEURONS = "neurons"
    SYNAPSES = "synapses"
    MEMORY = "synapse bits"
    INPUTS = "input axons"
    OUTPUTS = "output axons"


Hits = list[list[Counts]]
"""output axons of each neuron: a sum of products of one vector per axis"""
Demand = Mapping[Resource, Counts]
_BLOCK_SEARCH = 200_000
"""most shapes of blocks that are looked at"""


@dataclass(frozen=True, eq=False)
class Division:
    """A layer in blocks of ``sizes`` (the last ones of an axis may be smaller)."""

    layer: Layer
    sizes: Shape
    demand: Demand
    """per block"""
    pieces: int = 1
    """parts into which the fan-in of each neuron is split"""
    exceeded: tuple[Resource, ...] = ()
    """what a block needs more of than a core has, where layers cannot be divided"""

    @property
    def blocks(self) -> int:
        return len(self.demand[Resource.NEURONS])


def limits_of(target: Target) -> dict[Resource, int]:
    """Give the limits of a core."""
    limits = target.limits
    facts = {
        Resource.NEURONS: limits.neurons_per_core,
        Resource.SYNAPSES: limits.synapses_per_core,
        Resource.MEMORY: limits.synapse_bits_per_core,
        Resource.INPUTS: limits.input_axons_per_core,
        Resource.OUTPUTS: limits.output_axons_per_core,
    }
    return {resource: fact.value for resource, fact in facts.items() if fact is not None}


def divide(layer: Layer, target: Target, readers: list[tuple[Connection, Division]]) -> Division:
    """Choose the fewest blocks that fit; ``readers`` are what this layer feeds.

    A neuron needs one output axon per block that it reaches, and one where the host reads it.
    """
    hits = [_hits(layer, *reader, target) for reader in readers] or [_once(layer)]
    limits = limits_of(target)
    if not target.cores.split_layers.value:
        demand = demand_of(layer, layer.shape, target, hits)
        exceeded = tuple(r for r, most in limits.items() if (demand[r] > most).any())
        return Division(layer, layer.shape, demand, exceeded=exceeded)
    single = _largest(layer, [[1] for _ in layer.shape], target, hits)
    needed = [-(-single[r].max() // most) for r, most in limits.items() if r in _BY_FAN_IN]
    pieces = int(max([1, *needed]))
    fan_in = target.limits.fan_in
    if fan_in is not None:
        pieces = max(pieces, int(-(-layer.fan_in().max(initial=0) // fan_in.value)))
    sizes = _fewest(layer, target, hits, pieces)
    demand = demand_of(layer, sizes, target, hits)
    if pieces > 1:
        demand = _in_pieces(demand, pieces, limits)
    exceeded = tuple(r for r, most in limits.items() if (demand[r] > most).any())
    return Division(layer, sizes, demand, pieces, exceeded)


_BY_FAN_IN = (Resource.SYNAPSES, Resource.MEMORY, Resource.INPUTS)
"""What a single neuron may need too much of, and less of where its fan-in is split."""


def _fewest(layer: Layer, target: Target, hits: Hits, pieces: int) -> Shape:
    """Give the sizes of the fewest blocks; among equals those with the fewest input axons."""
    options = [_candidates(size) for size in layer.shape]
    while np.prod([len(sizes) for sizes in options]) > _BLOCK_SEARCH:
        longest = max(range(len(options)), key=lambda i: len(options[i]))
        options[longest] = [*options[longest][:-1:2], options[longest][-1]]
    demand = _largest(layer, options, target, hits)
    limits = limits_of(target)
    fits = _fits(demand, limits, pieces)
    if not fits.any():  # a single neuron has too many readers: that is told, the rest still fits
        limits.pop(Resource.OUTPUTS, None)
        fits = _fits(demand, limits, pieces)
    numbers = [
        -(-size // np.array(sizes)) for size, sizes in zip(layer.shape, options, strict=True)
    ]
    cost = outer(numbers).astype(np.float64)
    axons = demand[Resource.INPUTS]
    cost += axons / (axons.max(initial=0) + 1)
    cost[~fits] = np.inf
    best = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return tuple(sizes[i] for sizes, i in zip(options, best, strict=True))


def _fits(demand: Demand, limits: Mapping[Resource, int], pieces: int) -> NDArray[np.bool_]:
    fits = np.ones_like(demand[Resource.NEURONS], np.bool_)
    for resource, most in limits.items():
        needed = demand[resource]
        fits &= (-(-needed // pieces) if resource in _BY_FAN_IN else needed) <= most
    return fits


def _candidates(size: int) -> list[int]:
    """Give the sizes of blocks that divide an axis evenly into any number of them."""
    return sorted({-(-size // number) for number in range(1, size + 1)})


def _largest(layer: Layer, options: list[list[int]], target: Target, hits: Hits) -> Demand:
    """Bound what the largest block needs, for each combination of sizes."""
    neurons = outer(np.array(sizes) for sizes in options)
    synapses, inputs, bits = (np.zeros_like(neurons) for _ in range(3))
    for connection in layer.inputs:
        reach = connection.path.reach
        if isinstance(reach, Grid):
            rows = list(zip(reach.axes, options, strict=True))
            needed = outer(
                np.array([_sums(axis.fan_in(), s).max() for s in sizes]) for axis, sizes in rows
            )
            axons = outer(np.array([axis.sources(s).max() for s in sizes]) for axis, sizes in rows)
            needed = needed * reach.beside(lambda axis: int(axis.fan_in()[0]))
            axons = axons * reach.beside(lambda axis: int(axis.sources(1)[0]))
        else:
            needed = neurons * reach.counts.max(initial=0)
            axons = np.minimum(needed, reach.sources)
        synapses += needed
        inputs += axons * axons_per_source(connection, target)
        channels = _channels(connection, options)
        bits += _bits(connection, needed, channels, target)
    outputs = np.zeros_like(neurons)
    for vectors in hits:
        outputs += outer(
            np.array([_sums(vector, s).max() for s in sizes])
            for vector, sizes in zip(vectors, options, strict=True)
        )
    return _demand(layer, target, (neurons, synapses, bits, inputs, outputs))


def _channels(connection: Connection, options: list[list[int]]) -> Counts:
    """Give the channels of a block, for each combination of sizes."""
    kernel = connection.path.kernel
    if kernel is None:
        return np.zeros((), np.int64)
    axis = len(options) + kernel.axis
    shape = [len(sizes) if i == axis else 1 for i, sizes in enumerate(options)]
    return np.array(options[axis]).reshape(shape)


def _bits(connection: Connection, synapses: Counts, channels: Counts, target: Target) -> Counts:
    """Give the memory for weights: of each synapse, or of each channel's kernel once."""
    each = target.cores.bits_per_synapse
    if each is None:
        return np.zeros_like(synapses)
    kernel = connection.path.kernel
    if kernel is None or not target.cores.shared_kernels.value:
        return synapses * each.value
    stored = np.minimum(synapses, channels * kernel.per_channel)
    return np.asarray(stored * each.value)


def demand_of(layer: Layer, sizes: Shape, target: Target, hits: Hits) -> Demand:
    """Give exactly what each block needs (output axons: at most)."""
    lengths = [_sums(np.ones(n, np.int64), s) for n, s in zip(layer.shape, sizes, strict=True)]
    neurons = outer(lengths)
    synapses, inputs, bits = (np.zeros_like(neurons) for _ in range(3))
    for connection in layer.inputs:
        reach = connection.path.reach
        if isinstance(reach, Grid):
            rows = list(zip(reach.axes, sizes, strict=True))
            needed = outer(_sums(axis.fan_in(), s) for axis, s in rows)
            needed = needed * reach.beside(lambda axis: int(axis.fan_in()[0]))
            axons = outer(axis.sources(s) for axis, s in rows)
            axons = axons * reach.beside(lambda axis: int(axis.sources(1)[0]))
        else:
            needed = reach.counts
            for axis, s in enumerate(sizes):
                needed = np.add.reduceat(needed, np.arange(0, needed.shape[axis], s), axis)
            axons = np.minimum(needed, reach.sources)
        synapses += needed
        inputs += axons * axons_per_source(connection, target)
        bits += _bits(connection, needed, _of_blocks(connection, lengths), target)
    outputs = np.zeros_like(neurons)
    for vectors in hits:
        outputs += outer(_sums(vector, s) for vector, s in zip(vectors, sizes, strict=True))
    demand = _demand(layer, target, (neurons, synapses, bits, inputs, outputs))
    return {resource: array.ravel() for resource, array in demand.items()}


def _of_blocks(connection: Connection, lengths: list[Counts]) -> Counts:
    return _channels(connection, [[int(n) for n in length] for length in lengths])


def _demand(layer: Layer, target: Target, counts: tuple[Counts, ...]) -> Demand:
    """Give what blocks need; a neuron of several compartments has a synapse from itself."""
    neurons, synapses, bits, inputs, outputs = counts
    compartments = compartments_of(layer, target)
    if compartments > 1:
        each = target.cores.bits_per_synapse
        back = neurons * (compartments - 1)
        synapses, inputs, outputs = synapses + back, inputs + back, outputs + back
        bits = bits + back * (0 if each is None else each.value)
    return {
        Resource.NEURONS: neurons * compartments,
        Resource.SYNAPSES: synapses,
        Resource.MEMORY: bits,
        Resource.INPUTS: inputs,
        Resource.OUTPUTS: outputs,
    }


def compartments_of(layer: Layer, target: Target) -> int:
    """Give the compartments that one neuron of a layer takes."""
    op = layer.node.op
    if not isinstance(op, ops.IntegrateFire) or type(op) not in target.neurons:
        return 1
    fact = target.neurons[type(op)].compartments.get(op.reset)
    return 1 if fact is None else fact.value


def _in_pieces(demand: Demand, pieces: int, limits: Mapping[Resource, int]) -> Demand:
    """Give each block once per piece of its fan-in, and blocks of neurons that add pieces up."""
    parts: dict[Resource, Counts] = {}
    neurons = int(demand[Resource.NEURONS].sum())
    most = min(
        limits.get(Resource.NEURONS, neurons),
        *(limits[r] // pieces for r in (Resource.SYNAPSES, Resource.INPUTS) if r in limits),
        neurons,
    )
    sums = _sums(np.ones(neurons, np.int64), max(1, most))
    for resource, needed in demand.items():
        split = resource in _BY_FAN_IN
        each = -(-needed // pieces) if split else needed
        added = sums * pieces if resource in (Resource.SYNAPSES, Resource.INPUTS) else sums
        if resource is Resource.MEMORY:
            added = sums * 0
        parts[resource] = np.concatenate([np.repeat(each, pieces), added])
    return parts


def _hits(layer: Layer, connection: Connection, division: Division, target: Target) -> list[Counts]:
    """Give the axons by which each neuron reaches a reader: a product of one vector per axis."""
    reach, each = connection.path.reach, axons_per_source(connection, target)
    if not isinstance(reach, Grid):
        return _once(layer, min(division.blocks, reach.most_out * division.pieces) * each)
    vectors = [
        np.asarray(axis.blocks(s).sum(axis=0))
        for axis, s in zip(reach.axes, division.sizes, strict=True)
    ]
    if [len(vector) for vector in vectors] != list(layer.shape):  # axes were dropped or added
        most = int(np.prod([vector.max(initial=0) for vector in vectors]))
        return _once(layer, most * division.pieces * each)
    return [vectors[0] * division.pieces * each, *vectors[1:]]


def _once(layer: Layer, times: int = 1) -> list[Counts]:
    """Give the same number for each neuron."""
    ones = [np.ones(size, np.int64) for size in layer.shape]
    return [ones[0] * times, *ones[1:]]


def _sums(counts: NDArray[np.int64], size: int) -> Counts:
    """Add up blocks of ``size`` elements."""
    return np.asarray(np.add.reduceat(counts, np.arange(0, len(counts), size)))
