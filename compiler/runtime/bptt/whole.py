"""Ops that take the whole sequence, under torch's autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from spikec.ir import Op, ops
from spikec.runtime.layerwise.kernels import Constants

Tensors = tuple[Tensor, ...]
Whole = Callable[[Any, Tensors, Constants], Tensors]
ROOT = 0.5**0.5


def haar(op: ops.Haar, inputs: Tensors, _: Constants) -> Tensors:
    """See :class:`spikec.ir.ops.Haar`."""
    (x,) = inputs
    size = x.shape[op.axis]
    if size % 2:
        x = torch.cat([x, x.narrow(op.axis, size - 1, 1)], op.axis)
    pairs = x.unflatten(op.axis, (-1, 2))  # type: ignore[no-untyped-call]  # torch declares none
    even, odd = pairs.unbind(op.axis)
    return ((even + odd) * ROOT, (even - odd) * ROOT)


def haar_inverse(op: ops.HaarInverse, inputs: Tensors, _: Constants) -> Tensors:
    """See :class:`spikec.ir.ops.HaarInverse`."""
    low, high = inputs
    axis = low.dim() + op.axis
    pairs = torch.stack([(low + high) * ROOT, (low - high) * ROOT], axis + 1)
    return (pairs.flatten(axis, axis + 1),)


def and_over_time(op: ops.AndOverTime, inputs: Tensors, _: Constants) -> Tensors:
    """Of events of 0 and a, the least is a Π (x / a), which has a derivative; a as it was seen."""
    (x,) = inputs
    if x.dtype == torch.bool:
        return (x.all(op.axis),)
    most = x.detach().amax(op.axis, keepdim=True)
    unit = torch.where(most > 0, most, 1)
    return ((x / unit).prod(op.axis) * unit.squeeze(op.axis),)


def time_mix(op: ops.TimeMix, inputs: Tensors, constants: Constants) -> Tensors:
    """See :class:`spikec.ir.ops.TimeMix`."""
    weight = constants(op.weight)
    last = inputs[0].movedim(op.axis, -1)
    windows = last.reshape(*last.shape[:-1], last.shape[-1] // weight.shape[1], weight.shape[1])
    return ((windows @ weight.T).flatten(-2).movedim(-1, op.axis),)


WHOLE: Mapping[type[Op], Whole] = {
    ops.Haar: haar,
    ops.HaarInverse: haar_inverse,
    ops.AndOverTime: and_over_time,
    ops.TimeMix: time_mix,
}
