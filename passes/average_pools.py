"""Puts average pools in the place of max-pools: only where somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from spikec.ir import Editor, Op
from spikec.ir.ops import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, MaxPool
from spikec.pipeline import Approximately, Context, Pass, Promise


@dataclass(frozen=True)
class AveragePools(Pass):
    """max x -> mean x over the same windows; padding is no element of either.

    An average is one more synapse, where a maximum between neurons needs sums over time.  The
    network computes something else then: put behind keep-reference, all later passes and
    evaluations compare with the network as it was.

    ::

        %p = MaxPool(%x)              ->      %p = AvgPool(%x; count_padding=false)
    """

    name: ClassVar[str] = "average-pools"
    promise: ClassVar[Promise] = Approximately("means stand in the place of maxima")

    def apply(self, edit: Editor, context: Context) -> None:
        for node in edit.graph.nodes:
            rule = RULES.get(type(node.op))
            if rule is not None:
                edit.change_op(node, rule(node.op))


def _windows(op: Any) -> AvgPool:
    return AvgPool(op.kernel, op.stride, op.padding, op.dilation, op.ceil_mode, count_padding=False)


def _regions(op: Any) -> AdaptiveAvgPool:
    return AdaptiveAvgPool(op.output)


RULES: Mapping[type[Op], Callable[[Any], Op]] = {MaxPool: _windows, AdaptiveMaxPool: _regions}
