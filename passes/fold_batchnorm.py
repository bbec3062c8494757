"""Folds BatchNorm, and any per-channel scale and shift, into the linear maps around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Editor, Node, Op
from spikec.ir.ops import BatchNorm, Conv, ConvTranspose, Linear, Scale
from spikec.pipeline import Context, Pass
from spikec.pipeline.normal import Normal
from spikec.pipeline.weights import per_input, per_output

Vector = NDArray[np.float64]
LinearMap = Linear | Conv | ConvTranspose | Scale


@dataclass(frozen=True)
class Channels:
    """y = gain[c] x + shift[c], with c the index on ``axis``."""

    gain: Vector
    shift: Vector
    axis: int


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """y = gain x + shift, gain = weight / sqrt(variance + eps), shift = bias - gain mean.

    Behind a linear map:   gain (W x + b) + shift = (gain W) x + (gain b + shift)
    In front of one:       W (gain x + shift) + b = (W gain) x + (W shift + b), exact only where
                           no zeros are padded in, or shift = 0
    Elsewhere:             a Scale, which becomes a one-to-one synapse

    What is lost in this, the mean (``bias``) and the deviation (|gain| sqrt(variance)) of y, goes
    into ``Context.normal`` under the name of the node that gives y now.

    ::

        %c = Conv(%x; W, b)           ->      %c = Conv(%x; gain W, gain b + shift)
        %n = BatchNorm(%c)
    """

    name: ClassVar[str] = "fold-batchnorm"

    def apply(self, edit: Editor, context: Context) -> None:
        done = -1
        while done != len(edit.graph.journal):  # what one fold leaves, another may take
            done = len(edit.graph.journal)
            for node in edit.graph.nodes:
                if isinstance(node.op, BatchNorm | Scale):
                    _fold(edit, node, channels_of(node.op), context.normal)


def _fold(edit: Editor, node: Node, channels: Channels, normal: dict[str, Normal]) -> None:
    """Fold one node backward, else forward, else leave it as a Scale."""
    producer = node.inputs[0].producer
    known = _moments(node.op, channels, normal.get(producer.name))
    behind = after(producer.op, channels) if len(node.inputs[0].users) == 1 else None
    if behind is not None:
        merged = edit.add(
            behind,
            *producer.inputs,
            name=f"{producer.name}_bn",
            sources=(producer, node),
            before=node,
        )
        edit.replace(node.outputs[0], merged)
        for old in (node, producer):
            edit.remove(old)
            normal.pop(old.name, None)
        if known is not None:
            normal[merged.producer.name] = known
        return
    users = tuple(node.outputs[0].users)
    ahead = [before(user.op, channels) for user in users]
    if users and all(op is not None for op in ahead):
        for user, op in zip(users, ahead, strict=True):
            assert op is not None
            edit.rewire(user, node.inputs)
            edit.change_op(user, op)
        edit.remove(node)
        normal.pop(node.name, None)
        return
    if known is not None:
        normal[node.name] = known
    if isinstance(node.op, BatchNorm):
        shift = Array(channels.shift, "float32")
        edit.change_op(node, Scale(Array(channels.gain, "float32"), shift, channels.axis))


def channels_of(op: BatchNorm | Scale) -> Channels:
    """Give gain and shift in double precision."""
    if isinstance(op, Scale):
        gain = op.scale.data.astype(np.float64)
        shift = np.zeros_like(gain) if op.shift is None else op.shift.data.astype(np.float64)
        return Channels(gain, shift, op.axis)
    return Channels(*op.gain_and_shift(), op.axis)


def _moments(op: Op, channels: Channels, before: Normal | None) -> Normal | None:
    """Give mean and deviation behind gain and shift; those of a Scale follow from its operand's."""
    tail = (-1, *(1,) * (-channels.axis - 1))
    gain, shift = channels.gain.reshape(tail), channels.shift.reshape(tail)
    if isinstance(op, BatchNorm):
        mean, variance = (x.data.astype(np.float64).reshape(tail) for x in (op.mean, op.variance))
        before = Normal(mean, np.sqrt(variance))
    return None if before is None else before.times(gain, shift)


def after(op: Any, channels: Channels) -> LinearMap | None:
    """Give the op that does ``op`` and then gain and shift; None where it is no linear map."""
    gain, shift = channels.gain, channels.shift
    match op:
        case Linear() | Conv() | ConvTranspose() if channels.axis == 1 - op.weight.ndim:
            weight = _product(op.weight, per_output(op, gain))
            return replace(op, weight=weight, bias=_bias(op.bias, gain, shift))
        case Scale() if op.axis == channels.axis:
            return Scale(_product(op.scale, gain), _bias(op.shift, gain, shift), op.axis)
    return None


def before(op: Any, channels: Channels) -> LinearMap | None:
    """Give the op that does gain and shift and then ``op``; None where that is not exact."""
    gain, shift = channels.gain, channels.shift
    match op:
        case Linear() if channels.axis == -1:
            moved = op.weight.data.astype(np.float64) @ shift
            weight = _product(op.weight, per_input(op, gain))
            return replace(op, weight=weight, bias=_plus(op.bias, moved))
        case Conv() if channels.axis == -len(op.kernel) - 1:
            padded = any(lo or hi for lo, hi in op.padding)
            if padded and shift.any():
                return None
            moved = op.weight.data.astype(np.float64) * per_input(op, shift)
            weight = _product(op.weight, per_input(op, gain))
            return replace(op, weight=weight, bias=_plus(op.bias, _row_sums(moved)))
    return None


def _row_sums(weight: Vector) -> Vector:
    return np.asarray(weight.reshape(len(weight), -1).sum(axis=1))


def _product(array: Array, factor: Vector) -> Array:
    return Array((array.data.astype(np.float64) * factor).astype(array.dtype))


def _bias(bias: Array | None, gain: Vector, shift: Vector) -> Array:
    return Array(shift if bias is None else gain * bias.data + shift, "float32")


def _plus(bias: Array | None, more: Vector) -> Array:
    return Array(more if bias is None else bias.data + more, "float32")
