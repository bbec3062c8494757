"""How a chip stores connections, which decides what an event at one of them takes."""

from __future__ import annotations

from enum import Enum

from spikec.ir import Node, Value, ops


class Storage(Enum):
    """Kinds of connections; values are fields of ``profile.Operations``."""

    MATRIX = "ac"
    """every weight of a dense matrix"""
    KERNEL = "ac_conv"
    """the weights of a kernel, once"""
    LISTED = "ac_sparse"
    """each connection by itself"""


def storage_of(node: Node) -> Storage:
    """Choose as the export for SANA-FE does: a layer of neurons has connections of one kind.

    A kernel stays one where events come to it as they were sent (behind a pool it would be another
    one), and where all that meets in the neuron comes from kernels.
    """
    if isinstance(node.op, ops.Linear):
        return Storage.MATRIX
    kernel = _from_kernel(node.outputs[0]) and _meets_kernels(node.outputs[0])
    return Storage.KERNEL if kernel else Storage.LISTED


def _from_kernel(value: Value) -> bool:
    """Tell whether kernels alone bring events here; what comes as a constant brings none."""
    node = value.producer
    if value.type.is_static:
        return True
    if isinstance(node.op, ops.Add | ops.Sub):
        return all(map(_from_kernel, node.inputs))
    return isinstance(node.op, ops.Conv | ops.ConvTranspose) and node.inputs[0].type.is_spikes


def _meets_kernels(value: Value) -> bool:
    joins = [user for user in value.users if isinstance(user.op, ops.Add | ops.Sub)]
    return all(_from_kernel(join.outputs[0]) and _meets_kernels(join.outputs[0]) for join in joins)
