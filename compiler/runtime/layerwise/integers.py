"""Convolutions and matrix products of events with integer weights, on the int8 matrix units.

Events k (u8; signed ones with 128 as their zero) meet weights in -128..127 through torch's oneDNN
operators; sums are whole numbers below 2^24, hence exact in whatever order, and so is their
float32.  The result is amplitude · sum + bias.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from numpy.typing import NDArray
from torch import Tensor

from spikec.ir import Array, Op, ops
from spikec.ir.graph import Graph, Node
from spikec.ir.types import Spikes
from spikec.runtime.feed import Feed
from spikec.runtime.layerwise.pulse import Operand, Quanta, whole

SWITCH = "SPIKEC_INT8"
"""Environment variable; 0 turns the int8 operators off."""
EXACT = 1 << 24
"""Whole numbers up to this are float32 numbers."""
SIGNED_ZERO = 128
TRIAL = 16
"""Pixels per axis of the images with which an operator is tried."""
LAST = torch.channels_last


@dataclass(frozen=True)
class Shape:
    """All that an int8 operator's code may depend on, beside the numbers."""

    weight: tuple[int, ...]
    image: tuple[int, ...]
    """sizes behind the channels; empty for a matrix product"""
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1


class IntegerAffine:
    """A convolution or a matrix product that runs on int8 units."""

    def __init__(self, shape: Shape, weight: NDArray[Any], bias: Array | None, x: Spikes) -> None:
        self.shape = shape
        self.zero = SIGNED_ZERO if x.signed else 0
        self.amplitude = float(np.float32(x.amplitude.data.reshape(-1)[0]))
        scale = torch.full((weight.shape[0],), self.amplitude)
        offset = None if bias is None else torch.tensor(bias.astype(np.dtype(np.float32)))
        packed = torch.tensor(weight.astype(np.int8))
        self._run = _BY_RANK[len(shape.image)](shape, packed, scale, offset, self.zero)

    def run(self, operand: Operand) -> Tensor | None:
        """Compute, or give None where the operand does not hold what its type says."""
        k = self._quanta(operand)
        if k is None:
            return None
        axes = len(self.shape.image) + 1
        flat = k.reshape(-1, *k.shape[-axes:])
        y = self._run(flat)
        return y.reshape(*k.shape[:-axes], *y.shape[1:])

    def _quanta(self, operand: Operand) -> Tensor | None:
        if isinstance(operand, Quanta):
            return operand.k
        x = whole(operand)
        k = (x / self.amplitude).round()
        fits = bool((k * self.amplitude == x).all()) and x.numel() > 0
        fits = fits and -self.zero <= float(k.min()) and float(k.max()) <= 255 - self.zero
        return k.add_(self.zero).to(torch.uint8) if fits else None


def integer_nodes(graph: Graph, feed: Feed) -> dict[Node, IntegerAffine]:
    """Find the nodes that can run on int8 units of this processor, with the same result."""
    if feed.dtype != np.float32 or os.environ.get(SWITCH, "1") == "0":
        return {}
    found = ((node, _prepared(node)) for node in graph)
    return {node: prepared for node, prepared in found if prepared is not None}


def _prepared(node: Node) -> IntegerAffine | None:
    if type(node.op) not in _SHAPES:
        return None
    x, op = node.input_types[0], node.op
    assert isinstance(op, ops.Conv | ops.Linear)
    weight = op.weight.data
    if not isinstance(x.signal, Spikes) or not x.dtype.is_float or not _countable(x.signal):
        return None
    if weight.size == 0 or weight.ndim not in (2, 4) or not _fit(weight):
        return None
    sums = np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(axis=1)
    if int(sums.max()) * x.signal.levels >= EXACT:
        return None
    shape = _SHAPES[type(op)](op, x.dims)
    if not works(_tried(shape), SIGNED_ZERO if x.signal.signed else 0):
        return None
    return IntegerAffine(shape, weight, op.bias, x.signal)


def _countable(signal: Spikes) -> bool:
    """Tell whether events are one amplitude times a number that a byte holds."""
    amplitude = signal.amplitude.data.astype(np.float32)
    return bool((amplitude == amplitude.reshape(-1)[0]).all()) and signal.levels <= (
        127 if signal.signed else 255
    )


