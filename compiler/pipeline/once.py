"""Delivers constants once, for the codes in which values add up over time instead of averaging."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from spikec.ir import Array, Editor, Graph, Node, Op, Value, ops
from spikec.ir.op import Family
from spikec.ir.ops import CumulativeSum, Difference, DifferentialReadout, Impulse

_DECODED = (CumulativeSum, DifferentialReadout)


def deliver_once(graph: Graph, edit: Editor) -> None:
    """Let every bias come at the first step only; estimates have theirs at every step.

    ::

        %y = Linear(%s; weight, bias)     ->      %y = Linear(%s; weight)
                                                  %c = Add(%y, Impulse(bias))
    """
    running = _running(graph)
    for node in graph.nodes:
        if node.inputs and not node.inputs[0].type.is_static and node not in running:
            _bias_once(edit, node)


def _running(graph: Graph) -> set[Node]:
    """Give the nodes that see what has come so far, instead of what one step brings.

    A product of the one and the other is what one step brings.
    """
    found: set[Node] = set()
    for node in graph:
        before = [value.producer for value in node.inputs if not value.type.is_static]
        summed = bool(before) and all(n in found or isinstance(n.op, _DECODED) for n in before)
        if summed and not (isinstance(node.op, Difference) or node.op.family is Family.NEURON):
            found.add(node)
    return found


def _bias_once(edit: Editor, node: Node) -> None:
    op = node.op
    match op:
        case ops.Linear(bias=Array() as bias):
            shape: tuple[int, ...] = (-1,)
            bare: Op = replace(op, bias=None)
        case ops.Conv(bias=Array() as bias) | ops.ConvTranspose(bias=Array() as bias):
            shape, bare = (-1, *(1,) * len(op.kernel)), replace(op, bias=None)
        case ops.Scale(shift=Array() as bias):
            shape, bare = (-1, *(1,) * (-op.axis - 1)), replace(op, shift=None)
        case _:
            return
    edit.change_op(node, bare)
    nodes = edit.graph.nodes
    _put_behind(edit, node.outputs[0], bias.data.reshape(shape), nodes[nodes.index(node) + 1])


def add_once(edit: Editor, current: Value, shift: NDArray[Any], axis: int) -> None:
    """Let ``current`` be larger by shift[c] at the first step, c the index on ``axis``.

    The shift goes into the constant that is added to ``current`` once anyhow, inside or directly
    behind it; where there is none, such a sum is put behind.
    """
    wide = shift.reshape(-1, *(1,) * (-axis - 1))
    users = tuple(current.users)
    for node in (current.producer, *(users if len(users) == 1 else ())):
        constant = _constant_of(node)
        if constant is not None:
            assert isinstance(constant.op, ops.Constant)
            total = constant.op.value.data + wide
            edit.change_op(constant, ops.Constant(Array(total, "float32")))
            return
    _put_behind(edit, current, wide, next(node for node in edit.graph if node in users))


def _put_behind(edit: Editor, value: Value, bias: NDArray[Any], before: Node) -> None:
    """Add a constant to a value at the first step, for all that read it."""
    rank = value.type.rank - 1
    full = Array(bias.reshape((1,) * (rank - bias.ndim) + bias.shape), "float32")
    origin, readers = value.producer, tuple(value.users)

    def add(op: Op, *operands: Value, name: str) -> Value:
        name = f"{origin.name}_{name}"
        return edit.add(op, *operands, name=name, sources=(origin,), before=before)

    once = add(Impulse(), add(ops.Constant(full), name="bias"), name="bias_once")
    total = add(ops.Add(), value, once, name="current")
    for reader in readers:
        edit.rewire(reader, [total if v is value else v for v in reader.inputs])


def _constant_of(node: Node) -> Node | None:
    """Give the constant of its own that a sum adds at the first step."""
    if not isinstance(node.op, ops.Add):
        return None
    for value in node.inputs:
        impulse = value.producer
        if isinstance(impulse.op, Impulse) and len(value.users) == 1 and impulse.op.steps == 1:
            constant = impulse.inputs[0]
            if isinstance(constant.producer.op, ops.Constant) and len(constant.users) == 1:
                return constant.producer
    return None
