"""Which values of a graph are whole numbers, whatever comes in."""

from __future__ import annotations

import numpy as np

from spikec.ir import Array, Family, Graph, Node, Op, Spikes, Value, ops
from spikec.pipeline.roles import behind, carries_sums, is_site, suffix
from spikec.pipeline.weights import MOVES

KEEPS: tuple[type[Op], ...] = (
    *(*MOVES, ops.Linear, ops.Conv, ops.ConvTranspose, ops.Scale, ops.SumPool, ops.ReduceSum),
    *(
        ops.Add,
        ops.Sub,
        ops.Neg,
        ops.Mul,
        ops.Matmul,
        ops.Einsum,
        ops.MaxPool,
        ops.AdaptiveMaxPool,
        ops.ReduceMax,
    ),
    *(ops.Repeat, ops.Impulse, ops.Delay, ops.CumulativeSum, ops.Difference, ops.Accumulator),
)
"""Ops that make whole numbers of whole numbers, where their own numbers are whole."""


_SENDERS = (Family.NEURON, Family.CODING)


def is_whole(array: Array) -> bool:
    """Tell whether all numbers of an array are whole."""
    return bool((array.data == np.round(array.data)).all())


def whole_values(graph: Graph) -> set[Value]:
    """Give the values that hold whole numbers alone."""
    found: set[Value] = set()
    for node in graph:
        if _gives_whole(node, all(value in found for value in node.inputs)):
            found.update(node.outputs)
    return found


def sends_counts(graph: Graph) -> bool:
    """Tell whether all quantisers give counts: a network of whole numbers."""
    sites = [node.op for node in graph if isinstance(node.op, ops.QuantReLU)]
    return all(site.amplitude is not None for site in sites)


def rounded_between(graph: Graph) -> set[Node]:
    """Give the sums and moves, in a network of whole numbers, of what is none.

    They stand between functions; changes of what they give would be rounded, and not add up.
    """
    if not sends_counts(graph):
        return set()
    whole = whole_values(graph)
    inner = behind(graph, is_site) - suffix(graph)
    return {n for n in inner if carries_sums(n) and n.outputs and n.outputs[0] not in whole}


def first_fractions(graph: Graph, value: Value) -> tuple[Node, ...]:
    """Give the nodes that lead to a value and make fractions of whole numbers, or of nothing."""
    whole = whole_values(graph)
    found: dict[Node, None] = {}
    waiting, seen = [value], {value}
    while waiting:
        last = waiting.pop()
        if last in whole:
            continue
        before = [v for v in last.producer.inputs if v not in whole]
        if not before:
            found[last.producer] = None
        waiting += [v for v in before if v not in seen]
        seen.update(before)
    return tuple(node for node in graph if node in found)


def _gives_whole(node: Node, given: bool) -> bool:
    op = node.op
    if not node.outputs:
        return False
    signal = node.outputs[0].type.signal
    if isinstance(signal, Spikes) and (node.op.family in _SENDERS or not node.inputs):
        return is_whole(signal.amplitude)  # events are multiples of it
    if isinstance(op, ops.QuantReLU | ops.Quantise):
        return op.amplitude is not None and is_whole(op.amplitude)
    if isinstance(op, ops.Input):
        return not node.outputs[0].type.dtype.is_float
    if isinstance(op, ops.Constant):
        return is_whole(op.value)
    if isinstance(op, ops.Round | ops.Floor):
        return True
    if isinstance(op, ops.Quantise):
        return is_whole(op.step if op.amplitude is None else op.amplitude)
    if isinstance(op, ops.Pad) and op.value != round(op.value):
        return False
    single = not isinstance(op, ops.Impulse) or op.steps == 1
    return given and single and isinstance(op, KEEPS) and all(map(is_whole, op.arrays.values()))
