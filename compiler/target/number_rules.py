"""Violations of numbers: weights, thresholds, biases, sums of one step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Family, Node, Spikes, Value, ops
from spikec.target.distinct import WEIGHTED, distinct_weights, rows_of
from spikec.target.layers import Layer
from spikec.target.model import Sign, Target
from spikec.target.reach import shape_of
from spikec.target.violation import Rule, Violation

Numbers = NDArray[np.float64]
_ROUND = "convert with --weight-bits, or round them by a pass"
_FACTORS = "factors of shortcuts are rounded, too: --weight-options shortcuts=true"


def number_violations(node: Node, target: Target) -> Iterator[Violation]:
    """Give what is wrong with the numbers that a node holds."""
    if target.weights.bits is not None:
        yield from _weights(node, target)
    if not target.precision.float_state.value:
        yield from _state(node, target)


def _weights(node: Node, target: Target) -> Iterator[Violation]:
    weight = _weights_of(node)
    assert target.weights.bits is not None
    bits, sign = target.weights.bits.value, target.weights.sign.value
    if weight is not None:
        outside = ~fits(weight, bits, sign)
        broken = int((weight != np.round(weight)).sum())
        if broken:
            what = f"{broken} of {weight.size} weights are no whole numbers"
            yield Violation(Rule.WEIGHTS, what, node.place, f"{bits} bits, {sign.value}", _ROUND)
        elif outside.any():
            low, high = weight.min(), weight.max()
            what = f"{int(outside.sum())} of {weight.size} weights out of range: {low:g}..{high:g}"
            remedy = _FACTORS if isinstance(node.op, ops.Mul) else _ROUND
            yield Violation(Rule.WEIGHTS, what, node.place, f"{bits} bits, {sign.value}", remedy)
        yield from _distinct(node, weight, target)
    signal = node.outputs[0].type.signal if node.outputs else None
    counts = not isinstance(signal, Spikes) or bool((signal.amplitude.data == 1).all())
    if node.op.family is Family.NEURON and not counts:
        what = "events that stand for other numbers than 1"
        remedy = "fold amplitudes into the weights behind: convert with --weight-bits"
        yield Violation(Rule.WEIGHTS, what, node.place, "events that count quanta", remedy)


def fits(weight: Numbers, bits: int, sign: Sign) -> NDArray[np.bool_]:
    """Tell which whole numbers can be weights."""
    half = 2 ** (bits - 1)
    if sign is Sign.SIGNED:
        return np.asarray((weight >= -half) & (weight < half))
    even = (weight % 2 == 0) & (weight >= -2 * half) & (weight <= 2 * half - 2)
    return np.asarray(even | (np.abs(weight) < half))


def _distinct(node: Node, weight: Numbers, target: Target) -> Iterator[Violation]:
    """Refuse neurons whose synapses have more distinct weights than there are."""
    limit = target.weights.values_per_neuron
    if limit is None or weight.ndim < 2:
        return
    most = distinct_weights(node.op)
    if most > limit.value:
        what = f"{most} distinct weights into one neuron"
        remedy = "fewer bits: --weight-bits 2 leaves two, 1 or -1"
        yield Violation(Rule.WEIGHTS, what, node.place, f"at most {limit.value}", remedy)


def _weights_of(node: Node) -> Numbers | None:
    """Give the weights of a node that stand in synapses."""
    op = node.op
    if isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose | ops.DeformConv):
        return op.weight.data.astype(np.float64)
    if isinstance(op, ops.Scale):
        return op.scale.data.astype(np.float64)
    if isinstance(op, ops.AvgPool | ops.AdaptiveAvgPool | ops.ReduceMean):
        return np.array([0.5])  # a fraction, whichever
    if isinstance(op, ops.Mul | ops.Div):
        constants = [v.producer.op for v in node.inputs if isinstance(v.producer.op, ops.Constant)]
        numbers = [c.value.data.astype(np.float64) for c in constants]
        return (1 / numbers[0] if isinstance(op, ops.Div) else numbers[0]) if numbers else None
    return None


def _state(node: Node, target: Target) -> Iterator[Violation]:
    """Refuse thresholds, potentials and biases that the target's neurons cannot hold."""
    precision = target.precision
    if node.op.family is Family.NEURON:
        for name, array in node.op.arrays.items():
            yield from _whole(node, name, array)
        threshold = node.op.arrays.get("threshold")
        if threshold is not None and precision.threshold_bits is not None:
            limit = 2**precision.threshold_bits.value - 1
            yield from _range(node, "threshold", threshold, limit)
    bias = _bias_of(node)
    if bias is not None:
        yield from _whole(node, "bias", bias)
        if precision.bias_bits is not None:
            shift = 0 if precision.bias_exponent is None else precision.bias_exponent.value
            limit = (2 ** (precision.bias_bits.value - 1) - 1) << shift
            yield from _range(node, "bias", bias, limit)


