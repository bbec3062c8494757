"""Which nodes make events of values: codes, and neurons that see an input part by part."""

from __future__ import annotations

from spikec.ir.graph import Node
from spikec.ir.ops.coding import Cycle, Encoder


def encodes(node: Node) -> bool:
    """Tell whether a node is an encoder's own: nothing is learned of it, and a host may run it."""
    return isinstance(node.op, Encoder) or in_turn(node)


def in_turn(node: Node) -> bool:
    """Tell whether a node holds neurons that see another part of an input at each step."""
    return node.fires and isinstance(node.inputs[0].producer.op, Cycle)
