"""Copies a graph into one of whole numbers: sites send counts, and what comes out is real again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import replace
from math import inf

import numpy as np

from spikec.ir import Array, Editor, Graph, Node, Op, Value, ops
from spikec.ir.ops import CumulativeSum, MeanReadout, WindowReadout
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.choice import Grid
from spikec.pipeline.formats import WeightFormat
from spikec.pipeline.grids import Grids, Whole, refused
from spikec.pipeline.roles import PRODUCTS

ONE = Array(np.float32(1))
READOUTS = (MeanReadout, WindowReadout, CumulativeSum)


class WholeCopy(ABC):
    """Walks a graph; what stands between sites is written when a site, or an output, asks for it.

    Before the first site or quantised input, and at the nodes of ``tail``, values stay real
    numbers.
    """

    def __init__(
        self,
        source: Graph,
        tail: Collection[Node],
        by: str,
        weights: WeightFormat,
        room: float = inf,
    ) -> None:
        self.source = source
        self.tail = tail
        self.edit = Editor(Graph(source.name, source.stage), by=by)
        self.edit.graph.notes = dict(source.notes)
        self.grids = Grids(self.edit, weights, room)
        self.copies: dict[Value, Value] = {}

    @abstractmethod
    def is_site(self, node: Node) -> bool:
        """Tell whether the node sends counts."""

    def is_real(self, node: Node) -> bool:
        """Tell whether the node works on what counts stand for, and gives real numbers."""
        return False

    @abstractmethod
    def site(self, node: Node, reached: bool) -> None:
        """Write a site and enter its counts; ``reached`` tells whether counts reach it."""

    def run(self) -> Graph:
        """Write the whole graph."""
        reached_nodes: set[Node] = set()
        for node in self.source:
            reached = any(value.producer in reached_nodes for value in node.inputs)
            rounds = isinstance(node.op, ops.Quantise) and node not in self.tail and not reached
            if self.is_site(node):
                self.site(node, reached)
            elif rounds:
                self._rounded(node)
            elif self.is_real(node):
                self._computed(node)
            elif node in self.tail or not reached:
                self._copy(node, reached)
            if reached or rounds or self.is_site(node):
                reached_nodes.add(node)
        return self.edit.graph

    def _rounded(self, node: Node) -> None:
        """Let a rounded input come as counts."""
        op = node.op
        assert isinstance(op, ops.Quantise)
        x = self.copies[node.inputs[0]]
        counted = replace(op, amplitude=ONE)
        counts = self.edit.add(counted, x, name=node.name, location=node.location)
        amplitude = op.step if op.amplitude is None else op.amplitude
        unit, most = amplitude.data.astype(np.float64), max(op.high, -op.low)
        self.grids.counts[node.outputs[0]] = Whole(counts, unit, most)

    def _copy(self, node: Node, reached: bool) -> None:
        if isinstance(node.op, READOUTS) and node.inputs[0] not in self.copies:
            self._readout(node)
            return
        operands = [self._real(value) for value in node.inputs]
        new = self.edit.add_node(node.op, operands, name=node.name, location=node.location)
        for old, value in zip(node.outputs, new.outputs, strict=True):
            self.copies[old] = value
            if not reached:
                self.grids.real[old] = value

    def _computed(self, node: Node) -> None:
        """Compute in real numbers; a product of counts is a whole number still."""
        counted = isinstance(node.op, PRODUCTS) and all(map(self.grids.is_counted, node.inputs))
        if counted:
            parts = [self.grids.units(value) for value in node.inputs]
            unit = np.prod([self._unit(v, p) for v, p in zip(node.inputs, parts, strict=True)])
            operands = [part.value for part in parts]
            whole = self.edit.add(node.op, *operands, name=node.name, location=node.location)
            constant = self.edit.add(
                ops.Constant(Array(np.float32(unit))), name=f"{node.name}_unit"
            )
            real = self.edit.add(ops.Mul(), whole, constant, name=f"{node.name}_real")
            results: tuple[Value, ...] = (real,)
        else:
            operands = [self._real(value) for value in node.inputs]
            new = self.edit.add_node(node.op, operands, name=node.name, location=node.location)
            results = new.outputs
        for old, value in zip(node.outputs, results, strict=True):
            self.copies[old] = self.grids.real[old] = value

    def _unit(self, value: Value, counts: Whole) -> float:
        """Give what one count stands for, in all channels alike."""
        units = counts.grid[counts.grid != 0]
        if units.size and not np.allclose(units, units.flat[0]):
            raise refused(value)
        return float(units.flat[0]) if units.size else 1.0

    def _readout(self, node: Node) -> None:
        """Decode whole numbers; what they stand for comes last, where it rounds nothing else."""
        current = node.inputs[0]
        grid = self.grids.choice.of(current)
        op, share = _without_share(node.op)
        whole = self.grids.current(current, grid)
        read = self.edit.add(op, whole, name=node.name, location=node.location)
        self.copies[node.outputs[0]] = self._scaled(read, current, grid * share)

    def _real(self, value: Value) -> Value:
        """Scale whole numbers back to what they stand for."""
        if value not in self.copies:
            grid = self.grids.choice.of(value)
            self.copies[value] = self._scaled(self.grids.current(value, grid), value, grid)
        return self.copies[value]

    def _scaled(self, whole: Value, like: Value, grid: Grid) -> Value:
        axis = channel_axis(like)
        size = like.type.dims[axis]
        assert isinstance(size, int)
        vector = np.broadcast_to(grid.reshape(-1), (size,))
        back = ops.Scale(Array(vector, "float32"), None, axis)
        return self.edit.add(back, whole, name=f"{like.producer.name}_real")


def _without_share(op: Op) -> tuple[Op, float]:
    """Take equal weights out of a decoder: sums of a window stay whole."""
    if not isinstance(op, WindowReadout):
        return op, 1.0
    first = float(op.weights.data[0])
    if first == 0 or (op.weights.data != first).any():
        return op, 1.0
    return WindowReadout(Array(np.ones(op.weights.shape), "float32")), first
