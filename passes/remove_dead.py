"""Removes nodes whose results nobody reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.ir import Editor
from spikec.ir.ops import Input, Output
from spikec.pipeline import Context, Exactly, Pass, Promise


@dataclass(frozen=True)
class RemoveDead(Pass):
    """Keeps what an Output needs, and every Input (the caller's signature).

    ::

        %a = ReLU(%x)                 ->      %a = ReLU(%x)
        %b = Tanh(%x)                         output %a
        output %a
    """

    name: ClassVar[str] = "remove-dead"
    promise: ClassVar[Promise] = Exactly(0.0)

    def apply(self, edit: Editor, context: Context) -> None:
        for node in reversed(edit.graph.nodes):
            if isinstance(node.op, Input | Output):
                continue
            if not any(value.users for value in node.outputs):
                edit.remove(node)
