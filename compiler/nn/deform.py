"""Deformable convolution as a module: one operator of the compiler."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.ir import Array, ops
from spikec.ir.ops.window import window_sizes
from spikec.nn.checks import check_sides, check_whole
from spikec.nn.library import Call

Pair = int | tuple[int, int]


class DeformConv2d(nn.Module):
    """y[o, r] = Σ_c Σ_k w[o, c, k] m[k, r] x̃[c, s r + d k - p + δ[k, r]] + b[o].

    x̃ interpolates bilinearly and is 0 outside.  δ (``offset``) is [N, G 2 K, h, w], (dy, dx) for
    each of K kernel positions and each of G ``offset_groups``; m (``mask``, may be left out) is
    [N, G K, h, w].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        offset_groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        for name, count in (("groups", groups), ("groups of offsets", offset_groups)):
            check_whole(count, f"{{}} {name}")
        window, step, apart = (
            _pair(value, f"a {name} of {{}}", 1)
            for name, value in (("kernel", kernel), ("stride", stride), ("dilation", dilation))
        )
        border = _pair(padding, "a padding of {}", 0)
        if in_channels % groups or out_channels % groups or in_channels % offset_groups:
            raise UsageError(
                f"{in_channels} -> {out_channels} channels in {groups} groups, "
                f"offsets in {offset_groups}",
                expected="channels that the groups divide",
            )
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *window))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        one = Array([1.0])
        pads = tuple((p, p) for p in border)
        bare = one if bias else None
        self.op = ops.DeformConv(one, bare, step, pads, apart, groups, offset_groups)
        self.call = Call(self.op)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw as torch's convolutions do: uniform within ±1 / √fan-in."""
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve [N, C, H, W] at shifted places."""
        if not torch.compiler.is_compiling():  # the importer checks types
            self._check(x, offset, mask)
        tensors = {"weight": self.weight}
        if self.bias is not None:
            tensors["bias"] = self.bias
        return self.call(x, tensors, others=(offset, mask))

    def _check(self, x: Tensor, offset: Tensor, mask: Tensor | None) -> None:
        """Refuse offsets and masks that do not fit the places of the result."""
        op, kernel = self.op, tuple(self.weight.shape[2:])
        out = window_sizes(tuple(x.shape[-2:]), kernel, op.stride, op.padding, op.dilation)
        count = op.offset_groups * math.prod(kernel)
        shapes = (("offsets", offset, 2 * count), ("a mask", mask, count))
        for name, operand, width in shapes:
            wanted = [*x.shape[:-3], width, *out]
            if operand is not None and list(operand.shape) != wanted:
                raise DataError(f"{name} of shape {list(operand.shape)}", expected=str(wanted))

    def extra_repr(self) -> str:
        out, inside, *kernel = self.weight.shape
        return f"{inside} -> {out} channels a group, kernel={kernel}"


def _pair(value: Pair, told: str, least: int) -> tuple[int, int]:
    return check_sides((value, value) if isinstance(value, int) else value, told, least)
