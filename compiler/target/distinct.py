"""How many different weights a neuron has, where a chip knows few of them."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Op, ops
from spikec.target.layers import Connection
from spikec.target.model import Target

WEIGHTED = (ops.Linear, ops.Conv, ops.ConvTranspose)


def distinct_weights(op: Op) -> int:
    """Give the most different weights other than 0 that one neuron has."""
    if not isinstance(op, WEIGHTED):
        return 1
    rows = np.sort(rows_of(op), axis=1)
    new = np.diff(rows, axis=1, prepend=np.nan) != 0
    return int((new & (rows != 0)).sum(axis=1).max(initial=0))


def rows_of(op: ops.Linear | ops.Conv | ops.ConvTranspose) -> NDArray[np.float64]:
    """Give the weights of each channel that comes out, one row each."""
    weight = op.weight.data.astype(np.float64)
    if not isinstance(op, ops.ConvTranspose):
        return weight.reshape(len(weight), -1)
    count, out = op.groups, weight.shape[1]
    grouped = weight.reshape(count, len(weight) // count, out, -1).swapaxes(1, 2)
    return grouped.reshape(count * out, -1)


def axons_per_source(connection: Connection, target: Target) -> int:
    """Give the input axons that one source takes: at most.

    Where a neuron has few weights (TrueNorth), it has one for each type of axon, and an axon has
    one type for all neurons of its core: a source that is to act by different weights comes by as
    many axons.
    """
    most = target.weights.values_per_neuron
    if most is None:
        return 1
    different = prod(max(1, distinct_weights(op)) for op in connection.path.weights)
    return min(most.value, different)
