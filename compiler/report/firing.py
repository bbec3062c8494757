"""What layers fire, seen in the pass that evaluates: events of each neuron, and one sample's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Graph, Node, Sizes, Spikes
from spikec.ir.layout import elements, folded, unit_shape

Numbers = NDArray[Any]
SHOWN = 72
"""neurons of a raster"""


@dataclass(frozen=True, eq=False)
class Firing:
    """The events of a layer."""

    name: str
    steps: int
    levels: int
    """most quanta of one event"""
    rates: Numbers
    """[neurons]: events of each neuron per step, mean over the samples"""
    by_step: Numbers
    """[steps]: events of the layer, mean over the samples"""
    raster: Numbers
    """[steps, shown neurons]: events of one sample, in quanta"""
    shown: Numbers
    """[shown neurons]: their numbers"""

    @property
    def silent(self) -> float:
        """Share of neurons that never fire."""
        return float((self.rates == 0).mean())

    @property
    def mean(self) -> float:
        """Events per neuron and step."""
        return float(self.rates.mean())


class Watch:
    """Adds the events of layers up while samples run; it holds sums only, and one sample."""

    def __init__(self, graph: Graph, names: Sequence[str], steps: int, sample: int) -> None:
        nodes = (graph[name] for name in names)
        self.layers = {n.name: _Layer(n, steps) for n in nodes if n.outputs[0].type.is_spikes}
        self.names = frozenset(self.layers)
        self.sample = sample

    def see(self, values: Mapping[str, Numbers], samples: int) -> None:
        """Count the events of the next block of samples."""
        for name, layer in self.layers.items():
            layer.add(values[name], samples, self.sample - layer.samples)

    def result(self) -> tuple[Firing, ...]:
        """Give what was seen, in the order of the layers."""
        return tuple(layer.result() for layer in self.layers.values())


class _Layer:
    def __init__(self, node: Node, steps: int) -> None:
        self.node = node
        self.type = node.outputs[0].type
        assert isinstance(self.type.signal, Spikes)  # Watch takes no other
        self.signal = self.type.signal
        self.program_steps = steps
        self.steps = int(steps * self.type.rate)
        self.neurons = elements(self.type)
        self.events = np.zeros((self.steps, self.neurons), np.int64)
        self.samples = 0
        count = min(SHOWN, self.neurons)
        self.shown = np.linspace(0, self.neurons - 1, count).round().astype(np.int64)
        self.raster: Numbers = np.zeros((self.steps, count), np.int64)

    def add(self, values: Numbers, samples: int, index: int) -> None:
        """Add a block of samples; number ``index`` of it is the one to be shown."""
        wide = folded(values, self.type, Sizes(samples, self.program_steps))
        self.events += (wide != 0).sum(axis=0)
        if 0 <= index < samples:
            amplitude = self.signal.amplitude.data
            spread = np.broadcast_to(amplitude, unit_shape(self.type)).reshape(-1)
            quanta = wide[index][:, self.shown] / spread[self.shown]
            self.raster = quanta.round().astype(np.int64)
        self.samples += samples

    def result(self) -> Firing:
        per_neuron = self.events.sum(axis=0)
        return Firing(
            self.node.name,
            self.steps,
            self.signal.levels,
            per_neuron / (self.steps * self.samples),
            self.events.sum(axis=1) / self.samples,
            self.raster,
            self.shown,
        )
