"""Sums over windows that are part of the synapses behind them: W (P x) = (W P) x.

A pool of events has no weight and no neuron: chips multiply it into the weights behind it (the
pass `fold-pools`), and an event then takes one synaptic operation for each neuron that it reaches.
That holds as long as all that reads the pool are weights, and its windows do not overlap.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.energy.site import Wholes
from spikec.ir import Node, Value, ops
from spikec.ir.layout import ONE
from spikec.ir.op import Timing

POOLS = (ops.SumPool, ops.AvgPool, ops.AdaptiveAvgPool)
LAYERS = (ops.Linear, ops.Conv, ops.ConvTranspose)


def sender(node: Node) -> Value | None:
    """Give the value whose events reach the first operand of a node; None where none do."""
    value = node.inputs[0]
    while not value.type.is_spikes:
        if not (isinstance(node.op, LAYERS) and is_part(value.producer)):
            return None
        value = value.producer.inputs[0]
    return value


def is_folded(pool: Node) -> bool:
    """Tell whether a pool of events is part of the synapses behind it."""
    if not is_part(pool):
        return False
    value = pool.inputs[0]
    while not value.type.is_spikes and is_part(value.producer):
        value = value.producer.inputs[0]
    return value.type.is_spikes


def is_part(node: Node) -> bool:
    """Tell whether weights are all that reads a pool, or what only reshapes one."""
    if isinstance(node.op, ops.Reshape):
        sizes = {prod(v.type.step().shape(ONE)) for v in (*node.inputs, *node.outputs)}
        fits = node.timing is not Timing.WHOLE and len(sizes) == 1
    else:
        fits = isinstance(node.op, POOLS) and all(
            matrix.sum(axis=1).max() <= 1 for matrix in windows(node)
        )
    return fits and all(
        isinstance(user.op, LAYERS) or is_part(user) for user in node.outputs[0].users
    )


def windows(pool: Node) -> list[NDArray[np.int64]]:
    """Give, for each axis, which elements [size, windows] a window holds."""
    op: Any = pool.op
    size = pool.inputs[0].type.step().shape(ONE)
    adaptive = isinstance(op, ops.AdaptiveAvgPool)
    names = ("output",) if adaptive else ("kernel", "stride", "padding", "dilation")
    rank = len(getattr(op, names[0]))
    found = []
    for axis in range(rank):
        alone = replace(op, **{name: getattr(op, name)[axis : axis + 1] for name in names})
        (y,) = alone.run((np.eye(size[axis - rank]),), ONE)
        found.append((y != 0).astype(np.int64))
    return found


def pulled(fan: Wholes, node: Node, source: Value) -> Wholes:
    """Turn the fan-out of a node's operand into that of the events that reach it."""
    value = node.inputs[0]
    while value is not source:
        part = value.producer
        if isinstance(part.op, POOLS):
            matrices = windows(part)
            fan = fan.reshape(value.type.step().shape(ONE))
            for axis, matrix in enumerate(matrices, start=-len(matrices)):
                fan = np.moveaxis(np.tensordot(fan, matrix, ((axis,), (1,))), -1, axis)
        value = part.inputs[0]
    return fan.ravel()
