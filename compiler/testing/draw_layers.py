"""Draws of layers with parameters, and pools."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from spikec.ir import ops
from spikec.ir.array import Array
from spikec.ir.graph import Value
from spikec.ir.op import Op
from spikec.testing.draft import Draft, ints

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def linear(d: Draft) -> None:
    """Linear over the last axis."""
    x = d.floats(1)
    (features,) = ints(x.type.dims[-1:])
    out = d.integer(1, 6)
    bound = 1 / features
    d.add(ops.Linear(d.array(out, features, low=-bound, high=bound), d.maybe(out)), x)


def conv(d: Draft) -> None:
    """Conv in 1, 2 or 3 dimensions, grouped, strided, dilated, padded unevenly."""
    rank = d.choose(1, 2, 2, 3)
    x = d.floats(rank + 1)
    channels, *size = ints(x.type.dims[-rank - 1 :])
    groups = d.divisor(channels)
    window, padding, stride, dilation = _window(d, size)
    out = groups * d.integer(1, 3)
    weight = _weights(d, (out, channels // groups, *window))
    d.add(ops.Conv(weight, d.maybe(out), stride, padding, dilation, groups), x)


def conv_transpose(d: Draft) -> None:
    """ConvTranspose in 1 or 2 dimensions."""
    rank = d.choose(1, 2)
    x = d.floats(rank + 1, growing=True)
    channels = ints(x.type.dims[-rank - 1 :])[0]
    groups = d.divisor(channels)
    window = tuple(d.integer(1, 3) for _ in range(rank))
    stride = tuple(d.integer(1, 2) for _ in range(rank))
    padding = tuple((d.integer(0, (k - 1) // 2), d.integer(0, (k - 1) // 2)) for k in window)
    extra = tuple(d.integer(0, s - 1) for s in stride)
    width = d.integer(1, 2)
    weight = _weights(d, (channels, width, *window))
    bias = d.maybe(width * groups)
    d.add(ops.ConvTranspose(weight, bias, stride, padding, extra, (1,) * rank, groups), x)


def deform_conv(d: Draft) -> None:
    """DeformConv, with offsets and mask computed from the operand."""
    x = d.floats(3)
    channels, *size = ints(x.type.dims[-3:])
    (kh, kw), padding, stride, dilation = _window(d, size)
    groups = d.divisor(channels)
    options = (stride, padding, dilation)
    count = groups * kh * kw

    def branch(width: int) -> Value:
        return d.hidden(
            ops.Conv(_weights(d, (width, channels, kh, kw)), d.maybe(width), *options), x
        )

    operands = [x, branch(2 * count)]
    if d.chance():
        operands.append(d.hidden(ops.Sigmoid(), branch(count)))
    weight = _weights(d, (d.integer(1, 3), channels, kh, kw))
    bias = d.maybe(weight.shape[0])
    d.add(ops.DeformConv(weight, bias, *options, 1, groups), *operands)


def residual(d: Draft) -> None:
    """A block with a skip connection."""
    x = d.floats(3)
    channels = ints(x.type.dims[-3:])[0]
    y = x
    for _ in range(d.integer(1, 2)):
        weight = _weights(d, (channels, channels, 3, 3))
        y = d.hidden(ops.Conv(weight, d.maybe(channels), (1, 1), ((1, 1),) * 2, (1, 1)), y)
        y = d.hidden(d.choose(ops.ReLU(), ops.GELU(), ops.SiLU()), y)
    d.add(ops.Add(), y, x)


def attention(d: Draft) -> None:
    """Self-attention with one head, and sometimes a causal mask of -inf."""
    x = d.floats(2)
    length, width = ints(x.type.dims[-2:])
    size = d.integer(1, 4)
    q, k, v = (d.hidden(ops.Linear(_weights(d, (size, width)), d.maybe(size)), x) for _ in "qkv")
    scores = d.hidden(ops.Matmul(), q, d.hidden(ops.Permute((-1, -2)), k))
    scores = d.hidden(ops.Mul(), scores, d.constant(()))
    if d.chance():
        future = np.triu(np.full((length, length), -np.inf, np.float32), k=1)
        scores = d.hidden(ops.Add(), scores, d.hidden(ops.Constant(Array(future))))
    d.add(ops.Matmul(), d.hidden(ops.Softmax(-1), scores), v)


def scale(d: Draft) -> None:
    """Scale."""
    x = d.floats()
    axis = d.axis(x.type)
    (size,) = ints((x.type.dims[axis],))
    d.add(ops.Scale(d.array(size), d.maybe(size), axis), x)


def batch_norm(d: Draft) -> None:
    """BatchNorm."""
    x = d.floats()
    axis = d.axis(x.type)
    (n,) = ints((x.type.dims[axis],))
    variance = d.array(n, low=0.5, high=2.0)
    d.add(ops.BatchNorm(d.array(n), variance, d.maybe(n), d.maybe(n), 1e-5, axis), x)


def last_norm(d: Draft) -> None:
    """LayerNorm or RMSNorm."""
    x = d.floats(1)
    count = next(n for n in range(x.type.rank, 0, -1) if len(ints(x.type.dims[-n:])) == n)
    axes = d.integer(1, count)
    shape = ints(x.type.dims[-axes:])
    weight = d.maybe(*shape)
    rms, layer = ops.RMSNorm(axes, weight, 0.1), ops.LayerNorm(axes, weight, d.maybe(*shape), 0.1)
    d.add(d.choose(rms, layer), x)


def group_norm(d: Draft) -> None:
    """GroupNorm."""
    x = d.floats(2)
    channels = ints(x.type.dims[-2:])[0]
    groups = d.divisor(channels)
    d.add(ops.GroupNorm(groups, d.maybe(channels), d.maybe(channels), 0.1, -2), x)


def response_norm(d: Draft) -> None:
    """LocalResponseNorm."""
    x = d.floats()
    d.add(ops.LocalResponseNorm(d.integer(1, 4), 1e-2, 0.75, 1.0, d.axis(x.type)), x)


def pool(d: Draft) -> None:
    """MaxPool, AvgPool or SumPool; every window meets at least one element."""
    rank = d.choose(1, 2, 3)
    x = d.floats(rank)
    size = ints(x.type.dims[-rank:])
    kernel = tuple(d.integer(1, min(3, n)) for n in size)
    stride = tuple(d.integer(1, 2) for _ in size)
    wide = all(2 * k - 1 <= n for k, n in zip(kernel, size, strict=True)) and d.chance(0.3)
    most = (0 if wide else k - 1 for k in kernel)  # less than a window
    padding = tuple((d.integer(0, m), d.integer(0, m)) for m in most)
    dilation = (1 + wide,) * rank
    options = (kernel, stride, padding, dilation, d.chance(0.3))
    pools: tuple[Op, ...] = (
        ops.MaxPool(*options),
        ops.AvgPool(*options, count_padding=d.chance()),
        ops.SumPool(*options),
    )
    d.add(d.choose(*pools), x)


def adaptive_pool(d: Draft) -> None:
    """AdaptiveAvgPool or AdaptiveMaxPool, to fewer elements or more."""
    rank = d.choose(1, 2)
    x = d.floats(rank, growing=True)
    output = tuple(d.integer(1, n + 1) for n in ints(x.type.dims[-rank:]))
    d.add(d.choose(ops.AdaptiveAvgPool(output), ops.AdaptiveMaxPool(output)), x)


def _weights(d: Draft, shape: Ints) -> Array:
    """Draw weights so small that the layer does not enlarge its operand."""
    bound = 1 / prod(shape[1:])
    return d.array(*shape, low=-bound, high=bound)


def _window(d: Draft, size: Sequence[int]) -> tuple[Ints, Pairs, Ints, Ints]:
    """Draw kernel, padding, stride and dilation that fit."""
    padding = tuple((d.integer(0, 2), d.integer(0, 2)) for _ in size)
    dilation = tuple(d.integer(1, 2) for _ in size)
    stride = tuple(d.integer(1, 2) for _ in size)
    room = (
        (n + lo + hi - 1) // s + 1 for n, (lo, hi), s in zip(size, padding, dilation, strict=True)
    )
    return tuple(d.integer(1, min(3, most)) for most in room), padding, stride, dilation


LAYERS = (
    linear,
    conv,
    conv,
    conv_transpose,
    deform_conv,
    residual,
    attention,
    scale,
    batch_norm,
    last_norm,
    group_norm,
    response_norm,
    pool,
    adaptive_pool,
)
PLAIN_LAYERS = (linear, conv, conv_transpose, scale, pool, adaptive_pool)
"""Without activations and norms inside."""
