"""The plain way through a scan: the op's own step, step after step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spikec.ir.dims import Sizes
from spikec.ir.graph import Node
from spikec.ir.op import ScanOp, State
from spikec.runtime.feed import Feed
from spikec.runtime.layerwise.kernels import tensor_of
from spikec.runtime.layerwise.pulse import Operand, whole
from spikec.runtime.reference import at_node, checked, step_of

Numbers = NDArray[Any]


class SteppedScan:
    """Runs ``initial`` and ``step`` of an op; keeps the state from block to block of steps.

    Cutting the samples into smaller parts, to stay in a nearer cache, gains nothing here: what
    NumPy spends per call eats it up.
    """

    def __init__(self, node: Node, feed: Feed, samples: int) -> None:
        assert isinstance(node.op, ScanOp)
        self.node = node
        self.op = node.op
        self.feed = feed
        rates = (v.type.rate.denominator for v in (*node.inputs, *node.outputs))
        self.sizes = Sizes(samples, max(rates))
        dtype = feed.element_type(node.inputs[0].type.dtype)
        self.state: State = at_node(
            node, lambda: self.op.initial(node.input_types, self.sizes, dtype)
        )

    def advance(self, operands: Sequence[Operand], first: int, count: int) -> tuple[Tensor, ...]:
        """Go ``count`` steps from step ``first`` (which is 1 at the beginning)."""
        arrays = [whole(x).numpy() for x in operands]
        rows = [self._step(arrays, first, index) for index in range(1, count + 1)]
        return tuple(
            tensor_of(np.concatenate([row[i] for row in rows], value.type.time_axis or 0))
            for i, value in enumerate(self.node.outputs)
        )

    def _step(self, arrays: list[Numbers], first: int, index: int) -> tuple[Numbers, ...]:
        operands = tuple(
            step_of(value, array, index, self.sizes)
            for value, array in zip(self.node.inputs, arrays, strict=True)
        )
        time = first + index - 1
        self.state, results = at_node(self.node, lambda: self.op.step(self.state, operands, time))
        return checked(self.feed, self.node, self.sizes, results)
