"""Cases of affine maps, normalisations and pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (PyTorch's own name for it)

from spikec.ir import Array, Op, ops
from tests.ir.ops.cases import Case, Truth, as_tensor, f32, weights

CONVOLUTIONS: tuple[Truth, ...] = (F.conv1d, F.conv2d, F.conv3d)
TRANSPOSED: tuple[Truth, ...] = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)


def conv_truth(op: ops.Conv) -> Truth:
    """Compute a convolution whose padding is the same before and after."""
    function = CONVOLUTIONS[len(op.kernel) - 1]
    padding = tuple(low for low, _ in op.padding)

    def truth(x: torch.Tensor) -> Any:
        bias = None if op.bias is None else as_tensor(op.bias, x)
        weight = as_tensor(op.weight, x)
        return function(x, weight, bias, op.stride, padding, op.dilation, op.groups)

    return truth


def transposed_truth(op: ops.ConvTranspose) -> Truth:
    """Compute a transposed convolution whose padding is the same before and after."""
    function = TRANSPOSED[len(op.kernel) - 1]
    padding = tuple(low for low, _ in op.padding)

    def truth(x: torch.Tensor) -> Any:
        bias = None if op.bias is None else as_tensor(op.bias, x)
        weight = as_tensor(op.weight, x)
        extra = op.output_padding
        return function(x, weight, bias, op.stride, padding, extra, op.groups, op.dilation)

    return truth


def _conv(*size: int, note: str = "", **options: Any) -> Case:
    rank = len(size) - 1
    groups = options.pop("groups", 1)
    out = options.pop("out", 4)
    kernel = options.pop("kernel", (3,) * rank)
    op = ops.Conv(
        weights(out, size[0] // groups, *kernel),
        weights(out) if options.pop("bias", True) else None,
        options.pop("stride", (1,) * rank),
        tuple((p, p) for p in options.pop("padding", (1,) * rank)),
        options.pop("dilation", (1,) * rank),
        groups,
    )
    return Case(op, (f32(*size),), conv_truth(op), note=note or f"{rank}d")


def _transposed(*size: int, note: str = "", **options: Any) -> Case:
    rank = len(size) - 1
    groups = options.pop("groups", 1)
    op = ops.ConvTranspose(
        weights(size[0], 4 // groups, *(3,) * rank),
        weights(4),
        options.pop("stride", (2,) * rank),
        ((1, 1),) * rank,
        options.pop("extra", (0,) * rank),
        (1,) * rank,
        groups,
    )
    return Case(op, (f32(*size),), transposed_truth(op), note=note or f"{rank}d")


def _linear(bias: bool) -> Case:
    op = ops.Linear(weights(5, 7), weights(5) if bias else None)

    def truth(x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, as_tensor(op.weight, x), as_tensor(op.bias, x) if op.bias else None)

    return Case(op, (f32(7),), truth, note="" if bias else "no-bias")


def _parts(op: Op, x: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Give weight and bias (None where absent) in the element type of x."""
    parts = {name: as_tensor(array, x) for name, array in op.arrays.items()}
    return parts.get("weight"), parts.get("bias")


def _batch_norm(bare: bool, *size: int) -> Case:
    c = size[0]
    weight, bias = (None, None) if bare else (weights(c), weights(c))
    op = ops.BatchNorm(weights(c), weights(c, low=0.5), weight, bias, 1e-5, -len(size))

    def truth(x: torch.Tensor) -> torch.Tensor:
        mean, variance = as_tensor(op.mean, x), as_tensor(op.variance, x)
        return F.batch_norm(x, mean, variance, *_parts(op, x), eps=op.eps)

    return Case(op, (f32(*size),), truth, note="bare" if bare else f"{len(size)}-axes")


def _layer_norm(axes: int, bare: bool) -> Case:
    shape = (4, 5)[-axes:]
    weight, bias = (None, None) if bare else (weights(*shape), weights(*shape))
    op = ops.LayerNorm(axes, weight, bias, 1e-5)
    return Case(
        op,
        (f32(3, 4, 5),),
        lambda x: F.layer_norm(x, shape, *_parts(op, x), eps=op.eps),
        note="bare" if bare else f"{axes}-axes",
    )


def _rms_norm(axes: int, weight: Array | None) -> Case:
    shape = (4, 5)[-axes:]
    op = ops.RMSNorm(axes, weight, 1e-6)
    return Case(
        op,
        (f32(3, 4, 5),),
        lambda x: F.rms_norm(x, shape, _parts(op, x)[0], eps=op.eps),
        note=f"{axes}-axes",
    )


