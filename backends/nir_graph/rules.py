"""One rule for each op that can be written."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from spikec.backends.nir_graph.emitter import Emitter
from spikec.backends.nir_graph.forms import (
    ONE,
    ZERO,
    Form,
    Numbers,
    Part,
    Refused,
    Shape,
    aligned,
    per_channel,
)
from spikec.backends.nir_graph.layout import sample_of
from spikec.backends.nir_graph.net import Field, NirNode
from spikec.backends.nir_graph.neurons import adding_up, at_zero, firing
from spikec.backends.nir_graph.weights import CONVOLVE, IN_ONNX, convolution, pads
from spikec.ir import Array, Node, Op, Sizes, ops

AT_ONCE = Sizes(1, 1)


def constant(op: ops.Constant, node: Node, out: Emitter) -> Form:
    """Keep it until something absorbs it."""
    shape = sample_of(node.outputs[0].type)
    return Form(shape, (), op.value.data.astype(np.float64))


def same(op: Op, node: Node, out: Emitter) -> Form:
    """Every node of NIR works at every step: nothing has to be repeated."""
    return out.form(node.inputs[0])


def weighted(op: ops.Linear | ops.Conv, node: Node, out: Emitter) -> Form:
    """Wait for the factors behind the weights; send a constant through them at once."""
    form, shape = out.form(node.inputs[0]), sample_of(node.outputs[0].type)
    if isinstance(op, ops.Linear) and len(form.shape) != 1:
        what = f"weights over the last axis of {list(form.shape)}"
        raise Refused(what, "a vector", "put a Flatten in front")
    if isinstance(op, ops.Conv) and len(form.shape) != len(op.kernel) + 1:
        raise Refused(
            f"a map {list(form.shape)}",
            f"channels and {len(op.kernel)} sizes",
            "put a Reshape in front that gives it these axes",
        )
    if not form.parts:
        raise Refused("weights behind a constant", "a number", "fold-constants computes them")
    if isinstance(op, ops.Conv):
        convolution(op, form.shape[1:])  # refuses what cannot be written
    offset = ZERO
    if form.shifted:
        wide = np.broadcast_to(form.offset, form.shape)
        (offset,) = replace(op, bias=None).run((wide,), AT_ONCE)
    return Form(shape, (Part(node),), offset)


def scale(op: ops.Scale, node: Node, out: Emitter) -> Form:
    """Multiply, and add a constant."""
    form, tail = out.form(node.inputs[0]), (1,) * (-op.axis - 1)

    def wide(vector: Array | None) -> Numbers:
        return ZERO if vector is None else vector.data.astype(np.float64).reshape(-1, *tail)

    found = form.times(wide(op.scale))
    return Form(found.shape, found.parts, found.offset + wide(op.shift))


def add(op: ops.Add | ops.Sub, node: Node, out: Emitter) -> Form:
    """Let edges meet."""
    a, b = (out.form(value) for value in node.inputs)
    shape = sample_of(node.outputs[0].type)
    sign = np.array(-1.0) if isinstance(op, ops.Sub) else ONE
    return _stretched(a, shape).plus(_stretched(b, shape).times(sign))


def negate(op: ops.Neg, node: Node, out: Emitter) -> Form:
    """Turn the sign."""
    return out.form(node.inputs[0]).times(np.array(-1.0))


def multiply(op: ops.Mul | ops.Div, node: Node, out: Emitter) -> Form:
    """Multiply by a constant, or divide by one."""
    a, b = (out.form(value) for value in node.inputs)
    shape = sample_of(node.outputs[0].type)
    divides = isinstance(op, ops.Div)
    factor, form = (b.constant, a) if b.constant is not None else (a.constant, b)
    if factor is None or (divides and b.constant is None):
        raise Refused(
            "two values over time are multiplied",
            "a constant beside a value",
            f"NIR has no such node: {IN_ONNX}",
        )
    with np.errstate(divide="ignore"):
        gain = 1 / factor if divides else factor
    if not bool(np.isfinite(gain).all()):
        raise Refused("a division by 0", "other numbers", "take a divisor that is not 0")
    return _stretched(form, shape).times(aligned(gain, shape))


def _stretched(form: Form, shape: Shape) -> Form:
    """Give a form of this shape; only constants can be spread over further axes."""
    if form.shape == shape:
        return form
    if form.parts:
        what = f"a value of {list(form.shape)} is spread over {list(shape)}"
        raise Refused(what, "values of one shape", "repeat it by weights")
    return Form(shape, (), aligned(np.broadcast_to(form.offset, form.shape), shape))


def reshape(op: ops.Reshape, node: Node, out: Emitter) -> Form:
    """Flatten axes that follow each other; nothing else exists in NIR."""
    form, shape = out.form(node.inputs[0]), sample_of(node.outputs[0].type)
    if form.shape == shape:
        return form
    start, end = _flattened(form.shape, shape)
    fields: dict[str, Field] = {"start_dim": start, "end_dim": end}
    fields["input_type"] = np.array(form.shape, np.int64)
    moved = form.moved(lambda array: array.reshape(shape), shape)
    parts = [
        Part(out.net.add(node.name, NirNode("Flatten", fields), [source]), gain)
        for source, gain in _single(form, moved, node, out)
    ]
    return Form(shape, tuple(parts), moved.offset)


def _single(form: Form, moved: Form, node: Node, out: Emitter) -> list[tuple[str, Numbers]]:
    """Give the nodes of all parts and the factors behind the move; weights absorb their own."""
    found = []
    for part, after in zip(form.parts, moved.parts, strict=True):
        if isinstance(part.source, str):
            found.append((part.source, after.gain))
        else:
            alone = Form(form.shape, (part,))
            found += [(name, ONE) for name in out.names(alone, node.name)]
    return found


def _flattened(shape: Shape, into: Shape) -> tuple[int, int]:
    """Give the first and the last of the axes that become one."""
    end = len(shape) - len(into)
    for start in range(len(into)):
        behind = start + end + 1
        if shape[:start] == into[:start] and shape[behind:] == into[start + 1 :] and end >= 1:
            return start, -1 if behind == len(shape) else behind - 1
    raise Refused(
        f"{list(shape)} becomes {list(into)}",
        "a Flatten: axes that follow each other become one",
        "flatten it, or reshape it in front of the first weights",
    )


def pool(op: ops.SumPool | ops.AvgPool, node: Node, out: Emitter) -> Form:
    """Sum windows: readers have no other pool in common; a mean is a factor behind it."""
    form, shape = out.form(node.inputs[0]), sample_of(node.outputs[0].type)
    _check_windows(op, form.shape, shape)
    numbers = {"kernel_size": op.kernel, "stride": op.stride, "padding": tuple(pads(op.padding))}
    fields = {name: np.array(value, np.int64) for name, value in numbers.items()}
    mean = ONE
    if isinstance(op, ops.AvgPool):
        counts = functools.reduce(np.multiply.outer, op.tap_counts(form.shape[-2:]))
        mean = 1 / counts.astype(np.float64)
    parts = []
    for sources, gain in out.grouped(form, node.name, channels=True):
        name = out.net.add(node.name, NirNode("SumPool2d", fields), sources)
        parts.append(Part(name, _lean(gain.reshape(-1, 1, 1) * mean)))
    offset = ZERO
    if form.shifted:
        (offset,) = op.run((np.broadcast_to(form.offset, form.shape),), AT_ONCE)
    return Form(shape, tuple(parts), offset)


def _lean(gain: Numbers) -> Numbers:
    return gain.reshape(-1)[0] if bool((gain == gain.reshape(-1)[0]).all()) else gain


def _check_windows(op: ops.SumPool | ops.AvgPool, shape: Shape, into: Shape) -> None:
    if len(op.kernel) != 2 or len(shape) != 3:
        raise Refused(
            f"a pool over {list(shape)}",
            "channels, height and width",
            CONVOLVE,
        )
    if any(step != 1 for step in op.dilation):
        raise Refused(f"dilation {list(op.dilation)}", "1", CONVOLVE)
    padded = [size + 2 * p for size, p in zip(shape[1:], pads(op.padding), strict=True)]
    rows = zip(padded, op.kernel, op.stride, strict=True)
    if tuple((size - k) // s + 1 for size, k, s in rows) != into[1:]:
        raise Refused("windows that reach beyond the padding", "ceil_mode=False", CONVOLVE)


def delay(op: ops.Delay, node: Node, out: Emitter) -> Form:
    """y(t) = x(t - steps · dt)."""
    form = out.form(node.inputs[0])
    if op.steps == 0:
        return form
    if form.shifted:
        raise Refused(
            "a constant that comes late",
            "constants behind the Delay",
            "add the constant behind the Delay",
        )
    fields = {"delay": np.full(form.shape, op.steps * out.style.dt)}
    parts = [
        Part(out.net.add(node.name, NirNode("Delay", fields), [source]), gain)
        for source, gain in _single(form, form, node, out)
    ]
    return Form(form.shape, tuple(parts))


def fire(op: ops.IntegrateFire, node: Node, out: Emitter) -> Form:
    """Write a neuron; its events count as 1, and their value is a factor behind it."""
    form, moved = out.form(node.inputs[0]), at_zero(op)
    unit = aligned(_unit(moved, form, out), form.shape)
    sources = out.names(form.times(1 / unit), f"{node.name}_current")
    name = out.net.add(node.name, firing(moved, form.shape, unit, out.style), sources)
    out.neurons[node.name] = name
    amplitude = op.threshold if op.amplitude is None else op.amplitude
    return Form(form.shape, (Part(name, aligned(amplitude.data.astype(np.float64), form.shape)),))


def _unit(op: ops.IntegrateFire, form: Form, out: Emitter) -> Numbers:
    """Give what potentials are divided by: thresholds, where the weights in front absorb that."""
    threshold = op.threshold.data.astype(np.float64)
    if out.unit is False:
        return ONE
    uniform = bool((threshold == threshold.reshape(-1)[0]).all())
    whole = bool((threshold == np.rint(threshold)).all())
    if out.unit is None and (uniform or whole or not _absorbed(threshold, form)):
        return ONE
    return threshold


def _absorbed(gain: Numbers, form: Form) -> bool:
    """Tell whether weights in front take in a factor."""
    by_channel = per_channel(aligned(gain, form.shape), form.shape) is not None
    return all(
        isinstance(part.source, Node) and (by_channel or isinstance(part.source.op, ops.Linear))
        for part in form.parts
    )


def accumulate(op: ops.Accumulator, node: Node, out: Emitter) -> Form:
    """Write a neuron that never fires."""
    form = out.form(node.inputs[0])
    sources = out.names(form, f"{node.name}_current")
    name = out.net.add(node.name, adding_up(op, form.shape, out.style), sources)
    out.neurons[node.name] = name
    return Form(form.shape, (Part(name),))


Rule = Callable[[Any, Node, Emitter], Form]
RULES: Mapping[type[Op], Rule] = {
    ops.Constant: constant,
    ops.Repeat: same,
    ops.Linear: weighted,
    ops.Conv: weighted,
    ops.Scale: scale,
    ops.Add: add,
    ops.Sub: add,
    ops.Neg: negate,
    ops.Mul: multiply,
    ops.Div: multiply,
    ops.Reshape: reshape,
    ops.SumPool: pool,
    ops.AvgPool: pool,
    ops.Delay: delay,
    ops.IntegrateFire: fire,
    ops.Accumulator: accumulate,
}
"""the ops that the target ``nir`` allows, and Constant"""
