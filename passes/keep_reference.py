"""Keeps the network as it is now: what later passes and evaluations compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.ir import Editor, Stage
from spikec.ir.edit import copied
from spikec.pipeline import Context, Exactly, Pass, Promise


@dataclass(frozen=True)
class KeepReference(Pass):
    """Copies the graph into the context; the graph itself stays what it is.

    A spiking graph is copied where nothing was kept before: a network that was trained spiking is
    its own reference.
    """

    name: ClassVar[str] = "keep-reference"
    promise: ClassVar[Promise] = Exactly(0.0)

    def apply(self, edit: Editor, context: Context) -> None:
        if edit.graph.stage is Stage.ANALOG or context.reference is None:
            context.reference = copied(edit.graph)
