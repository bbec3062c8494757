"""Copies a graph into one of whole numbers: sites send counts, and what comes out is real again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

import numpy as np

from spikec.ir import Array, Editor, Graph, Node, Value, ops
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.grids import Grids


class WholeCopy(ABC):
    """Walks a graph; what stands between sites is written when a site, or an output, asks for it.

    Before the first site, and at the nodes of ``tail``, values stay real numbers.
    """

    def __init__(self, source: Graph, tail: Collection[Node], by: str, bits: int) -> None:
        self.source = source
        self.tail = tail
        self.edit = Editor(Graph(source.name, source.stage), by=by)
        self.edit.graph.notes = dict(source.notes)
        self.grids = Grids(self.edit, bits)
        self.copies: dict[Value, Value] = {}

    @abstractmethod
    def is_site(self, node: Node) -> bool:
        """Tell whether the node sends counts."""

    @abstractmethod
    def site(self, node: Node, reached: bool) -> None:
        """Write a site and enter its counts; ``reached`` tells whether counts reach it."""

    def run(self) -> Graph:
        """Write the whole graph."""
        reached_nodes: set[Node] = set()
        for node in self.source:
            reached = any(value.producer in reached_nodes for value in node.inputs)
            if self.is_site(node):
                self.site(node, reached)
            elif node in self.tail or not reached:
                self._copy(node, reached)
            if reached or self.is_site(node):
                reached_nodes.add(node)
        return self.edit.graph

    def _copy(self, node: Node, reached: bool) -> None:
        operands = [self._real(value) for value in node.inputs]
        new = self.edit.add_node(node.op, operands, name=node.name, location=node.location)
        for old, value in zip(node.outputs, new.outputs, strict=True):
            self.copies[old] = value
            if not reached:
                self.grids.real[old] = value

    def _real(self, value: Value) -> Value:
        """Scale whole numbers back to what they stand for."""
        if value not in self.copies:
            grid = self.grids.grid_of(value)
            axis = channel_axis(value)
            size = value.type.dims[axis]
            assert isinstance(size, int)
            vector = np.broadcast_to(grid.reshape(-1), (size,))
            whole = self.grids.current(value, grid)
            back = ops.Scale(Array(vector, "float32"), None, axis)
            self.copies[value] = self.edit.add(back, whole, name=f"{value.producer.name}_real")
        return self.copies[value]
