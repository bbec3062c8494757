"""Where values gain the time axis, lose it, or meet along it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.backends.onnx_graph.rule import Call, Rule
from spikec.ir import Array, ops
from spikec.ir.ops.readout import OverTime


def repeat(op: ops.Repeat, call: Call) -> str:
    """The value at every step."""
    x = call.scope("Unsqueeze", call.x, call.scope.ints(0))
    if call.steps in (None, 1):
        return x
    return call.scope("Expand", x, call.scope.ints(call.steps or 1, *(1,) * call.inputs[0].rank))


def impulse(op: ops.Impulse, call: Call) -> str:
    """The value spread over the first steps, then 0."""
    s = call.scope
    x = s("Unsqueeze", call.x, s.ints(0))
    x = x if op.steps == 1 else s("Div", x, call.array(op.steps))
    if call.steps is None:
        early = s("LessOrEqual", call.time, s.constant(np.asarray(op.steps, np.int64)))
        return s("Where", early, x, call.array(0))
    count = min(op.steps, call.steps)
    if count > 1:
        x = s("Expand", x, s.ints(count, *(1,) * call.inputs[0].rank))
    if count == call.steps:
        return x
    return s("Pad", x, s.ints(0, call.steps - count), call.array(0), s.ints(0))


def cycle(op: ops.Cycle, call: Call) -> str:
    """The parts of the value in turn: gathered at once, or the one whose turn it is."""
    s, axis = call.scope, call.inputs[0].rank + op.axis
    if call.steps is None:
        one = s.constant(np.asarray(1, np.int64))
        length = s.constant(np.asarray(len(op.order), np.int64))
        turn = s("Mod", s("Sub", call.time, one), length)
        place = s("Gather", s.ints(*op.order), s("Reshape", turn, s.ints(1)))
    else:
        place = s.ints(*(op.order[time % len(op.order)] for time in range(call.steps)))
    parts = s("Gather", call.x, place, axis=axis)
    before = (n for n in range(call.inputs[0].rank) if n != axis)
    return s("Transpose", parts, perm=(axis, *before)) if axis else parts


def last_step(op: ops.LastStep, call: Call) -> str:
    """The value of the last step."""
    index = call.scope.constant(np.asarray(-1, np.int64))
    return call.scope("Gather", call.x, index, axis=op.axis)


def sum_over(op: OverTime, call: Call) -> str:
    """The sum over all steps, in the order of time."""
    total = call.scope("CumSum", call.x, call.scope.ints(op.axis))
    index = call.scope.constant(np.asarray(-1, np.int64))
    return call.scope("Gather", total, index, axis=op.axis)


def mean_over(op: ops.MeanOverTime, call: Call) -> str:
    """The sum over all steps, divided by their number."""
    count = call.inputs[0].dims[op.axis]
    assert isinstance(count, int)
    return call.scope("Div", sum_over(op, call), call.array(count))


def and_over(op: ops.AndOverTime, call: Call) -> str:
    """The least value of all steps."""
    axes = call.scope.ints(op.axis)
    return call.scope("ReduceMin", call.x, axes, keepdims=0)


def time_mix(op: ops.TimeMix, call: Call) -> str:
    """Windows of steps times the weight."""
    s, dims = call.scope, call.inputs[0].dims
    axis, (out, window) = call.inputs[0].rank + op.axis, op.weight.shape
    steps = dims[axis]
    assert isinstance(steps, int)
    last = [*(i for i in range(len(dims)) if i != axis), axis]
    rest = tuple(dims[i] for i in last[:-1])
    windows = call.reshaped(s("Transpose", call.x, perm=last), (*rest, steps // window, window))
    mixed = s("MatMul", windows, call.weight(Array(op.weight.data.T)))
    joined = call.reshaped(mixed, (*rest, steps // window * out))
    return s("Transpose", joined, perm=[last.index(i) for i in range(len(dims))])


def haar(op: ops.Haar, call: Call) -> tuple[str, ...]:
    """Sums and differences of neighbours, divided by √2."""
    s, axis, x = call.scope, op.axis, call.x
    size = call.inputs[0].dims[axis]
    assert isinstance(size, int)
    if size % 2:
        x = s("Concat", x, s("Slice", x, s.ints(size - 1), s.ints(size), s.ints(axis)), axis=axis)
    even, odd = (
        s("Slice", x, s.ints(first), s.ints(size + 1), s.ints(axis), s.ints(2)) for first in (0, 1)
    )
    root = call.array(np.sqrt(0.5))
    return tuple(s("Mul", s(op_, even, odd), root) for op_ in ("Add", "Sub"))


def haar_inverse(op: ops.HaarInverse, call: Call) -> str:
    """Neighbours from their sums and differences."""
    s, (low, high) = call.scope, call.operands
    root, axis = call.array(np.sqrt(0.5)), s.ints(call.inputs[0].rank + op.axis + 1)
    pair = [s("Unsqueeze", s("Mul", s(op_, low, high), root), axis) for op_ in ("Add", "Sub")]
    joined = s("Concat", *pair, axis=call.inputs[0].rank + op.axis + 1)
    return call.reshaped(joined, call.outputs[0].dims)


RULES: Mapping[type[ops.Op], Rule] = {
    ops.Repeat: repeat,
    ops.Impulse: impulse,
    ops.Cycle: cycle,
    ops.LastStep: last_step,
    ops.SumOverTime: sum_over,
    ops.MeanOverTime: mean_over,
    ops.AndOverTime: and_over,
    ops.TimeMix: time_mix,
    ops.Haar: haar,
    ops.HaarInverse: haar_inverse,
}
