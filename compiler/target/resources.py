"""What a graph takes of a target: cores, memory and axons, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spikec.target.divide import Division, Resource, limits_of
from spikec.target.layers import Layer
from spikec.target.model import Target
from spikec.target.packing import pack
from spikec.target.violation import Rule, Violation


@dataclass(frozen=True)
class LayerUse:
    """What one layer takes; ``use`` is the share of its cores' limits, by resource."""

    name: str
    place: str
    shape: tuple[int, ...]
    neurons: int
    synapses: int
    fan_in: int
    """most synapses into one neuron"""
    pieces: int
    """parts into which each neuron's fan-in has to be split"""
    block: tuple[int, ...]
    """sizes of the part of the layer that one core holds"""
    blocks: int
    cores: tuple[int, ...]
    """numbers of the cores that hold it"""
    use: dict[str, float]


@dataclass(frozen=True)
class Resources:
    """What all layers take."""

    target: str
    layers: tuple[LayerUse, ...]
    cores: int
    available: int | None
    neurons: int
    synapses: int
    limits: dict[str, int]
    used: dict[str, tuple[float, ...]]
    """by resource, the share of its limit that each core uses"""

    @property
    def split(self) -> tuple[str, ...]:
        """Layers that stand on several cores."""
        return tuple(layer.name for layer in self.layers if len(layer.cores) > 1)

    @property
    def chips(self) -> int:
        """Chips that hold so many cores."""
        return 1 if not self.available else max(1, -(-self.cores // self.available))

    def mean(self, resource: str) -> float:
        """Give the mean share of a resource over all cores."""
        return float(np.mean(self.used[resource])) if self.used.get(resource) else 0.0

    def peak(self, resource: str) -> float:
        """Give the largest share of a resource on one core."""
        return max(self.used.get(resource, ()), default=0.0)

    def to_json(self) -> dict[str, object]:
        """Give everything for machines."""
        return {
            "target": self.target,
            "cores": self.cores,
            "available": self.available,
            "chips": self.chips,
            "neurons": self.neurons,
            "synapses": self.synapses,
            "limits": self.limits,
            "mean": {name: self.mean(name) for name in self.limits},
            "peak": {name: self.peak(name) for name in self.limits},
            "split": list(self.split),
            "layers": [vars(layer) for layer in self.layers],
            "used": {name: list(shares) for name, shares in self.used.items()},
        }


def resources_of(layers: tuple[Layer, ...], target: Target) -> tuple[Resources, list[Violation]]:
    """Divide all layers and place their blocks; give what is taken, and what does not fit."""
    packing = pack(layers, target)
    divisions, used = packing.divisions, packing.used
    limits = limits_of(target)
    places = (tuple(dict.fromkeys(cores.tolist())) for cores in packing.cores)
    rows = tuple(
        _row(division, cores, limits) for division, cores in zip(divisions, places, strict=True)
    )
    available = None if target.limits.cores is None else target.limits.cores.value
    shares = {
        r.value: tuple(float(n) for n in used[:, i] / limits[r]) if limits[r] else ()
        for i, r in enumerate(limits)
    }
    found = Resources(
        target=target.name,
        layers=rows,
        cores=len(used),
        available=available,
        neurons=sum(layer.neurons for layer in layers),
        synapses=sum(layer.synapses for layer in layers),
        limits={r.value: most for r, most in limits.items()},
        used=shares,
    )
    return found, [*_layer_violations(divisions, target), *_total_violations(found, target)]


def _row(division: Division, cores: tuple[int, ...], limits: dict[Resource, int]) -> LayerUse:
    layer = division.layer
    use = {
        r.value: float(division.demand[r].sum() / (len(cores) * most)) if most else 0.0
        for r, most in limits.items()
    }
    return LayerUse(
        layer.name,
        str(layer.node.location),
        layer.shape,
        layer.neurons,
        layer.synapses,
        int(layer.fan_in().max(initial=0)),
        division.pieces,
        division.sizes,
        division.blocks,
        cores,
        use,
    )


def _layer_violations(divisions: tuple[Division, ...], target: Target) -> Iterator[Violation]:
    limits = limits_of(target)
    for division in divisions:
        layer = division.layer
        place = layer.node.place
        if division.pieces > 1:
            most = int(layer.fan_in().max(initial=0))
            what = f"{most} synapses into one neuron: {division.pieces} times what a core takes"
            remedy = "split the fan-in over relay neurons, or a network with narrower layers"
            yield Violation(Rule.FAN_IN, what, place, _fan_in_limit(target), remedy)
        for resource in division.exceeded:
            needed = int(division.demand[resource].max())
            what = f"{needed:,} {resource.value} on one core"
            remedy = (
                "a smaller layer: fewer channels or pixels"
                if not target.cores.split_layers.value
                else "a network with less fan-out, or fewer neurons in the layers behind"
            )
            yield Violation(Rule.CAPACITY, what, place, f"at most {limits[resource]:,}", remedy)


def _fan_in_limit(target: Target) -> str:
    facts = {"fan-in": target.limits.fan_in}
    parts = [f"{name} {fact.value}" for name, fact in facts.items() if fact is not None]
    limits = limits_of(target)
    chosen = (Resource.SYNAPSES, Resource.MEMORY, Resource.INPUTS)
    parts += [f"{limits[r]:,} {r.value} per core" for r in chosen if r in limits]
    return ", ".join(parts)


def _total_violations(found: Resources, target: Target) -> Iterator[Violation]:
    where = f"the whole network on {target.name}"
    rows = (
        ("neurons", found.neurons, target.limits.neurons, "a narrower network"),
        ("synapses", found.synapses, target.limits.synapses, "a smaller or pruned network"),
        ("cores", found.cores, target.limits.cores, f"{found.chips} chips, or a smaller network"),
    )
    for name, needed, fact, remedy in rows:
        if fact is not None and needed > fact.value:
            what = f"{needed:,} {name}"
            yield Violation(Rule.CAPACITY, what, where, f"at most {fact.value:,}", remedy)
