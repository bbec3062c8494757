"""Puts weights, biases and thresholds on one grid of whole numbers per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikec.ir import Array, Editor, Graph, Node, ops
from spikec.ir.edit import copied
from spikec.pipeline import Approximately, Context, Pass, Promise
from spikec.pipeline.bounds import STEPS_EXACT, check_bounds
from spikec.pipeline.formats import WeightFormat
from spikec.pipeline.grids import Whole
from spikec.pipeline.roles import feeds_product, is_site, real_numbers, suffix
from spikec.pipeline.whole import WholeCopy


@dataclass(frozen=True)
class WholeNumbers(Pass):
    """z = g n with whole n; QuantReLU(z; step s) becomes QuantReLU(n; step round(s / g)).

    A site then sends counts k; its value round(s / g) g k is folded into the next weights.  What
    comes before the first site stays in real numbers and is rounded to the grid once; what comes
    out is scaled back.  A function between sites is computed in real numbers of whole ones, and
    the site behind it rounds to its own step.  From there on every number is whole, so that
    equality is equality.
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
        tail = suffix(edit.graph) | set(edit.graph.outputs)
        whole = _Rewrite(edit.graph, tail, self.name, WeightFormat(self.bits)).run()
        check_bounds(whole)
        edit.become(whole)
        context.quantised = copied(edit.graph)


class _Rewrite(WholeCopy):
    def __init__(self, source: Graph, tail: set[Node], by: str, weights: WeightFormat) -> None:
        super().__init__(source, tail, by, weights)
        self.real = real_numbers(source)

    def is_real(self, node: Node) -> bool:
        return node in self.real

    def is_site(self, node: Node) -> bool:
        return is_site(node)

    def site(self, node: Node, reached: bool) -> None:
        op: Any = node.op
        z = node.inputs[0]
        if z.producer in self.real or (reached and feeds_product(node)):  # of one unit in all
            self._rounding(node)
            return
        grid = self.grids.choice.of(z)
        if z in self.grids.real:  # no weight in whole numbers reaches here: the step sets the grid
            grid = op.step.data.astype(np.float64) / self.grids.format.largest
        largest = op.step.data.astype(np.float64) * max(op.levels, -op.low)
        grid = np.maximum(grid, largest / STEPS_EXACT)  # weights this small do nothing
        step = np.maximum(1.0, np.round(op.step.data / grid))
        whole = ops.QuantReLU(Array(step, "float32"), op.levels, Array(np.float32(1)), op.low)
        counts = self.edit.add(
            whole, self.grids.current(z, grid), name=node.name, location=node.location
        )
        self.grids.counts[node.outputs[0]] = Whole(counts, step * grid, max(op.levels, -op.low))

    def _rounding(self, node: Node) -> None:
        """Round a function's value to counts before it is sent: then all changes are whole."""
        op: Any = node.op
        one = Array(np.float32(1))
        counted = ops.Quantise(op.step, op.low, op.levels, one)
        rounded = self.edit.add(
            counted,
            self._real(node.inputs[0]),
            name=f"{node.name}_rounded",
            location=node.location,
        )
        counts = self.edit.add(
            ops.QuantReLU(one, op.levels, one, op.low),
            rounded,
            name=node.name,
            location=node.location,
        )
        step = op.step.data.astype(np.float64)
        self.grids.counts[node.outputs[0]] = Whole(counts, step, max(op.levels, -op.low))
