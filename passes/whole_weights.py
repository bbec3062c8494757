"""Rounds the weights of a spiking network to few bits; events become counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Array, Editor, Graph, Node, Op, Stage, ops
from spikec.ir.op import Family
from spikec.ir.ops import (
    CumulativeSum,
    IntegrateFire,
    MeanReadout,
    MultiThreshold,
    PhasedFire,
    WindowReadout,
)
from spikec.ir.types import Spikes
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.bounds import check_bounds
from spikec.pipeline.grids import Grid, Whole
from spikec.pipeline.roles import WEIGHTED, behind
from spikec.pipeline.whole import WholeCopy

ONE = Array(np.float32(1))
READOUTS = (MeanReadout, WindowReadout, CumulativeSum)


@dataclass(frozen=True)
class WholeWeights(Pass):
    """z = g n with whole n: a neuron of threshold θ that sends events of size a becomes one of
    threshold θ/g (v(0), reset and rest alike) that sends counts; weights take in a and g:

    W -> round(W a / g),  b -> round(b / g),  g = max |W a| / (2^(bits - 1) - 1) per channel.

    Neurons that see the input alone keep their real currents.  What comes out is scaled back.
    Sums of a step are whole numbers below 2^24: exact in whatever order, on int8 units too.
    """

    bits: int = 8
    """bits of a weight, with its sign"""

    name: ClassVar[str] = "whole-weights"
    promise: ClassVar[Promise] = Approximately("weights and biases are rounded to a grid")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.bits", self.bits, 2, 16)

    def apply(self, edit: Editor, context: Context) -> None:
        neurons = [node for node in edit.graph if node.op.family is Family.NEURON]
        if edit.graph.stage is not Stage.SPIKING or not neurons or _is_whole(edit.graph):
            return
        _check(neurons)
        whole = _Rewrite(edit.graph, _tail(edit.graph), self.name, self.bits).run()
        check_bounds(whole)
        edit.become(whole)


def _is_whole(graph: Graph) -> bool:
    """Tell whether neurons send counts already, and the weights behind them are whole."""
    for node in behind(graph, lambda node: node.op.family is Family.NEURON):
        signal = node.outputs[0].type.signal if node.op.family is Family.NEURON else None
        if isinstance(signal, Spikes) and not (signal.amplitude.data == 1).all():
            return False
        if isinstance(node.op, ops.Linear | ops.Conv | ops.ConvTranspose):
            weight = node.op.weight.data
            if not (weight == np.round(weight)).all():
                return False
    return True


def _check(neurons: list[Node]) -> None:
    kinds = ", ".join(kind.__name__ for kind in UNITS)
    problems = [
        Problem(f"{type(node.op).__name__} cannot be written in other units", node.place, kinds)
        for node in neurons
        if type(node.op) not in UNITS
    ]
    if problems:
        raise UnsupportedModel("weights cannot be rounded for these neurons", problems=problems)


class _Rewrite(WholeCopy):
    def is_site(self, node: Node) -> bool:
        return type(node.op) in UNITS

    def site(self, node: Node, reached: bool) -> None:
        z = node.inputs[0]
        signal = node.outputs[0].type.signal
        assert isinstance(signal, Spikes)  # of a neuron
        grid = self.grids.grid_of(z) if reached else np.ones(())
        current = self.grids.current(z, grid) if reached else self.copies[z]
        op = UNITS[type(node.op)](node.op, grid)
        counts = self.edit.add(op, current, name=node.name, location=node.location)
        amplitude = signal.amplitude.data.astype(np.float64)
        self.grids.counts[node.outputs[0]] = Whole(counts, amplitude)


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


def _integrate_fire(op: Any, grid: Grid) -> Op:
    return _in_units(
        op, grid, ("threshold", "v0", "reset_potential", "rest_potential", "negative_threshold")
    )


def _two_parameters(op: Any, grid: Grid) -> Op:
    return _in_units(op, grid, ("threshold", "v0"))


def _in_units(op: Any, grid: Grid, names: tuple[str, ...]) -> Op:
    given = {name: getattr(op, name) for name in names if getattr(op, name) is not None}
    units = {name: Array(array.data / grid, "float32") for name, array in given.items()}
    changed: Op = replace(op, amplitude=ONE, **units)
    return changed


UNITS: Mapping[type[Op], Callable[[Any, Grid], Op]] = {
    IntegrateFire: _integrate_fire,
    MultiThreshold: _two_parameters,
    PhasedFire: _two_parameters,
}
