"""Deformable convolution in torch: with derivatives, and fast."""

from __future__ import annotations

import math

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
    taps = _sampled(op, *(part.reshape(-1, *part.shape[-3:]) for part in (x, offset)))
    for mask in masks:
        # [N, groups of offsets, 1, taps, h, w]
        taps = taps * mask.reshape(len(taps), op.offset_groups, 1, -1, *mask.shape[-2:])
    columns = taps.flatten(1, 2).flatten(1, 2)  # channels, and their taps behind one another
    y = F.conv2d(columns, weight.reshape(len(weight), -1, 1, 1), bias, groups=op.groups)
    return y.reshape(*lead, *y.shape[1:])


def _sampled(op: ops.DeformConv, x: Tensor, offset: Tensor) -> Tensor:
    """Give what the taps meet: [N, groups, channels of a group, taps, h, w]."""
    count, groups = math.prod(op.kernel), op.offset_groups
    height, width = offset.shape[-2:]
    shifts = offset.reshape(len(x) * groups, count, 2, height, width)
    places = []
    for axis, size in enumerate(x.shape[-2:]):
        where = _starts(op, axis, offset) + shifts[:, :, axis]
        places.append((2 * where + 1) / size - 1)  # the edges of the border pixels are -1 and 1
    grid = torch.stack(places[::-1], -1).flatten(1, 2)
    pixels = x.reshape(len(x) * groups, -1, *x.shape[-2:])
    found = F.grid_sample(pixels, grid, mode="bilinear", align_corners=False)
    return found.reshape(len(x), groups, -1, count, height, width)


def _starts(op: ops.DeformConv, axis: int, like: Tensor) -> Tensor:
    """Give where taps would lie without offsets, along one axis: [taps, h, w]."""
    out = torch.arange(like.shape[axis - 2], dtype=like.dtype, device=like.device)
    tap = torch.arange(op.kernel[axis], dtype=like.dtype, device=like.device)
    first = out * op.stride[axis] - op.padding[axis][0]
    where = first[None, :] + tap[:, None] * op.dilation[axis]  # [taps of the axis, positions]
    kernel = where.reshape((-1, 1, where.shape[1], 1) if axis == 0 else (1, -1, 1, where.shape[1]))
    full = kernel.expand(*op.kernel, *like.shape[-2:])
    return full.reshape(-1, *like.shape[-2:])
