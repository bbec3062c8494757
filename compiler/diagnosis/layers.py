"""Runs a program beside its network and decomposes the error of each layer of neurons.

With z and a = ReLU(z) the analog current and activation of a layer, r the decoded value of its
events, z̄ the decoded current that really reached it, Q the layer's answer to an even current (its
quantiser), and lo, hi the ends of what it can stand for, per neuron and sample:

    r - a  =  clip(a, lo, hi) - a          clipping
           +  Q(z) - clip(a, lo, hi)       quantisation
           +  Q(z̄) - Q(z)                  inherited: earlier layers, and what weights and biases
                                           were fitted to make up for
           +  r - Q(z̄)                     unevenness: events came too early or too late

The sum telescopes.  How r and z̄ are decoded, and what Q is, depends on the code (``codes``); all
steps are read, also where the outputs are read from a later step on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate import blocks
from spikec.calibrate.sweep import BLOCK
from spikec.data import read_data
from spikec.diagnosis.codes import READINGS, Reading
from spikec.diagnosis.parts import Answers, Diagnosis, Sums
from spikec.diagnosis.units import QUANTA, Units, units_of
from spikec.errors import UsageError
from spikec.evaluation import check_memory
from spikec.ir import Editor, Graph, Node, Op, Sizes, Stage, T, Value
from spikec.ir.edit import copied
from spikec.ir.op import Family
from spikec.ir.ops import LastStep
from spikec.pipeline.roles import is_activation
from spikec.runtime.feed import bind_inputs, held
from spikec.runtime.layerwise import simulate

Numbers = NDArray[Any]
Progress = Callable[[int, int], None]
COMFORTABLE = 256 << 20
"""bytes of decoded values at once where nobody has set a bound"""
PER_NEURON = 40
"""bytes per neuron and sample: three arrays of float32 that wait, and float64 ones in the works"""
ENDS = ("_quantised", "_sent", "_rounded")
"""of the names that quantise-between-weights, quantise-operands and quantise-input give"""
ONE = Sizes(1, 1)


class Subject(Protocol):
    """What is diagnosed: a Program."""

    graph: Graph
    reference: Graph
    record: dict[str, Any]

    def inputs(self, x: object) -> dict[str, Numbers]:
        """Read samples and preprocess them; one array per input of the graph."""


@dataclass(frozen=True)
class Layer:
    """A layer of neurons beside what it stands for."""

    node: Node
    reading: Reading
    units: Units
    current: Value
    """z, in the analog network"""
    twin: Node | None
    """the activation behind z; none where a current is sent as it is"""

    @property
    def name(self) -> str:
        """Name of the layer, as in the program."""
        return self.node.name

    def answers(self, z: Numbers, received: Numbers, sent: Numbers, steps: int) -> Answers:
        """Compare with the analog current z; ``received`` and ``sent`` in the layer's own units."""
        op, scale = self.node.op, self.units.event
        share = np.float64(self.reading.share(op))
        a = z if self.twin is None else self.twin.op.run((z,), Sizes(len(z), 1))[0]
        low, high = self.reading.span(op)
        a = a.astype(np.float64)
        return Answers(
            activation=a,
            clipped=np.clip(a, low * scale, high * scale),
            even=scale * self.reading.answer(op, z / self.units.current, steps),
            even_received=scale * self.reading.answer(op, received / share, steps),
            decoded=scale * (sent / share),
        )


