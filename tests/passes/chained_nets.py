"""Random networks with weights behind weights: what whole numbers must be kept small in."""

from __future__ import annotations

import numpy as np

from spikec.ir import B, Graph, Value, ops
from tests.passes.helpers import Net, size


def chained_net(seed: int) -> Graph:
    """A stem, a few blocks with linear chains in them, and a classifier of two layers."""
    net = Net(2, 6, 6, seed=seed, name=f"chained{seed}")
    x = net.relu(net.conv(net.x, 4))
    for _ in range(net.rng.integers(1, 4)):
        x = BLOCKS[net.rng.integers(len(BLOCKS))](net, x)
    pool = ops.AdaptiveAvgPool((4, 4)) if net.rng.random() < 0.5 else ops.AdaptiveAvgPool((1, 1))
    hidden = net.linear(net.flat(net.edit.add(pool, x)), 5)
    return net.done(net.linear(hidden, 3))


def inverted(net: Net, x: Value) -> Value:
    """A linear bottleneck beside an identity; nothing clips what comes out."""
    wide = net.edit.add(ops.Clip(0.0, 2.0), net.conv(x, 6, 1, 0))
    deep = net.edit.add(ops.Clip(0.0, 2.0), net.conv(wide, 6, groups=6))
    return net.edit.add(ops.Add(), x, net.conv(deep, size(x, -3), 1, 0))


def separable(net: Net, x: Value) -> Value:
    """Depth-wise weights, and at once point-wise ones."""
    return net.relu(net.conv(net.conv(x, size(x, -3), groups=size(x, -3)), 4, 1, 0))


def dense(net: Net, x: Value) -> Value:
    """Several norms of one stack of features."""
    for _ in range(2):
        new = net.conv(net.relu(net.batchnorm(x, -3)), 2)
        x = net.edit.add(ops.Concat(-3), x, new)
    return net.relu(net.batchnorm(x, -3))


def shuffled(net: Net, x: Value) -> Value:
    """Two halves of the channels, one of them through linear weights, dealt alternately."""
    half = size(x, -3) // 2
    first = net.edit.add(ops.Slice(-3, 0, half, 1), x)
    second = net.edit.add(ops.Slice(-3, half, 2 * half, 1), x)
    both = net.edit.add(ops.Concat(-3), first, net.conv(second, half))
    rows = net.edit.add(ops.Reshape((B, 2, half, *both.type.dims[2:])), both)
    mixed = net.edit.add(ops.Permute((-5, -3, -4, -2, -1)), rows)
    return net.edit.add(ops.Reshape(both.type.dims), mixed)


def negative_units(net: Net, x: Value) -> Value:
    """A maximum of a current, behind it factors of both signs and a channel that is constant."""
    pool = ops.MaxPool((2, 2), (1, 1), ((0, 1),) * 2, (1, 1))
    y = net.edit.add(pool, net.conv(x, 3))
    scale = net.array(3)
    scale = type(scale)(np.where(np.arange(3) == 1, 0, scale.data))
    return net.relu(net.edit.add(ops.Scale(scale, net.array(3), -3), y))


def borders(net: Net, x: Value) -> Value:
    """A mean that leaves out padding: windows of three sizes."""
    pool = ops.AvgPool((3, 3), (1, 1), ((1, 1),) * 2, (1, 1), False, False)
    return net.relu(net.conv(net.edit.add(pool, x), 4))


BLOCKS = (inverted, separable, dense, shuffled, negative_units, borders)
