"""What becomes of each node of a network: neuron, synapse, maximum, gate, or work on the result."""

from __future__ import annotations

from collections.abc import Callable

from spikec.ir import Graph, Node, Op, ops
from spikec.pipeline.weights import MOVES

LINEAR: tuple[type[Op], ...] = (
    *(ops.Linear, ops.Conv, ops.ConvTranspose, ops.Scale),
    *(ops.Add, ops.Sub, ops.Neg, ops.Mul, ops.Div),
    *(ops.AvgPool, ops.SumPool, ops.AdaptiveAvgPool, ops.ReduceSum, ops.ReduceMean),
    *(ops.Reshape, ops.Permute, ops.Slice, ops.Flip, ops.Pad, ops.Concat, ops.Expand, ops.Tile),
    *(ops.Gather, ops.Resize, ops.PixelShuffle, ops.PixelUnshuffle, ops.Roll),
)
"""Ops that map a sum over time to the sum of their results (Mul and Div: by a constant)."""

_OTHERS: tuple[type[Op], ...] = (ops.QuantReLU, ops.Input, ops.Output, ops.Constant)

MAXIMUM: tuple[type[Op], ...] = (ops.MaxPool, ops.AdaptiveMaxPool, ops.ReduceMax)
"""Ops that become exact by the difference of cumulative maxima."""

PRODUCTS: tuple[type[Op], ...] = (ops.Matmul, ops.Einsum)
"""Ops that multiply and sum; linear in one operand where the others are constant."""

WEIGHTED: tuple[type[Op], ...] = (ops.Linear, ops.Conv, ops.ConvTranspose, ops.DeformConv)


def is_site(node: Node) -> bool:
    """Tell whether a neuron will stand here."""
    return isinstance(node.op, ops.QuantReLU)


def is_activation(node: Node) -> bool:
    """Tell whether a neuron can compute this: ReLU, or Clip(0, h)."""
    op = node.op
    clipped = isinstance(op, ops.Clip) and op.low == 0 and op.high is not None and op.high > 0
    return clipped or isinstance(op, ops.ReLU)


def carries_sums(node: Node) -> bool:
    """Tell whether the node maps sums over time to sums, or is a maximum."""
    if isinstance(node.op, ops.Mul | ops.Div):
        constant = [isinstance(v.producer.op, ops.Constant) for v in node.inputs]
        return constant[1] or (constant[0] and isinstance(node.op, ops.Mul))
    if isinstance(node.op, ops.Pad) and node.op.mode is ops.PadMode.CONSTANT:
        return node.op.value == 0  # another value would come at every step
    return isinstance(node.op, (*LINEAR, *MAXIMUM, *_OTHERS))


def gates(graph: Graph) -> set[Node]:
    """Give the products of two values, and the sigmoids that are factors of products.

    A sigmoid that reaches weights or an activation by another way is no gate.
    """
    found: set[Node] = set()
    ends_in_products: set[Node] = set()
    for node in reversed(graph.nodes):
        users = (user for value in node.outputs for user in value.users)
        ends = all(user in ends_in_products for user in users)
        if _is_product(node):
            found.add(node)
            ends_in_products.add(node)
        elif ends and isinstance(node.op, ops.Sigmoid):
            found.add(node)
        elif isinstance(node.op, ops.Output) or (ends and _is_plain(node)):
            ends_in_products.add(node)
    return found


def _is_product(node: Node) -> bool:
    return isinstance(node.op, ops.Mul) and not carries_sums(node)


def _is_plain(node: Node) -> bool:
    return carries_sums(node) and not (isinstance(node.op, WEIGHTED) or is_site(node))


def suffix(graph: Graph) -> set[Node]:
    """Give the nodes behind the decoded value: a Scale, or non-linear ones, with no site behind.

    A softmax on the logits, say: it is applied to the decoded estimate of each step.  A gate with
    weights behind it stands between neurons and weights, and is none of them.
    """
    to_site = _in_front_of(graph, is_site)
    to_weights = _in_front_of(graph, lambda node: isinstance(node.op, WEIGHTED))
    inner = gates(graph) & to_weights
    found: set[Node] = set()
    for node in graph:
        behind = any(value.producer in found for value in node.inputs)
        body = bool(node.inputs) and not isinstance(node.op, ops.Output)
        starts = isinstance(node.op, ops.Scale) or not (carries_sums(node) or node in inner)
        if body and node not in to_site and (behind or starts):
            found.add(node)
    return found


def real_numbers(graph: Graph) -> set[Node]:
    """Give what lies between sites and is no whole number of anything: functions and products.

    Where there are any, sums, moves and pools of what weights have given belong to them: there no
    current needs a unit.  What is made of events alone, and what comes before them, does not.
    """
    inner = behind(graph, lambda n: is_site(n) or isinstance(n.op, ops.Quantise)) - suffix(graph)
    functions = {n for n in inner if not (carries_sums(n) or isinstance(n.op, ops.Quantise))}
    if not functions:
        return set()
    return functions | {n for n in _dense(graph, inner) if _is_plain(n) and n.outputs}


def feeds_product(node: Node) -> bool:
    """Tell whether a product reads what this gives, moved or not."""
    users = {user for value in node.outputs for user in value.users}
    return any(
        isinstance(user.op, PRODUCTS) or (isinstance(user.op, MOVES) and feeds_product(user))
        for user in users
    )


def _dense(graph: Graph, inner: set[Node]) -> set[Node]:
    """Give the nodes whose results weights or functions have a part in."""
    found: set[Node] = set()
    for node in graph:
        made = isinstance(node.op, WEIGHTED) or not carries_sums(node)
        passed = any(value.producer in found for value in node.inputs)
        if node in inner and not is_site(node) and (made or passed):
            found.add(node)
    return found


def _in_front_of(graph: Graph, wanted: Callable[[Node], bool]) -> set[Node]:
    """Give the wanted nodes, and all whose results reach one."""
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        users = (user for value in node.outputs for user in value.users)
        if wanted(node) or any(user in found for user in users):
            found.add(node)
    return found


def behind(graph: Graph, wanted: Callable[[Node], bool]) -> set[Node]:
    """Give the wanted nodes, and all that depend on one."""
    found: set[Node] = set()
    for node in graph:
        if wanted(node) or any(value.producer in found for value in node.inputs):
            found.add(node)
    return found