def _fit(weight: NDArray[Any]) -> bool:
    """Tell whether all weights are whole numbers in -128..127."""
    inside = bool((np.abs(weight) <= 128).all()) and float(weight.max()) <= 127
    return inside and bool((weight == np.rint(weight)).all())


def _tried(shape: Shape) -> Shape:
    """Give the shape for a trial: a large image behaves like a smaller one."""
    if not shape.image:
        return shape
    rows = zip(shape.image, shape.weight[2:], shape.dilation, strict=True)
    return replace(shape, image=tuple(min(n, max(TRIAL, d * (k - 1) + 1)) for n, k, d in rows))


@functools.cache
def works(shape: Shape, zero: int) -> bool:
    """Try the operator at the worst values; older processors saturate, some builds lack it."""
    try:
        return all(_same(shape, zero, weight) for weight in _worst_weights(shape))
    except (AttributeError, NotImplementedError, RuntimeError):
        return False


def _same(shape: Shape, zero: int, weight: Tensor) -> bool:
    channels = shape.weight[1] * shape.groups
    k = torch.randint(0, 256, (2, channels, *shape.image), generator=_random())
    k[0] = 255
    signal = Spikes(Array(np.float32(1)), signed=zero > 0, levels=127)
    x = (k - zero).double()
    y = IntegerAffine(shape, weight.numpy(), None, signal).run(
        Quanta(k.to(torch.uint8), zero, 1.0, None)
    )
    if not shape.image:
        truth = x @ weight.double().T
    else:
        pads = [n for pair in reversed(shape.padding) for n in pair]
        options = (shape.stride, 0, shape.dilation, shape.groups)
        truth = F.conv2d(F.pad(x, pads), weight.double(), None, *options)
    return y is not None and torch.equal(y, truth.float())


def _worst_weights(shape: Shape) -> list[Tensor]:
    """Give weights at both ends of their range, and some between."""
    between = torch.randint(-128, 128, shape.weight, generator=_random())
    ends = [torch.full(shape.weight, 127), torch.full(shape.weight, -128)]
    return [weight.to(torch.int8) for weight in (*ends, between)]


def _random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _product(
    shape: Shape, weight: Tensor, scale: Tensor, bias: Tensor | None, zero: int
) -> Callable[[Tensor], Tensor]:
    packed = torch.ops.onednn.qlinear_prepack(weight, None)
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    run: Any = torch.ops.onednn.qlinear_pointwise
    end: tuple[Any, ...] = (scale, zeros, bias, 1.0, 0, torch.float32, "none", [], "")

    def product(k: Tensor) -> Tensor:
        result: Tensor = run(k.contiguous(), 1.0, zero, packed, *end)
        return result

    return product


def _convolution(
    shape: Shape, weight: Tensor, scale: Tensor, bias: Tensor | None, zero: int
) -> Callable[[Tensor], Tensor]:
    even = all(lo == hi for lo, hi in shape.padding)
    around = [0 if even else n for pair in reversed(shape.padding) for n in pair]
    padding = [lo if even else 0 for lo, _ in shape.padding]
    options = ([*shape.stride], padding, [*shape.dilation], shape.groups)
    packed = torch.ops.onednn.qconv_prepack(weight, scale, 1.0, zero, *options, None)
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    run: Any = torch.ops.onednn.qconv2d_pointwise
    end: tuple[Any, ...] = (*options, 1.0, 0, torch.float32, "none", [], "")

    def convolution(k: Tensor) -> Tensor:
        wide = k if even else F.pad(k, around, value=zero)
        images = wide.contiguous(memory_format=LAST)
        result: Tensor = run(images, 1.0, zero, packed, scale, zeros, bias, *end)
        return result

    return convolution


def _of_linear(op: ops.Linear, dims: tuple[Any, ...]) -> Shape:
    return Shape(op.weight.shape, ())


def _of_conv(op: ops.Conv, dims: tuple[Any, ...]) -> Shape:
    image = tuple(dims[-2:])
    return Shape(op.weight.shape, image, op.stride, op.padding, op.dilation, op.groups)


_SHAPES: Mapping[type[Op], Callable[[Any, tuple[Any, ...]], Shape]] = {
    ops.Linear: _of_linear,
    ops.Conv: _of_conv,
}
_BY_RANK = {0: _product, 2: _convolution}
