"""Names everything that no neuron can compute, all at once, before anything is converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Editor, Graph, Node, ops
from spikec.pipeline import Context, Exactly, Pass, Promise
from spikec.pipeline.spiking import MAXIMUM, carries_sums, is_activation

WEIGHTED = (ops.Linear, ops.Conv, ops.ConvTranspose, ops.DeformConv)


@dataclass(frozen=True)
class CheckConvertible(Pass):
    """Between input and the last weights may stand: linear maps, max-pools, ReLU and Clip(0, h).

    What follows the last weights and the last neuron (a softmax on the logits) runs on the decoded
    result.
    """

    name: ClassVar[str] = "check-convertible"
    promise: ClassVar[Promise] = Exactly(0.0)

    def apply(self, edit: Editor, context: Context) -> None:
        problems = [_problem(node) for node in stumbling_blocks(edit.graph)]
        if problems:
            count = f"{len(problems)} node{'s' * (len(problems) > 1)}"
            raise UnsupportedModel(
                f"{count} of {edit.graph.name!r} cannot be made spiking", problems=problems
            )


def stumbling_blocks(graph: Graph) -> list[Node]:
    """Give the nodes that neither neuron nor synapse can do, up to the last weights or neuron."""
    inner: set[Node] = set()
    for node in reversed(graph.nodes):
        users = {user for value in node.outputs for user in value.users}
        if users & inner or isinstance(node.op, WEIGHTED) or is_activation(node):
            inner.add(node)
    depends = _on_input(graph)
    return [
        node
        for node in graph
        if node in inner and node in depends and not (carries_sums(node) or is_activation(node))
    ]


def _on_input(graph: Graph) -> set[Node]:
    found: set[Node] = set()
    for node in graph:
        if isinstance(node.op, ops.Input) or any(v.producer in found for v in node.inputs):
            found.add(node)
    return found


def _problem(node: Node) -> Problem:
    kind = type(node.op).__name__
    if isinstance(node.op, ops.Mul | ops.Div | ops.Matmul | ops.Einsum):
        reason = f"{kind} of two values that both come from the input"
    else:
        reason = f"{kind} is neither a linear map, nor a max-pool, ReLU or clip from 0"
    known = ", ".join(op.__name__ for op in MAXIMUM)
    return Problem(
        reason,
        where=str(node.location) or f"%{node.name}",
        expected=f"linear ops, {known}, ReLU, ReLU6, Clip, LeakyReLU, HardSigmoid",
        remedy="train the network with ReLU in this place",
    )
