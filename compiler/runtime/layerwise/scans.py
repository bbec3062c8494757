"""Which way a scan runs: without copies, through compiled code, or step after step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from spikec.ir.graph import Node
from spikec.ir.ops.coding import Cycle, Impulse, Repeat
from spikec.runtime.feed import Feed
from spikec.runtime.layerwise.native.call import NativeScan
from spikec.runtime.layerwise.native.library import library
from spikec.runtime.layerwise.native.rules import rule_of
from spikec.runtime.layerwise.pulse import InTurn, Operand, Pulsed, Repeated
from spikec.runtime.layerwise.stepped import SteppedScan


class Scan(Protocol):
    """A node with a state, on its way through time."""

    def advance(self, operands: Sequence[Operand], first: int, count: int) -> Sequence[Operand]:
        """Go ``count`` steps from step ``first``, which is 1 at the beginning."""


def scan_for(node: Node, feed: Feed, samples: int, carries: bool) -> Scan:
    """Choose the way; all of them give the same numbers.

    ``carries`` tells that the steps come in several blocks.
    """
    op = node.op
    if type(op) is Repeat:
        return Repeated()
    if type(op) is Impulse:
        return Pulsed(op)
    if type(op) is Cycle:
        return InTurn(op)
    rule = rule_of(op) if node.inputs[0].type.dtype.is_float else None
    compiled = None if rule is None else library(feed.dtype)
    if rule is None or compiled is None:
        return SteppedScan(node, feed, samples)
    return NativeScan(node, rule, compiled, feed.dtype, carries)
