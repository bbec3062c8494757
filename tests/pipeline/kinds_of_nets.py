"""Small networks of kinds that random ones are not: 1-d, 3-d, grouped, widened, two inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spikec.ir import B, Graph, TensorType, ops
from tests.passes.helpers import Net, size


def line() -> Graph:
    """Convolutions in one dimension, a stride, and a mean over what is left."""
    net = Net(2, 9, seed=1, name="line")
    x = net.x
    for channels, stride in ((4, 1), (3, 2)):
        weight = net.array(channels, size(x, -2), 3, low=-0.6, high=0.6)
        conv = ops.Conv(weight, net.array(channels), (stride,), ((1, 1),), (1,), 1)
        x = net.relu(net.edit.add(conv, x))
    mean = net.edit.add(ops.ReduceMean((-1,), False), x)
    return net.done(net.linear(mean, 3))


def volume() -> Graph:
    """Convolutions in three dimensions with a maximum between them."""
    net = Net(1, 4, 4, 4, seed=2, name="volume")
    x = net.x
    for channels in (3, 2):
        weight = net.array(channels, size(x, -4), 3, 3, 3, low=-0.4, high=0.4)
        pads = ((1, 1),) * 3
        conv = ops.Conv(weight, net.array(channels), (1,) * 3, pads, (1,) * 3, 1)
        x = net.relu(net.edit.add(conv, x))
        pool = ops.MaxPool((2,) * 3, (2,) * 3, ((0, 0),) * 3, (1,) * 3)
        x = net.edit.add(pool, x)
    return net.done(net.linear(net.flat(x), 3))


def grouped() -> Graph:
    """Depth-wise, dilated and grouped weights beside an identity."""
    net = Net(4, 6, 6, seed=3, name="grouped")
    x = net.relu(net.conv(net.x, 4, groups=2))
    weight = net.array(4, 1, 3, 3, low=-0.6, high=0.6)
    deep = ops.Conv(weight, None, (1, 1), ((2, 2),) * 2, (2, 2), 4)
    y = net.relu(net.edit.add(ops.Add(), net.edit.add(deep, x), x))
    return net.done(net.linear(net.flat(net.edit.add(ops.AdaptiveAvgPool((2, 2)), y)), 3))


def widened() -> Graph:
    """Transposed convolution and pixel shuffle; the result is an image."""
    net = Net(2, 3, 3, seed=4, name="widened")
    x = net.relu(net.conv(net.x, 4))
    weight = net.array(4, 3, 2, 2, low=-0.6, high=0.6)
    up = ops.ConvTranspose(weight, net.array(3), (2, 2), ((0, 0),) * 2, (0, 0), (1, 1), 1)
    y = net.relu(net.edit.add(up, x))
    y = net.relu(net.conv(net.edit.add(ops.PixelShuffle(2), net.conv(y, 4, 1, 0)), 2))
    return net.done(net.conv(y, 1, 1, 0))


def two_inputs() -> Graph:
    """Two inputs that meet, and two outputs."""
    net = Net(4, seed=5, name="two")
    other = net.edit.input("z", TensorType((B, 3)))
    first, second = net.relu(net.linear(net.x, 5)), net.relu(net.linear(other, 4))
    both = net.relu(net.linear(net.edit.add(ops.Concat(-1), first, second), 6))
    return net.done(net.linear(both, 3), net.linear(both, 2))


def shared() -> Graph:
    """One set of weights at three places in a row."""
    net = Net(5, seed=6, name="shared")
    linear = ops.Linear(net.array(5, 5, low=-0.6, high=0.6), net.array(5))
    x = net.x
    for _ in range(3):
        x = net.relu(net.edit.add(linear, x))
    return net.done(net.linear(x, 3))


KINDS: Mapping[str, Callable[[], Graph]] = {
    kind.__name__: kind for kind in (line, volume, grouped, widened, two_inputs, shared)
}
