"""How many messages go from core to core in one step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spikec.target.divide import Division
from spikec.target.packing import Packing
from spikec.target.reach import Grid, Reach, Shape

Numbers = NDArray[np.float64]
Events = Mapping[str, NDArray[np.float64]]
"""mean number of events per step of each neuron, by layer"""


def traffic_of(packing: Packing, events: Events | None = None) -> Numbers:
    """Give the messages per step between cores: [from, to].

    An event is one message to each block that it reaches.  Without measured events every neuron
    counts as if it sent one in each step.
    """
    total = np.zeros((len(packing.used), len(packing.used)))
    rows = {
        division.layer.node: (division, cores)
        for division, cores in zip(packing.divisions, packing.cores, strict=True)
    }
    for reader, into in rows.values():
        for connection in reader.layer.inputs:
            if connection.source.producer not in rows:
                continue  # events from the host
            sender, out_of = rows[connection.source.producer]
            rate = _rate(sender, events)
            messages = between(connection.path.reach, rate, sender.sizes, reader)
            np.add.at(total, (out_of[:, None], into[None]), messages)
    np.fill_diagonal(total, 0)
    return total


def _rate(sender: Division, events: Events | None) -> Numbers:
    layer = sender.layer
    if events is None or layer.name not in events:
        return np.ones(layer.shape)
    return np.asarray(events[layer.name], np.float64).reshape(layer.shape)


def between(reach: Reach, rate: Numbers, sizes: Shape, reader: Division) -> Numbers:
    """Give the messages from each block of a layer to each block of a reader: [from, to].

    Exact where one relation per axis tells who hears whom; else every block hears everything.
    """
    relations = _relations(reach, rate.shape, reader.sizes)
    if relations is None:
        sent = rate
        for axis, size in enumerate(sizes):
            sent = np.add.reduceat(sent, np.arange(0, sent.shape[axis], size), axis)
        return np.repeat(sent.reshape(-1, 1), reader.blocks, axis=1)
    long = [axis for axis, size in enumerate(rate.shape) if size != 1]
    found = rate.reshape([rate.shape[axis] for axis in long])
    moving = [flags for flags in relations if flags.shape[1] != 1]
    for axis, flags in zip(long, moving, strict=True):  # [sources, ...] -> [..., to, from]
        heard = np.moveaxis(found, 0, -1)[..., None, :] * flags
        found = np.add.reduceat(heard, np.arange(0, flags.shape[1], sizes[axis]), axis=-1)
    order = [*range(1, found.ndim, 2), *range(0, found.ndim, 2)]
    senders = int(np.prod(found.shape[1::2], dtype=np.int64))
    wide = [len(flags) if flags.shape[1] != 1 else 1 for flags in relations]
    found = found.transpose(order).reshape(senders, *wide)
    for axis, flags in enumerate(relations, start=1):
        if flags.shape[1] == 1:  # an axis that was added: the one source is heard along it
            found = found * flags[:, 0].reshape(-1, *(1,) * (found.ndim - axis - 1))
    return found.reshape(senders, -1)


def _relations(reach: Reach, source: Shape, sizes: Shape) -> list[NDArray[np.bool_]] | None:
    """Give, per axis of the reader and per axis that was dropped, which sources a block hears."""
    if not isinstance(reach, Grid):
        return None
    kept = [axis.inputs for axis in reach.axes if axis.inputs != 1]
    dropped = [axis.inputs for axis in reach.extra if axis.inputs != 1]
    ambiguous = bool(set(kept) & set(dropped))
    if ambiguous or kept + dropped != [size for size in source if size != 1]:
        return None
    relations = [axis.blocks(size) for axis, size in zip(reach.axes, sizes, strict=True)]
    return relations + [np.asarray(axis.fan_out() > 0)[None] for axis in reach.extra]
