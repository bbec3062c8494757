"""Programs in whole numbers from the first layer on: every tool computes the same bits."""

from __future__ import annotations

from spikec.errors import Problem
from spikec.ir import Graph, Node, Value, ops
from spikec.ir.op import Family
from spikec.ir.ops import Impulse, Leak
from spikec.ir.types import Analog, Spikes
from spikec.pipeline.bounds import BOUNDS, OVER_TIME
from spikec.pipeline.roles import WEIGHTED
from spikec.pipeline.wholeness import is_whole

ROUND_WEIGHTS = "convert with --weight-bits (pass whole-weights)"
ROUND_BOTH = "convert with --input-bits and --weight-bits"


def rounds_inputs(graph: Graph) -> bool:
    """Tell whether all analog inputs are rounded where they enter."""
    analog = [
        node
        for node in graph.inputs
        if node.outputs[0].type.dtype.is_float and isinstance(node.outputs[0].type.signal, Analog)
    ]
    readers = [user for node in analog for user in node.outputs[0].users]
    return bool(analog) and all(isinstance(user.op, ops.Quantise) for user in readers)


def inexact(graph: Graph) -> list[Problem]:
    """Give what keeps a program from being computed in whole numbers up to its decoders.

    Where there is nothing, every current and potential of a program that ``whole-weights`` has
    bounded is a whole number below 2^24, so that events do not depend on the order of sums, on
    the precision, or on the tool.
    """
    whole: set[Value] = set()
    problems = []
    for node in graph:
        given = all(value in whole for value in node.inputs)
        found = _problem(node, given)
        if found is not None:
            problems.append(found)
        if found is None and _stays_whole(node, given):
            whole.update(node.outputs)
    return problems


def _problem(node: Node, given: bool) -> Problem | None:
    neuron = node.op.family is Family.NEURON
    if not (neuron or isinstance(node.op, WEIGHTED)):
        return None
    if not given:
        what = "what comes in are no whole numbers"
        return Problem(what, node.place, "rounded inputs, counts", ROUND_BOTH)
    broken = [name for name, array in node.op.arrays.items() if not is_whole(array)]
    if broken:
        what = f"{', '.join(broken)} are no whole numbers"
        return Problem(what.replace("_", " "), node.place, "whole numbers", ROUND_WEIGHTS)
    if getattr(node.op, "leak", Leak.NONE) is not Leak.NONE:
        remedy = "neurons without leak: leak=1 in recipe balanced"
        return Problem("a leak makes fractions of potentials", node.place, "no leak", remedy)
    if neuron and not _counts(node):
        return Problem("events that are no counts", node.place, "events of 1", ROUND_WEIGHTS)
    return None


def _counts(node: Node) -> bool:
    signal = node.outputs[0].type.signal
    return isinstance(signal, Spikes) and bool((signal.amplitude.data == 1).all())


def _stays_whole(node: Node, given: bool) -> bool:
    op = node.op
    if isinstance(op, ops.Input):
        return _counts(node) or not node.outputs[0].type.dtype.is_float
    if isinstance(op, ops.Quantise):
        return op.amplitude is not None and is_whole(op.amplitude)
    if op.family is Family.NEURON:
        return _counts(node)
    kind = type(op)
    known = kind in BOUNDS or kind in OVER_TIME or kind is ops.Constant
    if isinstance(op, Impulse):
        known = op.steps == 1
    return given and known and all(is_whole(array) for array in op.arrays.values())
