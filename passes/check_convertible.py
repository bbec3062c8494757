"""Names everything that no neuron can compute, all at once, before anything is converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Editor, Graph, Node, ops
from spikec.pipeline import Context, Exactly, Pass, Promise
from spikec.pipeline.roles import MAXIMUM, WEIGHTED, behind, carries_sums, gates, is_activation


@dataclass(frozen=True)
class CheckConvertible(Pass):
    """What may stand between input and the last weights, and what may not.

    Linear maps, max-pools, ReLU, Clip(0, h); with ``gates`` also products of two values, and
    Sigmoid as a factor of one (squeeze-excite); with ``functions`` everything but weights that
    depend on data (deformable convolutions).  What follows the last weights and the last neuron
    (a softmax on the logits) runs on the decoded result.
    """

    gates: bool = True
    """whether the code to come carries gates: their values are no whole numbers"""
    functions: bool = False
    """whether the code to come carries any function of values"""

    name: ClassVar[str] = "check-convertible"
    promise: ClassVar[Promise] = Exactly(0.0)

    def apply(self, edit: Editor, context: Context) -> None:
        gated = gates(edit.graph)
        blocks = self.stumbling_blocks(edit.graph)
        problems = [_problem(node, is_gate=node in gated) for node in blocks]
        if problems:
            count = f"{len(problems)} node{'s' * (len(problems) > 1)}"
            raise UnsupportedModel(
                f"{count} of {edit.graph.name!r} cannot be made spiking", problems=problems
            )

    def stumbling_blocks(self, graph: Graph) -> list[Node]:
        """Give the nodes that neither neuron nor synapse can do, up to the last weights or neuron.

        In front of the first neuron a product of two values is only a product of real numbers.
        """
        inner = _inner(graph)
        depends = behind(graph, lambda node: isinstance(node.op, ops.Input))
        active = behind(graph, is_activation)
        gated = {node for node in gates(graph) if self.gates or node not in active}
        return [
            node
            for node in graph
            if node in inner
            and node in depends
            and not (carries_sums(node) or is_activation(node) or node in gated)
            and not (self.functions and not isinstance(node.op, WEIGHTED))
        ]


def _inner(graph: Graph) -> set[Node]:
    """Give all weights and activations, and what stands in front of them."""
    inner: set[Node] = set()
    for node in reversed(graph.nodes):
        users = {user for value in node.outputs for user in value.users}
        if users & inner or isinstance(node.op, WEIGHTED) or is_activation(node):
            inner.add(node)
    return inner


def _problem(node: Node, is_gate: bool) -> Problem:
    kind = type(node.op).__name__
    expected = f"linear ops, {_MAXIMA}, ReLU, ReLU6, Clip, LeakyReLU, HardSigmoid"
    remedy = "use recipe differential or lossless, or train the network with ReLU in this place"
    if is_gate:
        reason = f"{kind} is part of a gate, whose values are no whole numbers"
        remedy = "use another recipe: differential, lossless, graded, rate, signed or phased"
    elif isinstance(node.op, ops.Div | ops.Matmul | ops.Einsum):
        reason = f"{kind} of two values that both come from the input"
    elif isinstance(node.op, ops.Sigmoid):
        reason = "Sigmoid that is no factor of a product"
    else:
        reason = f"{kind} is neither a linear map, nor a max-pool, ReLU or clip from 0"
    return Problem(reason, str(node.location) or f"%{node.name}", expected, remedy)


_MAXIMA = ", ".join(op.__name__ for op in MAXIMUM)