def diagnose(
    program: Subject,
    data: object,
    steps: int,
    memory: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Diagnosis:
    """Run all samples through the program and the network; labels are not needed."""
    check_memory(memory)
    if program.reference.stage is not Stage.ANALOG:
        raise UsageError(
            "a network that was trained spiking has no analog activations to be held against",
            expected="a program that was converted",
        )
    samples = read_data(data)
    layers, omitted = _layers(program)
    probe = _Probe(program.graph, layers)
    sums = {layer.name: Sums() for layer in layers}
    done = 0
    for block in blocks(program.inputs(samples), _block(layers, memory)):
        analog = _currents(program.reference, layers, block, memory)
        seen = probe.run(block, steps, memory)
        for layer in layers:
            z = analog[layer.current.name]
            sums[layer.name].add(layer.answers(z, *seen[layer.name], steps))
        done += len(next(iter(block.values())))
        progress(done, len(samples))
    found = tuple(sums[layer.name].result(layer.name) for layer in layers)
    return Diagnosis(len(samples), steps, found, omitted)


def _layers(program: Subject) -> tuple[list[Layer], dict[str, str]]:
    """Give the layers that can be compared, and the names of the others with the reasons."""
    found, omitted = [], {}
    for node in program.graph:
        if node.op.family is Family.NEURON:
            layer = _layer(node, program.reference, program.record.get(QUANTA, {}))
            if isinstance(layer, Layer):
                found.append(layer)
            else:
                omitted[node.name] = layer
    return found, omitted


def _layer(node: Node, reference: Graph, quanta: Mapping[str, Any]) -> Layer | str:
    """Find what a layer stands for, or say why it cannot be compared."""
    if type(node.op) not in READINGS:
        return f"no decomposition is known for {type(node.op).__name__} neurons"
    result = node.outputs[0].type
    if result.dims[0] != T:
        return "time is not an axis of its own"
    current, twin = _analog(node.name, reference)
    if current is None:
        return "the network has no activation of this name"
    if current.type.dims != result.dims[1:]:
        return f"the network's activation of this name is {current.type}"
    units = units_of(node, quanta)
    if units is None:
        return "what its whole numbers stand for was not recorded: convert the network again"
    return Layer(node, READINGS[type(node.op)], units, current, twin)


def _analog(name: str, reference: Graph) -> tuple[Value | None, Node | None]:
    """Give the analog current of a layer and the activation behind it."""
    if name in reference and is_activation(reference[name]):
        return reference[name].inputs[0], reference[name]
    source = name
    for end in ENDS:
        source = source.removesuffix(end)
        if source != name and source in reference:
            return reference[source].outputs[0], None
    return None, None


def _block(layers: Iterable[Layer], memory: int | None) -> int:
    """Give how many samples are compared at once."""
    neurons = sum(prod(layer.current.type.shape(ONE)) for layer in layers)
    bound = COMFORTABLE if memory is None else memory
    return max(1, min(BLOCK, bound // (PER_NEURON * max(1, neurons))))


def _currents(
    reference: Graph, layers: Iterable[Layer], block: Mapping[str, Numbers], memory: int | None
) -> dict[str, Numbers]:
    names = frozenset(layer.current.name for layer in layers)
    feed = bind_inputs(reference, dict(block), None, "float32")
    return simulate(reference, feed, names, memory=memory).values


class _Probe:
    """A copy of a program that decodes what each layer gets and sends."""

    def __init__(self, graph: Graph, layers: Iterable[Layer]) -> None:
        self.edit = Editor(copied(graph), by="diagnosis")
        self.names = {layer.name: self._both(layer) for layer in layers}

    def _both(self, layer: Layer) -> tuple[str, str]:
        node = self.edit.graph[layer.name]
        reading, op = layer.reading, layer.node.op
        got = self._decoded(reading.intake(op), node.inputs[0])
        return got, self._decoded(reading.readout(op), node.outputs[0])

    def _decoded(self, readout: Op, value: Value) -> str:
        estimate = self.edit.add(readout, value)
        last = self.edit.add(LastStep(-estimate.type.rank), estimate)
        self.edit.output("decoded", last)
        return last.name

    def run(
        self, block: Mapping[str, Numbers], steps: int, memory: int | None
    ) -> dict[str, tuple[Numbers, Numbers]]:
        """Give by layer what it got and what it sent, decoded."""
        if not self.names:
            return {}
        graph = self.edit.graph
        feed = bind_inputs(graph, held(graph, block, steps), steps, "float32")
        wanted = frozenset(name for pair in self.names.values() for name in pair)
        values = simulate(graph, feed, wanted, memory=memory).values
        return {name: (values[got], values[sent]) for name, (got, sent) in self.names.items()}
