"""Writes a spiking network in whole numbers of few bits; events become counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate import Share
from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Array, Editor, Graph, Node, Op, Stage, ops
from spikec.ir.op import Family
from spikec.ir.ops import Comparison, IntegrateFire, MultiThreshold, PhasedFire
from spikec.ir.types import Spikes
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.bounds import EXACT, check_bounds
from spikec.pipeline.choice import Grid
from spikec.pipeline.exact import inexact, rounds_inputs
from spikec.pipeline.formats import THRESHOLD_BITS, WeightFormat
from spikec.pipeline.grids import Whole
from spikec.pipeline.roles import WEIGHTED
from spikec.pipeline.whole import ONE, READOUTS, WholeCopy
from spikec.pipeline.wholeness import is_whole
from spikec.target.model import Sign

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class WholeWeights(Pass):
    """z = g n with whole n: a neuron of threshold θ that sends events of size a becomes one of
    threshold θ' = round(θ / g) >= 1 that sends counts of a' = a g θ' / θ; weights take in both:

    W -> round(W a' / g),  b -> round(b / g),  g = max |W a'| / (2^(bits - 1) - 1) per channel.

    With r = g θ' / θ, v(0) becomes r v(0) / g rounded down (up, where h > θ fires): whole
    potentials reach whole thresholds at the same step.  Reset, rest and negative thresholds are
    rounded likewise.  Neurons that see the input alone keep their real currents and thresholds,
    unless quantise-input stands in front.  What comes out is scaled back, last of all.

    Channels whose sums would leave that range have a coarser g, where their neurons do not notice.
    Sums of a step are whole numbers that fit the accumulator, and float32: exact in whatever order,
    on int8 units too.  Behind rounded inputs potentials are below 2^24 too, over all T steps.
    """

    bits: int = 8
    """bits of a weight, with its sign; 1: the sign alone"""
    per: Share = Share.CHANNEL
    """a grid for each channel, or one for all of a layer"""
    sign: Sign = Sign.SIGNED
    """mixed-even: even weights, -254..254 of 8 bits, as Loihi stores them"""
    shortcuts: bool = False
    """factors of identity shortcuts fit the bits as well"""
    whole_thresholds: bool = True
    """thresholds and potentials are rounded too"""
    accumulator: int = 25
    """bits of the signed sum of one step; 25: as float32 adds exactly"""
    threshold: int = THRESHOLD_BITS
    """bits of an unsigned threshold: channels whose weights are small have a coarser g"""

    name: ClassVar[str] = "whole-weights"
    promise: ClassVar[Promise] = Approximately("weights, biases, thresholds are rounded to a grid")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.bits", self.bits, 1, 16)
        check_option(f"{self.name}.accumulator", self.accumulator, 2, 25)
        check_option(f"{self.name}.threshold", self.threshold, 2, THRESHOLD_BITS)

    def apply(self, edit: Editor, context: Context) -> None:
        neurons = [node for node in edit.graph if node.op.family is Family.NEURON]
        if edit.graph.stage is not Stage.SPIKING or not neurons:
            return
        if _is_whole(edit.graph, self.whole_thresholds):
            return
        _check(neurons)
        over_time = context.steps if rounds_inputs(edit.graph) else None
        limit = 2.0 ** (self.accumulator - 1)
        room = min(limit, EXACT / (over_time or 1)) / 2  # rounding makes sums larger
        whole = _Rewrite(edit.graph, self, room).run()
        check_bounds(whole, steps=over_time, limit=limit)
        edit.become(whole)
        context.record[self.name] = {"exact": not inexact(edit.graph)}

    @property
    def format(self) -> WeightFormat:
        """What weights may be."""
        per_layer = self.per is Share.LAYER
        return WeightFormat(self.bits, self.sign, per_layer, self.shortcuts, self.threshold)


def _is_whole(graph: Graph, whole_thresholds: bool) -> bool:
    """Tell whether counts are sent already, and all that they reach is whole."""
    tail, reached = _tail(graph), set[Node]()
    for node in graph:
        counted = any(value.producer in reached for value in node.inputs)
        if isinstance(node.op, ops.Quantise) or node.op.family is Family.NEURON or counted:
            reached.add(node)
        if node not in tail and not _is_done(node, counted, whole_thresholds):
            return False
    return True


def _is_done(node: Node, counted: bool, whole_thresholds: bool) -> bool:
    op = node.op
    signal = node.outputs[0].type.signal if node.op.family is Family.NEURON else None
    if isinstance(signal, Spikes) and not (signal.amplitude.data == 1).all():
        return False
    if isinstance(op, ops.Quantise):
        return op.amplitude is not None and bool((op.amplitude.data == 1).all())
    held: list[Array] = []
    if isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose):
        held = [*op.arrays.values()]
    elif type(op) in UNITS and whole_thresholds:
        held = [array for name in UNITS[type(op)] if (array := getattr(op, name)) is not None]
    return not counted or all(is_whole(array) for array in held)


OTHERS = "recipes rate, signed, graded, phased; lossless and sigma-delta are whole by themselves"


def _check(neurons: list[Node]) -> None:
    kinds = ", ".join(kind.__name__ for kind in UNITS)
    problems = [
        Problem(
            f"{type(node.op).__name__} cannot be written in other units", node.place, kinds, OTHERS
        )
        for node in neurons
        if type(node.op) not in UNITS
    ]
    if problems:
        raise UnsupportedModel("weights cannot be rounded for these neurons", problems=problems)


class _Rewrite(WholeCopy):
    def __init__(self, source: Graph, options: WholeWeights, room: float) -> None:
        super().__init__(source, _tail(source), options.name, options.format, room)
        self.whole_thresholds = options.whole_thresholds

    def is_site(self, node: Node) -> bool:
        return type(node.op) in UNITS

    def site(self, node: Node, reached: bool) -> None:
        op: Any = node.op
        z, signal = node.inputs[0], node.outputs[0].type.signal
        assert isinstance(signal, Spikes)  # of a neuron
        amplitude = signal.amplitude.data.astype(np.float64)
        if not reached:
            counted: Op = replace(op, amplitude=ONE)
            current = self.copies[z]
        else:
            quantum = op.threshold.data.astype(np.float64) / _quanta_of(op)
            grid = self.grids.choice.of(z, quantum, signal.levels)
            current = self.grids.current(z, grid)
            counted, grown = in_units(op, grid, self.whole_thresholds)
            amplitude = amplitude * grown
        counts = self.edit.add(counted, current, name=node.name, location=node.location)
        self.grids.counts[node.outputs[0]] = Whole(counts, amplitude, signal.levels)


def _tail(graph: Graph) -> set[Node]:
    """Give readouts and all behind them: what leads to no neuron and no weights any more."""
    inner: set[Node] = set()
    for node in reversed(graph.nodes):
        users = (user for value in node.outputs for user in value.users)
        weighs = isinstance(node.op, WEIGHTED) or node.op.family is Family.NEURON
        if weighs or any(user in inner for user in users):
            inner.add(node)
    found: set[Node] = set()
    for node in graph:
        after = any(value.producer in found for value in node.inputs)
        if node not in inner and (after or isinstance(node.op, (*READOUTS, ops.Output))):
            found.add(node)
    return found


def in_units(op: Any, grid: Grid, whole: bool) -> tuple[Op, Numbers]:
    """Give a neuron that counts, its parameters in units of the grid; and by how much it grew."""
    given = {name: getattr(op, name) for name in UNITS[type(op)]}
    units = {name: a.data / grid for name, a in given.items() if a is not None}
    grown = np.ones(())
    if whole:
        quantum = units["threshold"] / _quanta_of(op)
        grown = np.maximum(1, np.round(quantum)) / quantum
        units = {name: _ROUNDED[name](op, number * grown) for name, number in units.items()}
    arrays = {name: Array(number, "float32") for name, number in units.items()}
    return replace(op, amplitude=ONE, **arrays), grown


def _quanta_of(op: Any) -> int:
    """How many quanta make a threshold."""
    return 2 ** (op.count - 1) if isinstance(op, MultiThreshold) else 1


def _positive(op: Any, number: Numbers) -> Numbers:
    return np.maximum(1, np.round(number))


def _nearest(op: Any, number: Numbers) -> Numbers:
    return np.round(number)


def _as_early(op: Any, v0: Numbers) -> Numbers:
    """Round v(0): n + v(0) reaches a whole θ when n + floor(v(0)) does; above it, with ceil."""
    above = isinstance(op, IntegrateFire) and op.comparison is Comparison.ABOVE
    near = np.round(v0)
    exact = np.abs(v0 - near) < NOISE  # a whole number, but for the rounding of θ' / θ
    return np.where(exact, near, np.ceil(v0) if above else np.floor(v0))


NOISE = 1e-3
UNITS: Mapping[type[Op], tuple[str, ...]] = {
    IntegrateFire: (
        "threshold",
        "v0",
        "reset_potential",
        "rest_potential",
        "negative_threshold",
    ),
    MultiThreshold: ("threshold", "v0"),
    PhasedFire: ("threshold", "v0"),
}
"""the parameters of a neuron that are currents"""
_ROUNDED: Mapping[str, Callable[[Any, Numbers], Numbers]] = {
    "threshold": _nearest,
    "v0": _as_early,
    "reset_potential": _nearest,
    "rest_potential": _nearest,
    "negative_threshold": _positive,
}
