"""Rules for linear maps: convolutions, linear layers, matrix products, Einstein sums."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from spikec.frontends.torch_export.rule import Rules, shared
from spikec.frontends.torch_export.scope import Known, Operand, Scope
from spikec.ir import Value, ops

aten = torch.ops.aten
Ints = Sequence[int]
Pairs = tuple[tuple[int, int], ...]


def ntuple(option: int | Ints, count: int) -> tuple[int, ...]:
    """Spread an option over the spatial axes."""
    values = (option,) if isinstance(option, int) else tuple(option)
    return values * count if len(values) == 1 else values


def pairs(padding: int | Ints, count: int) -> Pairs:
    """Give symmetric padding as (before, after) per axis."""
    return tuple((p, p) for p in ntuple(padding, count))


def conv(
    s: Scope,
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: int | Ints = 1,
    padding: int | Ints = 0,
    dilation: int | Ints = 1,
    groups: int = 1,
) -> Value:
    """conv1d, conv2d, conv3d with padding in numbers."""
    kernel = s.array(weight, "the weight of a convolution")
    rank = kernel.ndim - 2
    return s.emit(
        ops.Conv(
            kernel,
            s.optional_array(bias, "the bias of a convolution"),
            ntuple(stride, rank),
            pairs(padding, rank),
            ntuple(dilation, rank),
            groups,
        ),
        x,
    )


def conv_named_padding(
    s: Scope,
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: int | Ints = 1,
    padding: str = "valid",
    dilation: int | Ints = 1,
    groups: int = 1,
) -> Value:
    """The same with padding 'same' (an odd element goes behind) or 'valid'."""
    kernel = s.array(weight, "the weight of a convolution")
    rank = kernel.ndim - 2
    spread = ntuple(dilation, rank)
    totals = [d * (k - 1) for d, k in zip(spread, kernel.shape[2:], strict=True)]
    named = {"valid": ((0, 0),) * rank, "same": tuple((t // 2, t - t // 2) for t in totals)}
    return s.emit(
        ops.Conv(
            kernel,
            s.optional_array(bias, "the bias of a convolution"),
            ntuple(stride, rank),
            named[padding],
            spread,
            groups,
        ),
        x,
    )


def conv_transpose(
    s: Scope,
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: int | Ints = 1,
    padding: int | Ints = 0,
    output_padding: int | Ints = 0,
    groups: int = 1,
    dilation: int | Ints = 1,
) -> Value:
    """conv_transpose1d, 2d, 3d."""
    kernel = s.array(weight, "the weight of a convolution")
    rank = kernel.ndim - 2
    return s.emit(
        ops.ConvTranspose(
            kernel,
            s.optional_array(bias, "the bias of a convolution"),
            ntuple(stride, rank),
            pairs(padding, rank),
            ntuple(output_padding, rank),
            ntuple(dilation, rank),
            groups,
        ),
        x,
    )


def convolution(
    s: Scope,
    x: Operand,
    weight: Operand,
    bias: Operand | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    output_padding: Ints,
    groups: int,
) -> Value:
    """The one form of core ATen."""
    if transposed:
        return conv_transpose(s, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv(s, x, weight, bias, stride, padding, dilation, groups)


def deform_conv2d(
    s: Scope,
    x: Operand,
    weight: Operand,
    offset: Operand,
    mask: Operand,
    bias: Operand,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> Value:
    """Torchvision's deformable convolution, with a mask (v2) or without (v1)."""
    op = ops.DeformConv(
        s.array(weight, "the weight of a convolution"),
        s.array(bias, "the bias of a convolution"),
        (stride_h, stride_w),
        ((pad_h, pad_h), (pad_w, pad_w)),
        (dilation_h, dilation_w),
        groups,
        offset_groups,
    )
    return s.emit(op, x, offset, mask) if use_mask else s.emit(op, x, offset)


def linear(s: Scope, x: Operand, weight: Operand, bias: Operand | None = None) -> Value:
    """Y = x weightᵀ + bias; a weight computed from the input makes it a matrix product."""
    if isinstance(weight, Known) and (bias is None or isinstance(bias, Known)):
        return s.emit(ops.Linear(s.array(weight), s.optional_array(bias)), x)
    product = matmul(s, x, s.permute(weight, (1, 0)))
    return product if bias is None else s.emit(ops.Add(), product, bias)


