"""Writes Clip(0, h) as a bound and a ReLU, for neurons that have no upper bound of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.ir import Editor, ops
from spikec.pipeline import Context, Exactly, Pass, Promise
from spikec.pipeline.roles import is_activation


@dataclass(frozen=True)
class ClipBeforeActivation(Pass):
    """min(max(x, 0), h) = max(min(x, h), 0) for h > 0: the bound is a function of the current.

    A neuron whose decoded value is corrected again and again may pass any full scale, so that only
    what reaches it can be bounded.

    ::

        %y = Clip(%x; 0, 6)           ->      %b = Clip(%x; high=6)
                                              %y = ReLU(%b)
    """

    name: ClassVar[str] = "clip-before-activation"
    promise: ClassVar[Promise] = Exactly(0.0)

    def apply(self, edit: Editor, context: Context) -> None:
        for node in edit.graph.nodes:
            if isinstance(node.op, ops.Clip) and is_activation(node):
                bound = edit.add(
                    ops.Clip(None, node.op.high),
                    *node.inputs,
                    name=f"{node.name}_bound",
                    location=node.location,
                    sources=(node,),
                    before=node,
                )
                edit.rewire(node, [bound])
                edit.change_op(node, ops.ReLU())
