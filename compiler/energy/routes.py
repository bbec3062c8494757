"""Where the events of a placed program go: messages and hops of one event of each neuron."""

from __future__ import annotations

import numpy as np

from spikec.energy.count import Routes
from spikec.energy.site import Wholes
from spikec.ir import Graph
from spikec.target import load_target, partition
from spikec.target.layers import layers_of
from spikec.target.placement import placement_of
from spikec.target.wiring import wire


def routes_of(graph: Graph) -> Routes:
    """Give, by layer, the cores that an event of each neuron goes to, and the way there.

    A message goes to every core that holds a neuron behind it; hops are |Δcolumn| and |Δrow|.
    Empty for a program that is not placed.
    """
    placement = placement_of(graph)
    if placement is None:
        return {}
    chip = set(partition(graph, load_target(placement.target)).chip)
    cores = {
        layer.name: placement.cores_of(layer.name, layer.shape).ravel()
        for layer in layers_of(graph, chip)
    }
    tiles = placement.mesh.tiles()[np.array(placement.slots, np.int64)]
    pairs: dict[str, list[Wholes]] = {}
    for name, current in wire(graph, chip).items():
        for source, edges in current.edges.items():
            sender = source.value.producer.name
            if sender in cores:
                into = cores[name][edges.target]
                pairs.setdefault(sender, []).append(np.unique(edges.source * _MANY + into))
    return {
        name: _route(cores[name], np.concatenate(found), tiles) for name, found in pairs.items()
    }


_MANY = 2**32
"""more than there are cores: source and core in one number"""


def _route(own: Wholes, pairs: Wholes, tiles: Wholes) -> tuple[Wholes, Wholes, Wholes]:
    """Add up, by neuron, what goes from its core to each core that hears it."""
    unique = np.unique(pairs)
    source, core = unique // _MANY, unique % _MANY
    way = np.abs(tiles[own[source]] - tiles[core])
    size = len(own)
    columns = (np.ones(len(unique)), way[:, 0], way[:, 1])
    messages, hops_x, hops_y = (
        np.bincount(source, column, size).astype(np.int64) for column in columns
    )
    return messages, hops_x, hops_y
