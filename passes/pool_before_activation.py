"""Moves max-pooling in front of the activation, where it sees currents instead of spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.ir import Editor, Node
from spikec.ir.ops import AdaptiveMaxPool, Clip, MaxPool, ReduceMax, ReLU
from spikec.pipeline import Context, Exactly, Pass, Promise


@dataclass(frozen=True)
class PoolBeforeActivation(Pass):
    """max ReLU(x) = ReLU(max x), as for every activation that never falls.

    Only where the activation has no other reader; elsewhere the pool stays, and the spiking
    rewrite takes it by the exact cumulative-max difference.

    ::

        %r = ReLU(%x)                 ->      %p = MaxPool(%x)
        %p = MaxPool(%r)                      %r = ReLU(%p)
    """

    name: ClassVar[str] = "pool-before-activation"
    promise: ClassVar[Promise] = Exactly(0.0)

    def apply(self, edit: Editor, context: Context) -> None:
        for node in edit.graph.nodes:
            pool = node
            while pool.inputs and _swappable(pool, pool.inputs[0].producer):
                pool = _swap(edit, pool, pool.inputs[0].producer)


def _swappable(pool: Node, activation: Node) -> bool:
    monotonic = isinstance(activation.op, ReLU | Clip)
    is_max = isinstance(pool.op, MaxPool | AdaptiveMaxPool | ReduceMax)
    return is_max and monotonic and len(activation.outputs[0].users) == 1


def _swap(edit: Editor, pool: Node, activation: Node) -> Node:
    """Exchange the two; give the pool, which may have another activation in front of it."""
    both = (activation, pool)
    first = edit.add(pool.op, *activation.inputs, name=pool.name, sources=both, before=pool)
    second = edit.add(activation.op, first, name=activation.name, sources=both, before=pool)
    edit.replace(pool.outputs[0], second)
    edit.remove(pool)
    edit.remove(activation)
    return first.producer
