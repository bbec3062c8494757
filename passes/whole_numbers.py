"""Puts weights, biases and thresholds on one grid of whole numbers per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikec.ir import Array, Editor, Graph, Node, Value, ops
from spikec.ir.edit import copied
from spikec.pipeline import Approximately, Context, Pass, Promise
from spikec.pipeline.bounds import STEPS_EXACT, check_bounds
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.grids import Grids, Whole
from spikec.pipeline.roles import is_site, suffix


@dataclass(frozen=True)
class WholeNumbers(Pass):
    """z = g n with whole n; QuantReLU(z; step s) becomes QuantReLU(n; step round(s / g)).

    A site then sends counts k; its value round(s / g) g k is folded into the next weights.  What
    comes before the first site stays in real numbers and is rounded to the grid once; what comes
    out is scaled back.  From there on every number is whole, so that equality is equality.
    """

    bits: int = 8
    """bits of a weight, with its sign"""

    name: ClassVar[str] = "whole-numbers"
    promise: ClassVar[Promise] = Approximately("weights and thresholds are rounded to a grid")

    def apply(self, edit: Editor, context: Context) -> None:
        sites = [node.op for node in edit.graph if is_site(node)]
        done = all(isinstance(op, ops.QuantReLU) and op.amplitude is not None for op in sites)
        if not sites or done:
            return
        rewrite = _Rewrite(self, edit.graph)
        rewrite.run()
        check_bounds(rewrite.edit.graph)
        edit.become(rewrite.edit.graph)
        context.quantised = copied(edit.graph)


class _Rewrite:
    def __init__(self, options: WholeNumbers, source: Graph) -> None:
        self.source = source
        self.behind = suffix(source)
        self.edit = Editor(Graph(source.name, source.stage), by=options.name)
        self.edit.graph.notes = dict(source.notes)
        self.grids = Grids(self.edit, options.bits)
        self.copies: dict[Value, Value] = {}
        self.reached: set[Node] = set()

    def run(self) -> None:
        for node in self.source:
            reached = any(value.producer in self.reached for value in node.inputs)
            if is_site(node):
                self._site(node)
            elif isinstance(node.op, ops.Output) or node in self.behind or not reached:
                self._copy(node, reached)
            if reached or is_site(node):
                self.reached.add(node)

    def _site(self, node: Node) -> None:
        op: Any = node.op
        z = node.inputs[0]
        grid = self.grids.grid_of(z)
        if z in self.grids.real:  # no weight in whole numbers reaches here: the step sets the grid
            grid = op.step.data.astype(np.float64) / self.grids.largest
        largest = op.step.data.astype(np.float64) * max(op.levels, -op.low)
        grid = np.maximum(grid, largest / STEPS_EXACT)  # weights this small do nothing
        step = np.maximum(1.0, np.round(op.step.data / grid))
        whole = ops.QuantReLU(Array(step, "float32"), op.levels, Array(np.float32(1)), op.low)
        counts = self.edit.add(
            whole, self.grids.current(z, grid), name=node.name, location=node.location
        )
        self.grids.counts[node.outputs[0]] = Whole(counts, step * grid)

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
