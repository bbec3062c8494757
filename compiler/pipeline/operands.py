"""Which operands of weights and products are no events, and need neurons in front of them."""

from __future__ import annotations

from dataclasses import dataclass

from spikec.ir import Graph, Node, Value, ops
from spikec.pipeline.roles import (
    MAXIMUM,
    PRODUCTS,
    WEIGHTED,
    behind,
    carries_sums,
    is_activation,
    is_site,
)


@dataclass(frozen=True)
class Operand:
    """A value that a map with weights, or a product, reads."""

    reader: Node
    index: int

    @property
    def value(self) -> Value:
        return self.reader.inputs[self.index]

    @property
    def axis(self) -> int:
        """The axis that is summed over: of features, or of channels in front of windows."""
        op = self.reader.op
        if isinstance(op, ops.Conv | ops.ConvTranspose):
            return -len(op.kernel) - 1
        if isinstance(op, ops.Matmul) and self.index == 1 and _is_turned(self.value.producer):
            return -2
        return -1


def dense_operands(graph: Graph, whole: bool = False) -> list[Operand]:
    """Give all operands that hold more than what neurons send, or the input as it came.

    Events that are moved, pooled and added on their way are events still.  What comes from weights
    or functions is not, and what comes from the input alone is multiplied once.

    With ``whole``, what weights read of weights is left out, and whatever a product reads is there:
    events of one layer can have other units in each channel.
    """
    depends = behind(graph, lambda node: isinstance(node.op, ops.Input))
    dense: set[Node] = set()
    found = []
    for node in graph:
        operands = [Operand(node, i) for i in _operands(node, depends)]
        every = whole and isinstance(node.op, PRODUCTS)
        found += [o for o in operands if o.value.producer in dense or (every and _bare(o.value))]
        if node in depends and not (is_site(node) or is_activation(node)):
            weighted = isinstance(node.op, WEIGHTED) and not whole
            made = weighted or not carries_sums(node)
            passed = any(value.producer in dense for value in node.inputs)
            pool = isinstance(node.op, MAXIMUM)
            if (made and not pool) or passed:
                dense.add(node)
    return found


def _operands(node: Node, depends: set[Node]) -> list[int]:
    if isinstance(node.op, WEIGHTED):
        return [0]
    if isinstance(node.op, PRODUCTS):
        return [i for i, value in enumerate(node.inputs) if value.producer in depends]
    return []


def _bare(value: Value) -> bool:
    """Tell whether no signed site stands directly in front of a product."""
    op = value.producer.op
    return not (isinstance(op, ops.QuantReLU) and op.low < 0)


def _is_turned(node: Node) -> bool:
    """Tell whether the last two axes have been exchanged here, as of keys in attention."""
    return isinstance(node.op, ops.Permute) and tuple(node.op.order[-2:]) == (-1, -2)
