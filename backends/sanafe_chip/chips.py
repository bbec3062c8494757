"""The chips that SANA-FE simulates for us: what their units cost and can do, with sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikec.target.mesh import Mesh

Tree = Mapping[str, Any]
INPUTS = 1024
"""neurons of a core for events from the host, at most"""

NEVER = 1e12
"""a threshold that no potential reaches"""


@dataclass(frozen=True)
class Chip:
    """A simulated chip."""

    name: str
    about: str
    target: str
    """the target that says what it can do"""
    model: str
    """of a neuron, as SANA-FE calls it"""
    neuron: Tree
    """attributes that all neurons have"""
    soma: Tree
    """energies in J and latencies in s of a neuron"""
    synapses: Mapping[str, tuple[float, float]]
    """by kind of connection: energy and latency of one event at one synapse"""
    message: tuple[float, float, float, float]
    """energy and latency of a message at its sender, and at its receiver"""
    hops: Mapping[str, tuple[float, float]]
    """energy and latency of one router to the next, by direction"""
    sync: Tree
    """what ends a step"""
    most: float
    """|potential| has to stay below this"""


LOIHI = Chip(
    name="loihi",
    about="Loihi 1: Davies et al., IEEE Micro 38(1), 2018, table 2 and text (pre-silicon SPICE); "
    "connections and messages as SANA-FE 2.2.9 fitted them, arch/loihi.yaml",
    target="sanafe-loihi",
    model="leaky_integrate_fire",
    neuron={"leak_decay": 1.0, "reverse_threshold": -NEVER, "reverse_reset_mode": "none"},
    soma={
        "energy_access_neuron": 51.2e-12,
        "latency_access_neuron": 6.0e-9,
        "energy_update_neuron": 21.6e-12,
        "latency_update_neuron": 3.7e-9,
        "energy_spike_out": 69.3e-12,
        "latency_spike_out": 30.0e-9,
    },
    synapses={
        "dense": (35.5e-12, 3.8e-9),
        "sparse": (33.6e-12, 4.7e-9),
        "conv": (24.0e-12, 3.1e-9),
    },
    message=(111.0e-12, 5.1e-9, 0.0, 16.0e-9),
    hops={
        "north": (4.2e-12, 6.5e-9),
        "south": (4.2e-12, 6.5e-9),
        "east": (3.0e-12, 4.1e-9),
        "west": (3.0e-12, 4.1e-9),
    },
    sync={
        "sync_model": "table",
        "latency_sync": {1: 0.6e-6, 2: 1.0e-6, 4: 1.4e-6, 29: 1.8e-6},
    },
    most=2.0**25,  # potentials are cut to 1/64 by way of an int of 32 bits
)

TRUENORTH = Chip(
    name="truenorth",
    about="TrueNorth: 26 pJ per synaptic event, all told, and ticks of 1 ms: Merolla et al., "
    "Science 345(6197), 2014; SANA-FE 2.2.9, arch/truenorth.yaml has no figures",
    target="truenorth",
    model="truenorth",
    neuron={"leak": 0.0, "reverse_threshold": -NEVER, "reverse_reset_mode": "none"},
    soma=dict.fromkeys(LOIHI.soma, 0.0),
    synapses=dict.fromkeys(LOIHI.synapses, (26e-12, 0.0)),
    message=(0.0, 0.0, 0.0, 0.0),
    hops=dict.fromkeys(LOIHI.hops, (0.0, 0.0)),
    sync={"sync_model": "fixed", "latency_sync": 1e-3},
    most=2.0**52,
)
CHIPS: Mapping[str, Chip] = {chip.name: chip for chip in (LOIHI, TRUENORTH)}


def architecture(chip: Chip, mesh: Mesh, neurons: int, inputs: int) -> str:
    """Write a chip (and further columns of tiles, from which events come in) as SANA-FE reads it.

    ``neurons`` is the most that a core holds, ``inputs`` the number of events' sources.
    """
    columns = mesh.width * mesh.chips
    ports = -(-inputs // INPUTS)
    more = -(-ports // (mesh.height * mesh.per_tile))
    tiles = [_tile("tile", columns * mesh.height, [_core(chip, mesh.per_tile, neurons, 0)], chip)]
    if ports:
        core = _core(chip, mesh.per_tile, INPUTS, min(inputs, INPUTS))
        tiles.append(_tile("port", more * mesh.height, [core], chip))
    attributes = {
        "topology": "mesh",
        "width": columns + more,
        "height": mesh.height,
        "link_buffer_size": 16,
        **chip.sync,
    }
    tree = {"architecture": {"name": chip.name, "attributes": attributes, "tile": tiles}}
    return f"# {chip.about}\n" + "\n".join(_lines(tree, 0)) + "\n"


def _tile(name: str, count: int, cores: list[Tree], chip: Chip) -> Tree:
    hops: dict[str, float] = {}
    for direction, (energy, latency) in chip.hops.items():
        hops |= {f"energy_{direction}_hop": energy, f"latency_{direction}_hop": latency}
    return {"name": f"{name}[0..{count - 1}]", "attributes": hops, "core": cores}


def _core(chip: Chip, count: int, neurons: int, inputs: int) -> Tree:
    sent, sending, received, receiving = chip.message
    synapses = [
        _unit(name, "current_based", energy_process_spike=joule, latency_process_spike=second)
        for name, (joule, second) in chip.synapses.items()
    ]
    somas = [_unit("neuron", chip.model, **chip.soma)]
    if inputs:
        free = dict.fromkeys(chip.soma, 0.0)
        somas.append(_unit(f"events[0..{inputs - 1}]", "input", **free))
    dendrite = _unit("dendrite", "accumulator", energy_update=0.0, latency_update=0.0)
    into = {"energy_message_in": received, "latency_message_in": receiving}
    out = {"energy_message_out": sent, "latency_message_out": sending}
    return {
        "name": f"core[0..{count - 1}]",
        "attributes": {
            "buffer_position": "soma",
            "buffer_inside_unit": False,
            "max_neurons_supported": neurons,
            "log_energy": True,
        },
        "axon_in": [{"name": "axons_in", "attributes": into}],
        "synapse": synapses,
        "dendrite": [dendrite],
        "soma": somas,
        "axon_out": [{"name": "axons_out", "attributes": out}],
    }


def _unit(name: str, model: str, **attributes: float) -> Tree:
    return {"name": name, "attributes": {"model": model, **attributes}}


def _lines(value: Any, depth: int) -> list[str]:
    """Write nested dicts and lists as YAML."""
    pad = "  " * depth
    found = []
    if isinstance(value, list):
        for item in value:
            first, *rest = _lines(item, depth + 1)
            found += [f"{pad}- {first.lstrip()}", *rest]
        return found
    for key, item in value.items():
        if isinstance(item, Mapping) and all(isinstance(k, int) for k in item):
            found.append(f"{pad}{key}: {{ {', '.join(f'{k}: {v}' for k, v in item.items())} }}")
        elif isinstance(item, Mapping | list):
            found += [f"{pad}{key}:", *_lines(item, depth + 1)]
        else:
            found.append(f"{pad}{key}: {str(item).lower() if isinstance(item, bool) else item}")
    return found
