"""Writes populations as what they are: layers of more, binary neurons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Editor, Node, Op, Value, ops
from spikec.ir.ops import Population
from spikec.pipeline import Approximately, Context, Pass, Promise
from spikec.pipeline.channels import channel_axis

Index = NDArray[np.int64]


@dataclass(frozen=True)
class SplitPopulations(Pass):
    """Each member has a channel of its own, behind the same current (see ``Population``).

    Rows of the weights in front are repeated, through sums and repetitions over time; where that
    cannot be, a Gather repeats the current.  Columns of the weights behind are repeated; for all
    other readers the members of a channel are summed up by weights of 1.

    ::

        %x = Conv(%a; W)                 ->   %x = Conv(%a; W[index])
        %n = Population(%x; k=2)              %n_members = IntegrateFire(%x; one channel a member)
        %y = Conv(%n; V)                      %y = Conv(%n_members; V[:, index])
    """

    name: ClassVar[str] = "split-populations"
    promise: ClassVar[Promise] = Approximately("potentials at a threshold are rounded otherwise")

    def apply(self, edit: Editor, context: Context) -> None:
        for node in edit.graph.nodes:
            if isinstance(node.op, Population):
                _split(edit, node, node.op)


def _split(edit: Editor, node: Node, op: Population) -> None:
    current = node.inputs[0]
    axis = channel_axis(current)
    channels = current.type.dims[current.type.rank + axis]
    assert isinstance(channels, int)
    index, members = op.binary(channels)
    repeated = _repeated(edit, current, (index, axis), node)
    name = f"{node.name}_members"
    sent = edit.add(members, repeated, name=name, sources=(node,), before=node)
    value = node.outputs[0]
    for reader in tuple(value.users):
        folded = _columns(reader.op, index, axis)
        if folded is not None:
            _replace(edit, reader, edit.add(folded, sent, name=reader.name, before=reader))
    if value.users:
        edit.replace(value, _summed(edit, sent, (index, axis, channels), node))
    edit.remove(node)


def _replace(edit: Editor, node: Node, new: Value) -> None:
    edit.replace(node.outputs[0], new)
    edit.remove(node)


def _repeated(edit: Editor, value: Value, along: tuple[Index, int], at: Node) -> Value:
    """Give a value whose channels are repeated; ``at`` is its reader."""
    index, axis = along
    node = value.producer
    alone = len(value.users) == 1
    wide = all(v.type.rank >= -axis and v.type.dims[axis] != 1 for v in node.inputs)
    new: Op | None = None
    operands = list(node.inputs)
    if alone and isinstance(node.op, ops.Repeat | ops.Add) and wide:
        new, operands = node.op, [_repeated(edit, v, along, node) for v in node.inputs]
    elif alone:
        new = _rows(node.op, index, axis)
    if new is not None:  # the old node is dead now
        name = f"{node.name}_members"
        return edit.add(new, *operands, name=name, sources=(node,), before=node)
    gather = ops.Gather(Array(index), axis)
    return edit.add(gather, value, name=f"{at.name}_repeated", sources=(at,), before=at)


def _rows(op: Op, index: Index, axis: int) -> Op | None:
    """Repeat what a linear map gives; None where it does not write to that axis alone."""
    if not isinstance(op, ops.Linear | ops.Conv) or not _writes_to(op, axis):
        return None
    bias = None if op.bias is None else Array(op.bias.data[index])
    return replace(op, weight=Array(op.weight.data[index]), bias=bias)


def _columns(op: Op, index: Index, axis: int) -> Op | None:
    """Repeat what a linear map reads."""
    if not isinstance(op, ops.Linear | ops.Conv) or not _writes_to(op, axis):
        return None
    return replace(op, weight=Array(op.weight.data[:, index]))


def _writes_to(op: ops.Linear | ops.Conv, axis: int) -> bool:
    """Tell whether a map reads from and writes to that axis, all channels to all."""
    if isinstance(op, ops.Linear):
        return axis == -1
    return op.groups == 1 and axis == -len(op.kernel) - 1


def _summed(edit: Editor, sent: Value, along: tuple[Index, int, int], node: Node) -> Value:
    """Add the members of each channel up."""
    index, axis, channels = along
    ones = (np.arange(channels)[:, None] == index).astype(np.float32)
    rank = -axis - 1
    if rank:
        one = (1,) * rank
        weight = Array(ones.reshape(*ones.shape, *one))
        op: Op = ops.Conv(weight, None, one, ((0, 0),) * rank, one, 1)
    else:
        op = ops.Linear(Array(ones), None)
    return edit.add(op, sent, name=f"{node.name}_sum", sources=(node,), before=node)