def matmul(s: Scope, a: Operand, b: Operand) -> Value:
    """A product with a constant matrix on the right is a linear layer."""
    if isinstance(b, Known) and s.rank(b) == 2 and len(b.samples) == 1 and isinstance(a, Value):
        return s.emit(ops.Linear(s.array(Known.of(b.tensor.T))), a)
    return s.emit(ops.Matmul(), a, b)


def addmm(
    s: Scope, bias: Operand, a: Operand, b: Operand, *, beta: float = 1, alpha: float = 1
) -> Value:
    """Beta bias + alpha a b, for two or three axes."""
    plain = beta == 1 and alpha == 1 and s.rank(bias) == 1
    fixed = isinstance(bias, Known) and isinstance(b, Known) and bias.dims == b.dims[1:]
    if plain and fixed and isinstance(b, Known) and isinstance(a, Value):
        return s.emit(ops.Linear(s.array(Known.of(b.tensor.T)), s.array(bias)), a)
    product = scaled(s, matmul(s, a, b), alpha)
    return s.emit(ops.Add(), product, scaled(s, bias, beta))


def scaled(s: Scope, x: Operand, factor: float) -> Operand:
    """Multiply by a number, unless it is 1."""
    if factor == 1:
        return x
    return s.emit(ops.Mul(), x, s.scalar(factor, s.dtype(x)), part="scaled")


def einsum(s: Scope, equation: str, operands: Sequence[Operand], *, path: object = None) -> Value:
    """Write the result's letters where the equation leaves them out, then as it stands."""
    text = equation.replace(" ", "")
    if "->" not in text:
        letters = sorted({c for c in text if c.isalpha() and text.count(c) == 1})
        text = f"{text}->{'...' if '...' in text else ''}{''.join(letters)}"
    return s.emit(ops.Einsum(text), *s.promoted(*operands))


def tensordot(s: Scope, a: Operand, b: Operand, dims_a: Ints, dims_b: Ints) -> Value:
    """Sum over pairs of axes: an Einstein sum with the rest in order."""
    first = [chr(ord("a") + i) for i in range(s.rank(a))]
    second = [chr(ord("a") + s.rank(a) + i) for i in range(s.rank(b))]
    for left, right in zip(dims_a, dims_b, strict=True):
        second[right] = first[left]
    free = [c for c in first if c not in second] + [c for c in second if c not in first]
    return s.emit(ops.Einsum(f"{''.join(first)},{''.join(second)}->{''.join(free)}"), a, b)


def bilinear(
    s: Scope, a: Operand, b: Operand, weight: Operand, bias: Operand | None = None
) -> Value:
    """y[o] = aᵀ weight[o] b + bias[o]."""
    y = s.emit(ops.Einsum("...i,oij,...j->...o"), a, weight, b)
    return y if bias is None else s.emit(ops.Add(), y, bias)


def outer(s: Scope, a: Operand, b: Operand) -> Value:
    """y[i, j] = a[i] b[j]."""
    return s.emit(ops.Einsum("i,j->ij"), a, b)


RULES: Rules = {
    **shared(conv, aten.conv1d.default, aten.conv2d.default, aten.conv3d.default),
    **shared(conv_named_padding, aten.conv1d.padding, aten.conv2d.padding, aten.conv3d.padding),
    **shared(
        conv_transpose,
        aten.conv_transpose1d.default,
        aten.conv_transpose2d.input,
        aten.conv_transpose3d.input,
    ),
    aten.convolution.default: convolution,
    aten.linear.default: linear,
    **shared(matmul, aten.matmul.default, aten.mm.default, aten.bmm.default, aten.mv.default),
    **shared(addmm, aten.addmm.default, aten.baddbmm.default),
    aten.einsum.default: einsum,
    aten.tensordot.default: tensordot,
    aten.bilinear.default: bilinear,
    aten.outer.default: outer,
}

NAMED_RULES = {"torchvision::deform_conv2d": deform_conv2d}
"""Operators that exist only once torchvision has been imported, by name."""
