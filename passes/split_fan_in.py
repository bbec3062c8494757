"""Splits neurons with more synapses than a core takes into partial sums, where that is exact."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Array, Editor, Family, Node, Spikes, Value, ops
from spikec.ir.ops import Comparison, IntegrateFire, Negative, Reset
from spikec.pipeline import Context, Exactly, Pass, Promise
from spikec.target import LayerUse, examine, load_target
from spikec.target.model import Target

ONE = Array(np.float32(1))
Weighted = ops.Linear | ops.Conv
ROUNDS = 8
"""how often parts are split again before that is given up"""


@dataclass(frozen=True)
class SplitFanIn(Pass):
    """y = W x  ->  y = Σ_i p_i,  p_i = relay(W_i x_i), with x in parts along its channels.

    A relay sends the whole number that reaches it as one signed event of so many quanta, in the
    same step: θ = 1, n = floor(h), v = 0.  So the sums are exact, and only so: a binary neuron
    would round each part.  Weights have to be whole, events to be counts, and the target has to
    know signed events of enough quanta; what cannot be split is listed in one error.

    Each split adds a layer, and a step where connections take time.
    """

    target: str

    name: ClassVar[str] = "split-fan-in"
    promise: ClassVar[Promise] = Exactly(1e-6)

    def apply(self, edit: Editor, context: Context) -> None:
        target = load_target(self.target)
        problems: list[Problem] = []
        for _ in range(ROUNDS):
            found = examine(edit.graph, target)
            wide = [layer for layer in found.resources.layers if layer.pieces > 1]
            if not wide:
                return
            problems = [p for layer in wide for p in _split(edit, layer, target)]
            if problems:
                break
        problems = problems or [
            Problem(f"still {layer.pieces} times what a core takes", f"%{layer.name}")
            for layer in wide
        ]
        what = f"{target.name} has no core for these neurons, and they cannot be split exactly"
        raise UnsupportedModel(what, problems=problems)


def _split(edit: Editor, layer: LayerUse, target: Target) -> Iterator[Problem]:
    """Split all weights that lead to a layer; say why not."""
    node = edit.graph[layer.name]
    neuron = node.op.family is Family.NEURON
    weighted = list(_weights_before(node.inputs[0] if neuron else node.outputs[0]))
    reason = _cannot_carry(target)
    if not weighted:
        reason = reason or "its synapses come from no Linear or Conv"
    for one in weighted:
        reason = reason or _cannot_split(one, layer.pieces, target)
    if reason:
        what = f"{layer.fan_in:,} synapses into one neuron, {layer.pieces} times what a core takes"
        yield Problem(what, node.place, reason, "a target with graded events, or narrower layers")
        return
    for one in weighted:
        _in_parts(edit, one, layer.pieces)


def _weights_before(value: Value) -> Iterator[Node]:
    """Give the weights that bring a current."""
    node = value.producer
    if isinstance(node.op, ops.Linear | ops.Conv):
        yield node
    elif node.op.family is not Family.NEURON:
        for operand in node.inputs:
            yield from _weights_before(operand)


def _cannot_carry(target: Target) -> str:
    """Say why the target's neurons cannot carry partial sums; nothing if they can."""
    kind = target.neurons.get(IntegrateFire)
    if not target.signals.signed.value:
        return f"signed events, which {target.name} has not: partial sums can be negative"
    needed = {"negative": Negative.FREE, "comparison": Comparison.AT_LEAST, "reset": Reset.SOFT}
    if kind is None or any(m not in kind.options.get(n, (m,)) for n, m in needed.items()):
        return f"relay neurons, which {target.name} has not"
    return ""


def _cannot_split(node: Node, pieces: int, target: Target) -> str:
    """Say why partial sums of a node would not be exact."""
    op, signal = node.op, node.inputs[0].type.signal
    assert isinstance(op, ops.Linear | ops.Conv)
    if isinstance(op, ops.Conv) and op.groups != 1:
        return "a convolution of one group"
    if op.weight.shape[1] < pieces:
        return f"{pieces} input channels or more: parts are cut along them"
    arrays = op.arrays.values()
    if any((array.data != np.round(array.data)).any() for array in arrays):
        return "whole weights and biases (--weight-bits)"
    if not isinstance(signal, Spikes) or (signal.amplitude.data != 1).any():
        return "events that count quanta (--weight-bits)"
    levels = target.signals.levels
    largest = max(_most(part, signal) for _, _, part in _parts(op, pieces))
    if levels is not None and largest > levels.value:
        return f"partial sums of up to {levels.value} quanta; there are some of {largest}"
    return ""


def _most(op: Weighted, signal: Spikes) -> int:
    """Bound |W x + b|."""
    sums = np.abs(op.weight.data).reshape(len(op.weight.data), -1).sum(axis=1) * signal.levels
    bias = 0 if op.bias is None else np.abs(op.bias.data)
    return max(1, int((sums + bias).max(initial=0)))


def _parts(op: Weighted, pieces: int) -> Iterator[tuple[int, int, Weighted]]:
    """Cut weights along the input channels: first one, end, and what they make; bias first."""
    bounds = np.linspace(0, op.weight.shape[1], pieces + 1).round().astype(int).tolist()
    for start, stop in itertools.pairwise(bounds):
        weight = Array(op.weight.data[:, start:stop])
        yield start, stop, replace(op, weight=weight, bias=None if start else op.bias)


def _in_parts(edit: Editor, node: Node, pieces: int) -> None:
    op, (x,) = node.op, node.inputs
    assert isinstance(op, ops.Linear | ops.Conv)
    signal = x.type.signal
    assert isinstance(signal, Spikes)
    axis = -1 if isinstance(op, ops.Linear) else -len(op.kernel) - 1
    total: Value | None = None
    for number, (start, stop, part) in enumerate(_parts(op, pieces), start=1):
        name, add = f"{node.name}_part{number}", partial(edit.add, sources=(node,), before=node)
        current = add(
            part, add(ops.Slice(axis, start, stop), x, name=f"{name}_in"), name=f"{name}_sum"
        )
        carrier = IntegrateFire(
            ONE, ONE, levels=_most(part, signal), negative=Negative.FREE, code=signal.code
        )
        sent = add(carrier, current, name=name)
        total = sent if total is None else add(ops.Add(), total, sent, name=f"{node.name}_joined")
    assert total is not None
    edit.replace(node.outputs[0], total)
    edit.remove(node)