def _group_norm(groups: int, bare: bool) -> Case:
    weight, bias = (None, None) if bare else (weights(6), weights(6))
    op = ops.GroupNorm(groups, weight, bias, 1e-5, -3)
    return Case(
        op,
        (f32(6, 4, 5),),
        lambda x: F.group_norm(x, groups, *_parts(op, x), eps=op.eps),
        note=f"{groups}-groups",
    )


def _scale() -> Case:
    scale, shift = weights(3), weights(3)
    return Case(
        ops.Scale(scale, shift, -3),
        (f32(3, 4, 5),),
        lambda x: x * as_tensor(scale, x)[:, None, None] + as_tensor(shift, x)[:, None, None],
    )


def _lrn(size: int) -> Case:
    op = ops.LocalResponseNorm(size, 0.3, 0.75, 2.0, -3)
    return Case(
        op,
        (f32(7, 2, 3),),
        lambda x: F.local_response_norm(x, size, op.alpha, op.beta, op.k),
        note=f"{size}-neighbours",
    )


def _deform() -> Case:
    """Without offsets it is a convolution; test_conv.py compares the rest with a plain loop."""
    weight = weights(4, 3, 3, 3)
    op = ops.DeformConv(weight, None, (2, 1), ((1, 1), (1, 1)), (1, 1))
    conv = ops.Conv(weight, None, op.stride, op.padding, op.dilation)
    zeros = f32(18, 3, 6)
    return Case(
        op,
        (f32(3, 6, 6), zeros),
        lambda x, offset: conv_truth(conv)(x),
        draw=lambda rng, shape: rng.normal(0, 1, shape) * (shape[-3] != 18),
    )


AFFINE = (
    _linear(True),
    _linear(False),
    _conv(3, 9),
    _conv(3, 8, 9),
    _conv(2, 5, 6, 7),
    _conv(4, 8, 8, note="pointwise", kernel=(1, 1), padding=(0, 0), bias=False),
    _conv(4, 8, 8, note="depth-wise", groups=4),
    _conv(4, 8, 8, note="depth-wise-twofold", groups=4, out=8),
    _conv(6, 9, 8, note="grouped-strided-dilated", groups=2, stride=(2, 1), dilation=(1, 2)),
    _transposed(3, 6),
    _transposed(3, 5, 6),
    _transposed(2, 3, 4, 3),
    _transposed(6, 5, 4, note="grouped-extra", groups=2, extra=(1, 0)),
    _deform(),
    _scale(),
    _batch_norm(False, 3, 4, 5),
    _batch_norm(False, 6),
    _batch_norm(True, 3, 4, 5),
    _layer_norm(1, False),
    _layer_norm(2, False),
    _layer_norm(1, True),
    _rms_norm(1, weights(5)),
    _rms_norm(2, None),
    _group_norm(1, False),
    _group_norm(3, False),
    _group_norm(6, True),
    _lrn(3),
    _lrn(5),
    _lrn(9),
)


def _pool(kind: Callable[..., Op], truth: Truth, *size: int, note: str = "", **more: Any) -> Case:
    rank = len(size) - 1
    op = kind((3,) * rank, (2,) * rank, ((1, 1),) * rank, (1,) * rank, **more)
    return Case(op, (f32(*size),), truth, note=note or f"{rank}d")


POOLS = (
    _pool(ops.MaxPool, lambda x: F.max_pool1d(x, 3, 2, 1), 3, 9),
    _pool(ops.MaxPool, lambda x: F.max_pool2d(x, 3, 2, 1), 3, 8, 9),
    _pool(ops.MaxPool, lambda x: F.max_pool3d(x, 3, 2, 1), 2, 5, 6, 7),
    _pool(ops.AvgPool, lambda x: F.avg_pool1d(x, 3, 2, 1), 3, 9),
    _pool(ops.AvgPool, lambda x: F.avg_pool2d(x, 3, 2, 1), 3, 8, 9),
    _pool(ops.AvgPool, lambda x: F.avg_pool3d(x, 3, 2, 1), 2, 5, 6, 7),
    _pool(
        ops.AvgPool,
        lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
        *(3, 8, 9),
        note="ceil-without-padding",
        ceil_mode=True,
        count_padding=False,
    ),
    _pool(ops.SumPool, lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=1), 3, 8, 9),
    Case(ops.AdaptiveAvgPool((4,)), (f32(2, 7),), lambda x: F.adaptive_avg_pool1d(x, 4), note="1d"),
    Case(
        ops.AdaptiveAvgPool((1, 1)),
        (f32(3, 4, 5),),
        lambda x: F.adaptive_avg_pool2d(x, 1),
        note="global",
    ),
    Case(
        ops.AdaptiveMaxPool((3, 5)),
        (f32(3, 8, 7),),
        lambda x: F.adaptive_max_pool2d(x, (3, 5)),
        note="2d",
    ),
)
