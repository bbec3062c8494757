"""Which values of a graph are whole numbers, whatever comes in."""

from __future__ import annotations

import numpy as np

from spikec.ir import Array, Family, Graph, Node, Op, Spikes, Value, ops
from spikec.pipeline.weights import MOVES

KEEPS: tuple[type[Op], ...] = (
    *(*MOVES, ops.Linear, ops.Conv, ops.ConvTranspose, ops.Scale, ops.SumPool, ops.ReduceSum),
    *(ops.Add, ops.Sub, ops.Neg, ops.Mul, ops.MaxPool, ops.AdaptiveMaxPool, ops.ReduceMax),
    *(ops.Repeat, ops.Impulse, ops.Delay, ops.CumulativeSum, ops.Difference, ops.Accumulator),
)
"""Ops that make whole numbers of whole numbers, where their own numbers are whole."""


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


def _gives_whole(node: Node, given: bool) -> bool:
    op = node.op
    if not node.outputs:
        return False
    signal = node.outputs[0].type.signal
    if isinstance(signal, Spikes) and (node.op.family is Family.NEURON or not node.inputs):
        return is_whole(signal.amplitude)  # events are multiples of it
    if isinstance(op, ops.Input):
        return not node.outputs[0].type.dtype.is_float
    if isinstance(op, ops.Constant):
        return is_whole(op.value)
    if isinstance(op, ops.Round | ops.Floor):
        return True
    if isinstance(op, ops.Quantise):
        return op.amplitude is not None and is_whole(op.amplitude)  # multiples of it
    single = not isinstance(op, ops.Impulse) or op.steps == 1
    return given and single and isinstance(op, KEEPS) and all(map(is_whole, op.arrays.values()))
