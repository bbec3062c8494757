"""Random programs of what NIR can hold, and how their exports are run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Artifact, Deployable, export
from spikec.backends.nir_graph import NirExporter
from spikec.backends.nir_graph.players import Player
from spikec.frontends.nir_graph import import_model
from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, Value, ops
from spikec.ir.ops import Comparison, Leak, Reset
from spikec.registry import exporter_by_name
from spikec.verification import Check, verify

Numbers = NDArray[Any]
Inputs = Mapping[str, Numbers]
Layer = Callable[[], None]
STEPS, BATCH = 10, 3
JOINED = exporter_by_name("nir_graph")
EXPORTER = NirExporter(import_model, players=())
"""reads its files back, whatever frameworks are installed"""


class Draft:
    """Builds a random program from the first layer to the read-out."""

    def __init__(self, seed: int, *, whole: bool = False, plain: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.plain = plain
        self.whole = whole
        self.edit = Editor(Graph("random", Stage.SPIKING), by="test")

    def build(self) -> Graph:
        """Maps, then vectors, then what is read."""
        self.x = self.encoded()
        maps: tuple[Layer, ...] = (self.conv, self.pool, self.scale, self.branch, self.late)
        vectors: tuple[Layer, ...] = (self.linear, self.linear, self.scale, self.branch, self.late)
        if self.plain:
            maps, vectors = maps[:2], vectors[:2]
        for _ in range(self.integer(1, 4)):
            self.choose(*maps)()
            if self.plain and len(self.edit.graph.nodes) < 4:
                self.conv()
            if self.chance():
                self.neuron()
        self.flatten()
        for _ in range(self.integer(1, 3)):
            self.choose(*vectors)()
            if self.chance(0.7):
                self.neuron()
        self.readout()
        return self.edit.graph

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def chance(self, share: float = 0.5) -> bool:
        return bool(self.rng.random() < share)

    def choose(self, *options: Layer) -> Layer:
        return options[self.integer(0, len(options))]

    def one_of(self, *options: Any) -> Any:
        return options[self.integer(0, len(options))]

    def array(self, *shape: int, low: float = -1, high: float = 1) -> Array:
        if self.whole:
            low, high = np.floor(2 * low), np.ceil(2 * high)
            return Array(self.rng.integers(int(low), int(high) + 1, shape).astype(np.float32))
        return Array(self.rng.uniform(low, high, shape).astype(np.float32))

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(dim for dim in self.x.type.dims if isinstance(dim, int))

    def add(self, op: ops.Op, *others: Value) -> None:
        self.x = self.edit.add(op, self.x, *others)

    def encoded(self) -> Value:
        """Give an input: over time, or repeated behind some static ops."""
        sizes = (self.integer(1, 3), self.integer(5, 8), self.integer(5, 8))
        if self.chance():
            return self.edit.input("x", TensorType((T, B, *sizes)))
        self.x = self.edit.input("x", TensorType((B, *sizes)))
        if self.chance():
            self.conv()
        return self.edit.add(ops.Repeat(), self.x)

    def conv(self) -> None:
        """A convolution with any options that a square kernel with even padding can stand for."""
        channels, *size = self.sizes
        groups = channels if self.chance(0.3) else 1
        dilation = self.integer(1, 3)
        odd = self.one_of((1, 1), (3, 3), (1, 3), (3, 1), (2, 2))
        odd = tuple(k if d * (k - 1) < n else 1 for k, d, n in zip(odd, (dilation,) * 2, size))  # noqa: B905
        odd = odd if (odd[0] - odd[1]) % 2 == 0 else (1, 1)
        low, high = self.integer(0, 2), self.integer(0, 2)
        pads = (
            ((low, low), (low, low)) if self.chance() else ((low, high * 2 * dilation + low),) * 2
        )
        weight = self.array(groups * self.integer(1, 4), channels // groups, *odd)
        bias = self.array(weight.shape[0]) if self.chance() else None
        stride = (self.integer(1, 3), self.integer(1, 3))
        self.add(ops.Conv(weight, bias, stride, pads, (dilation, dilation), groups))

    def pool(self) -> None:
        _, height, width = self.sizes
        kernel = (min(self.integer(1, 4), height), min(self.integer(1, 4), width))
        pad = 0 if self.plain else self.integer(0, 1 + min(kernel) // 2)
        options = (kernel, (self.integer(1, 3), self.integer(1, 3)), ((pad, pad),) * 2, (1, 1))
        if self.whole or self.chance():
            self.add(ops.SumPool(*options))
        else:
            self.add(ops.AvgPool(*options, count_padding=self.chance()))

    def scale(self) -> None:
        """Factors, constants and signs."""
        sizes = self.sizes
        if self.chance(0.3):
            self.add(ops.Neg())
        elif self.chance() and len(sizes) > 1:
            self.add(ops.Scale(self.array(sizes[0]), self.array(sizes[0]), -len(sizes)))
        elif self.chance():
            channels = self.array(sizes[0], *(1,) * (len(sizes) - 1))
            self.add(self.one_of(ops.Add(), ops.Sub()), self.edit.constant(ops.Constant(channels)))
        else:
            self.add(ops.Mul(), self.edit.constant(ops.Constant(self.array(*sizes))))

    def branch(self) -> None:
        """Two ways that meet, one of them with nothing on it, or twice the same."""
        first = self.x
        if self.chance(0.8):
            self.neuron()
        self.add(self.one_of(ops.Add(), ops.Sub()), first)

    def late(self) -> None:
        self.neuron()
        self.add(ops.Delay(self.integer(1, 4)))

    def flatten(self) -> None:
        self.add(ops.Reshape((T, B, int(np.prod(self.sizes)))))

    def linear(self) -> None:
        bias = self.chance()
        width, (features,) = self.integer(2, 7), self.sizes
        self.add(ops.Linear(self.array(width, features), self.array(width) if bias else None))

    def parameter(self, low: float = 0.3, high: float = 1.5) -> Array:
        """One number, one per channel, or one per neuron."""
        sizes = self.sizes
        shape = self.one_of((), (sizes[0], *(1,) * (len(sizes) - 1)), sizes)
        shape = () if self.plain else shape
        if self.whole:
            return Array(self.rng.integers(1, 5, shape).astype(np.float32))
        return Array(self.rng.uniform(low, high, shape).astype(np.float32))

    def neuron(self) -> None:
        leak, constant, rest = self.leak()
        if self.chance(0.1) and not self.plain:
            self.add(ops.Accumulator(self.maybe(), leak, constant, rest))
            return
        reset = self.one_of(*Reset)
        self.add(
            ops.IntegrateFire(
                self.parameter(),
                self.one_of(None, self.parameter()),
                v0=self.parameter(-0.3, 0.3) if self.chance() else None,
                reset=reset,
                reset_potential=self.maybe() if reset is Reset.HARD else None,
                leak=leak,
                leak_constant=constant,
                rest_potential=rest,
                comparison=self.one_of(*Comparison),
            )
        )

    def maybe(self) -> Array | None:
        return self.parameter(-0.3, 0.3) if self.chance() and not self.plain else None

    def leak(self) -> tuple[Leak, Array | None, Array | None]:
        leak = Leak.NONE if self.whole else self.one_of(Leak.NONE, Leak.DECAY, Leak.DECAY_INPUT)
        if leak is Leak.NONE:
            return leak, None, None
        decays = leak is Leak.DECAY
        constant = self.parameter(0.5, 1.0) if decays else self.parameter(1.0, 4.0)
        return leak, constant, self.maybe()

    def readout(self) -> None:
        events = self.x
        if self.chance(0.3):
            self.edit.output("current", events)
        self.edit.output("y", self.edit.add(ops.MeanReadout(), events))


def random_program(seed: int, *, whole: bool = False, plain: bool = False) -> Graph:
    """Give a program: in whole numbers, or of what frameworks understand."""
    return Draft(seed, whole=whole, plain=plain).build()


def samples(graph: Graph, seed: int = 0, *, whole: bool = False) -> dict[str, Numbers]:
    rng = np.random.default_rng(seed)
    found = {}
    for node in graph.inputs:
        dims = {"T": STEPS, "B": BATCH}
        shape = [
            dim if isinstance(dim, int) else dims[str(dim)] for dim in node.outputs[0].type.dims
        ]
        drawn = rng.integers(-2, 4, shape) if whole else rng.normal(0.2, 1, shape)
        found[node.name] = drawn.astype(np.float32)
    return found


def exported(graph: Graph, folder: Path, **options: Any) -> Artifact:
    return export(EXPORTER, "nir_graph", Deployable(graph, STEPS), folder / "out", **options)


def checked(graph: Graph, inputs: Inputs, *players: Player, **options: Any) -> Check:
    """Export, run and compare."""
    source = Deployable(graph, STEPS)
    (check,) = verify(
        replace(EXPORTER, players=players), source, inputs, ("nir_graph", options)
    ).checks
    return check
