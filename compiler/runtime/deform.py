"""Deformable convolution in torch: with derivatives, and fast."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from spikec.ir import ops


def deform_conv(
    op: ops.DeformConv, operands: tuple[Tensor, ...], weight: Tensor, bias: Tensor | None
) -> Tensor:
    """See :class:`spikec.ir.ops.DeformConv`: taps are sampled, then weighted as by a 1 x 1 one."""
    x, offset, *masks = operands
    lead = x.shape[:-3]
    taps = _sampled(op, *(part.flatten(0, -4) if lead else part[None] for part in (x, offset)))
    for mask in masks:
        # [N, groups of offsets, 1, taps, h, w]
        taps = taps * mask.reshape(len(taps), *taps.shape[1:2], 1, *taps.shape[3:])
    columns = taps.flatten(1, 2).flatten(1, 2)  # channels, and their taps behind one another
    y = F.conv2d(columns, weight.reshape(len(weight), -1, 1, 1), bias, groups=op.groups)
    return y.reshape(*lead, *y.shape[1:])


def _sampled(op: ops.DeformConv, x: Tensor, offset: Tensor) -> Tensor:
    """Give what the taps meet: [N, groups, channels of a group, taps, h, w]."""
    count, groups = math.prod(op.kernel), op.offset_groups
    height, width = offset.shape[-2:]
    shifts = offset.reshape(len(x) * groups, count, 2, height, width)
    rows, columns = (_starts(op, axis, offset) + shifts[:, :, axis] for axis in (0, 1))
    channels = x.shape[1] // groups
    pixels = x.reshape(len(x) * groups, channels, *x.shape[-2:])
    top, left = rows.detach().floor(), columns.detach().floor()
    # shares of the two nearest rows and columns, differentiable at whole places too
    down, right = ((1 - part, 1 - (1 - part)) for part in (rows - top, columns - left))
    flat, total = pixels.flatten(2), torch.zeros_like(x[:1, :1, :1, :1])
    for dy, dx in itertools.product((0, 1), repeat=2):
        row, column = top + dy, left + dx
        weight = down[dy] * right[dx]
        place, inside = _place(row, column, pixels.shape[-2:])
        # a sampler of torch's would be faster, but it rounds places: events would differ
        found = flat.gather(2, place.expand(-1, flat.shape[1], -1))
        total = total + (weight * inside).reshape(place.shape) * found
    return total.reshape(len(x), groups, channels, count, height, width)


def _place(row: Tensor, column: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Give the number of a pixel, [N, 1, places], and whether it lies inside."""
    height, width = size
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)  # no NaN is
    place = torch.where(inside, row * width + column, 0).long()
    return place.flatten(1)[:, None], inside


def _starts(op: ops.DeformConv, axis: int, like: Tensor) -> Tensor:
    """Give where taps would lie without offsets, along one axis: [taps, h, w]."""
    out = torch.arange(like.shape[axis - 2], dtype=like.dtype, device=like.device)
    tap = torch.arange(op.kernel[axis], dtype=like.dtype, device=like.device)
    first = out * op.stride[axis] - op.padding[axis][0]
    where = first[None, :] + tap[:, None] * op.dilation[axis]  # [taps of the axis, positions]
    kernel = where.reshape((-1, 1, where.shape[1], 1) if axis == 0 else (1, -1, 1, where.shape[1]))
    full = kernel.expand(*op.kernel, *like.shape[-2:])
    return full.reshape(-1, *like.shape[-2:])
