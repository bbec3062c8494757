"""Finds the currents between weights that have to be quantised, so that whole numbers stay small.

A current that has come through weights is a whole number of many bits; through more weights it
soon is larger than float32 counts.  A quantiser in between brings it back to a few levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, prod

import numpy as np

from spikec.ir import Graph, Node, Value, ops
from spikec.pipeline.bounds import EXACT, sums_of
from spikec.pipeline.means import MEANS, as_sum
from spikec.pipeline.roles import MAXIMUM, is_site, real_numbers, suffix
from spikec.pipeline.weights import MOVES, Weighted, inputs_of, reach_of

MARGIN = 1.25
"""Inputs of unequal scale make whole weights more even, and their sums larger, than they look."""


@dataclass(frozen=True)
class Extent:
    """How a value will be written in whole numbers."""

    most: float
    """the largest number, roughly"""
    counted: bool
    """made of what sites send by moves, maxima and means alone"""
    signed: bool
    weighted: bool = False
    """made by weights, which would have to be there twice for readers with different units"""


REAL = Extent(inf, counted=False, signed=True)
"""A value in front of all sites, or of a function."""


class Chains:
    """Which values of a graph get a quantiser of ``levels`` levels per sign."""

    def __init__(self, graph: Graph, levels: int, bits: int) -> None:
        self.graph = graph
        self.levels = levels
        self.weight = 2.0 ** (bits - 1) - 1
        self.behind = suffix(graph)
        self.real = real_numbers(graph)
        self.chosen: dict[Value, Extent] = {}
        self.extents: dict[Value, Extent] = {}

    def find(self) -> dict[Value, Extent]:
        """Choose values until none is left, in the order of the graph."""
        while True:
            self._measure()
            more = next((found for node in self.graph if (found := self._needed(node))), None)
            if more is None:
                return self.chosen
            self.chosen |= {value: self.extents[value] for value in more}

    def reads_as_it_is(self, reader: Node) -> bool:
        """Tell whether a reader takes a current in whatever units its own reader has."""
        if isinstance(reader.op, ops.Neg):
            return all(map(self.reads_as_it_is, reader.outputs[0].users))
        last = isinstance(reader.op, ops.Output) or reader in self.behind
        return is_site(reader) or last or reader in self.real

    def _measure(self) -> None:
        """Follow the sites, and rounded inputs, through the graph."""
        self.extents = {}
        for node in self.graph:
            reached = any(self._read(node, value) is not REAL for value in node.inputs)
            if is_site(node) or isinstance(node.op, ops.Quantise) or reached:
                extent = self._extent(node)
                self.extents |= dict.fromkeys(node.outputs, extent)

    def _read(self, reader: Node, value: Value) -> Extent:
        if value in self.chosen and not self.reads_as_it_is(reader):
            return Extent(self.levels, counted=True, signed=self.chosen[value].signed)
        return self.extents.get(value, REAL)

    def _extent(self, node: Node) -> Extent:
        op = node.op
        if node in self.real:
            return REAL
        if isinstance(op, ops.QuantReLU):
            return Extent(max(op.levels, -op.low), counted=True, signed=op.low < 0)
        if isinstance(op, ops.Quantise):
            return Extent(max(op.high, -op.low), counted=True, signed=op.low < 0)
        values = [v for v in node.inputs if not isinstance(v.producer.op, ops.Constant)]
        parts = [self._read(node, value) for value in values]
        most, weighted = max(p.most for p in parts), any(p.weighted for p in parts)
        signed = any(p.signed for p in parts)
        if isinstance(op, Weighted):
            return Extent(most * self.weight * _weight_sum(op, signed), False, True, True)
        if isinstance(op, (*MOVES, *MAXIMUM, *MEANS)):
            elements = as_sum(node)[1] if isinstance(op, MEANS) else 1
            return Extent(most * elements, all(p.counted for p in parts), signed, weighted)
        # counts pass through weights of their own to meet in one unit
        total = sum(p.most * (self.weight if p.counted else 1) for p in parts)
        elements = prod(op.kernel) if isinstance(op, ops.SumPool) else 1
        return Extent(total * elements, False, True, weighted)

    def _needed(self, node: Node) -> set[Value]:
        """Give the values that have to be quantised for this node's sake."""
        if node in self.behind or node.outputs == () or node.outputs[0] not in self.extents:
            return set()
        result = node.outputs[0]
        if isinstance(node.op, Weighted) and self.extents[result].most >= EXACT:
            return self._leaves(node)
        shared = len(result.users) > 1 and self.extents[result].weighted
        split = shared and not all(map(self.reads_as_it_is, result.users))
        return {result} if split and result not in self.chosen else set()

    def _leaves(self, node: Node) -> set[Value]:
        """Give the values behind which only moves lead to a node, and which are no few levels."""
        found: set[Value] = set()
        waiting = [node.inputs[0]]
        while waiting:
            value = waiting.pop()
            if isinstance(value.producer.op, MOVES) and value.producer.inputs:
                waiting.extend(value.producer.inputs)
            elif self._is_wide(value):
                found.add(value)
        return found - self.chosen.keys()

    def _is_wide(self, value: Value) -> bool:
        extent = self.extents.get(value, REAL)
        counts = is_site(value.producer) or isinstance(value.producer.op, ops.Quantise)
        return not counts and (not extent.counted or extent.most > self.levels)


def _weight_sum(op: Weighted, signed: bool) -> float:
    """Give the most that counts of up to 1 sum up to, in units of the largest weight."""
    up, down = sums_of(op)
    largest = reach_of(op, np.ones(inputs_of(op)))
    sums = up + down if signed else np.maximum(up, down)
    return MARGIN * float((sums / np.where(largest > 0, largest, 1)).max(initial=0))


def first_of(graph: Graph, nodes: Iterable[Node]) -> Node:
    """Give the node that comes first in the graph."""
    wanted = frozenset(nodes)
    return next(node for node in graph if node in wanted)