def _whole(node: Node, name: str, array: Array) -> Iterator[Violation]:
    data = array.data
    broken = int((data != np.round(data)).sum())
    if broken:
        what = f"{name.replace('_', ' ')}: {broken} of {data.size} no whole numbers"
        remedy = "round thresholds, potentials and biases on the grid of the weights"
        yield Violation(Rule.STATE, what, node.place, "whole numbers", remedy)


def _range(node: Node, name: str, array: Array, limit: int) -> Iterator[Violation]:
    largest = float(np.abs(array.data).max(initial=0))
    if largest > limit:
        what = f"{name} of {largest:g}"
        remedy = (
            f"--weight-options threshold={limit.bit_length()}"
            if name == "threshold"
            else "fewer bits of weights or inputs: biases shrink with them"
        )
        yield Violation(Rule.STATE, what, node.place, f"at most {limit}", remedy)


def _bias_of(node: Node) -> Array | None:
    op = node.op
    if isinstance(op, ops.Scale):
        return op.shift
    linear = isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose | ops.DeformConv)
    return op.bias if linear else None  # type: ignore[attr-defined]  # those four have one


def accumulator_violations(
    layer: Layer, operands: list[Value], target: Target
) -> Iterator[Violation]:
    """Refuse sums of one step that the accumulator may not hold."""
    limit = target.precision.accumulator_bits
    if limit is None:
        return
    most = sum(_most(value) for value in operands)
    bound = 2 ** (limit.value - 1) - 1
    if most > bound:
        what = f"sums of one step up to {most:g}"
        remedy = f"--weight-options accumulator={limit.value}, or fewer levels per event"
        yield Violation(Rule.ACCUMULATOR, what, layer.node.place, f"at most {bound}", remedy)


def _most(value: Value) -> float:
    """Bound |value| of one step, from weights and the most quanta of what feeds them."""
    op, signal = value.producer.op, value.type.signal
    if isinstance(signal, Spikes):
        return float(np.abs(signal.amplitude.data).max()) * signal.levels
    before = [_most(v) for v in value.producer.inputs]
    if isinstance(op, WEIGHTED):
        bias = 0 if op.bias is None else np.abs(op.bias.data)
        return float((np.abs(rows_of(op)).sum(axis=1) * before[0] + bias).max())
    if isinstance(op, ops.Scale):
        shift = 0 if op.shift is None else np.abs(op.shift.data)
        return float((np.abs(op.scale.data) * before[0] + shift).max())
    if isinstance(op, ops.Constant):
        return float(np.abs(op.value.data).max(initial=0))
    if isinstance(op, ops.Mul) and len(before) == 2:
        return before[0] * before[1]
    if isinstance(op, ops.SumPool):
        return before[0] * float(np.prod(op.kernel))
    if isinstance(op, ops.ReduceSum):
        sizes = shape_of(value.producer.inputs[0].type), shape_of(value.type)
        return before[0] * float(np.prod(sizes[0]) / np.prod(sizes[1]))
    if isinstance(op, ops.Add | ops.Sub):
        return sum(before)
    return max(before, default=0.0)
