"""Torch kernels, one per op that has a fast one; all other ops run their reference semantics.

Kernels of elementwise ops round exactly as the reference does.  Convolutions and matrix products
sum in another order: that is the only difference between the engines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from spikec.ir import Array, Op, TensorType, ops
from spikec.ir.dims import Sizes
from spikec.runtime.deform import deform_conv
from spikec.runtime.layerwise.rows import by_rows, rows_per_block

Tensors = tuple[Tensor, ...]
LANES = 16
"""Features of a matrix product are padded to a multiple, so that all rows are aligned alike."""
ERF_APART = 2.0**-49
"""More than what two functions erf in double precision may differ by, relatively."""


@dataclass
class Constants:
    """Constant arrays as tensors of the run's precision, each made once."""

    dtype: np.dtype[Any]
    known: dict[int, tuple[Array, Tensor]] = field(default_factory=dict)
    device: str = "cpu"

    def __call__(self, array: Array) -> Tensor:
        """Give an array of numbers as a tensor."""
        if id(array) not in self.known:
            tensor = torch.tensor(array.astype(self.dtype), device=self.device)
            self.known[id(array)] = (array, tensor)
        return self.known[id(array)][1]

    def maybe(self, array: Array | None) -> Tensor | None:
        """Give an absent array as None."""
        return None if array is None else self(array)


Kernel = Callable[[Any, Tensors, Sizes, Constants], Tensor]


def tensor_of(array: np.ndarray[Any, Any]) -> Tensor:
    """Give a tensor on the same memory where torch allows it."""
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = np.array(array, order="C")
    return torch.from_numpy(array)


def by_reference(op: Op, inputs: Tensors, sizes: Sizes) -> Tensor:
    """Run the op's own semantics, on C-ordered arrays: NumPy's sums depend on the layout."""
    results = op.run(tuple(x.contiguous().numpy() for x in inputs), sizes)
    return tensor_of(np.asarray(results[0]))


def linear(op: ops.Linear, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    y = _rows_times(inputs[0], constants(op.weight).T)
    return y if op.bias is None else y.add_(constants(op.bias))


def matmul(op: ops.Matmul, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    a, b = inputs
    if min(a.dim(), b.dim()) < 2:
        return by_reference(op, inputs, sizes)
    if b.dim() == 2:
        return _rows_times(a, b)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    more, wider = -a.shape[-1] % LANES, -b.shape[-1] % LANES
    a, b = F.pad(a, (0, more)), F.pad(b, (0, wider, 0, more))
    a, b = (x.expand(*lead, *x.shape[-2:]).reshape(-1, *x.shape[-2:]) for x in (a, b))
    size = rows_per_block(_row_bytes(a) + _row_bytes(b))
    y = by_rows(size, torch.bmm, a, b)
    return y[..., : y.shape[-1] - wider].reshape(*lead, a.shape[-2], -1)


def _rows_times(x: Tensor, matrix: Tensor) -> Tensor:
    """Multiply each vector on the last axis of x with a matrix [in, out]."""
    features, out = matrix.shape
    more = -features % LANES
    flat = F.pad(x.reshape(-1, features), (0, more)).contiguous()
    weight = F.pad(matrix, (0, -out % LANES, 0, more)).contiguous()
    rows = rows_per_block((flat.shape[1] + weight.shape[1]) * x.element_size())
    y = by_rows(rows, lambda block: block @ weight, flat)
    return y[:, :out].reshape(*x.shape[:-1], out)


def conv(op: ops.Conv, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    rank = len(op.kernel)
    x, padding = _padded(inputs[0], op.padding)
    flat = _channels_last(x.reshape(-1, *x.shape[-rank - 1 :]))
    weight, bias = constants(op.weight), constants.maybe(op.bias)
    run = _CONV[rank]
    y = by_rows(
        _rows_of(op, inputs[0], sizes),
        lambda block: run(block, weight, bias, op.stride, padding, op.dilation, op.groups),
        flat,
    )
    return y.reshape(*x.shape[: -rank - 1], *y.shape[1:])


def conv_transpose(
    op: ops.ConvTranspose, inputs: Tensors, sizes: Sizes, constants: Constants
) -> Tensor:
    (x,) = inputs
    rank = len(op.kernel)
    rows = zip(op.output_padding, op.stride, op.dilation, strict=True)
    if any(extra >= max(s, d) for extra, s, d in rows):  # torch refuses what the op allows
        return by_reference(op, inputs, sizes)
    flat = x.reshape(-1, *x.shape[-rank - 1 :]).contiguous()
    weight, bias = constants(op.weight), constants.maybe(op.bias)
    even = tuple(min(pair) for pair in op.padding)  # the rest is cut off behind
    run = _CONV_TRANSPOSE[rank]
    options = (op.stride, even, op.output_padding, op.groups, op.dilation)
    full = by_rows(_rows_of(op, x, sizes), lambda block: run(block, weight, bias, *options), flat)
    ends = zip(op.padding, even, full.shape[-rank:], strict=True)
    for axis, ((lo, hi), e, n) in enumerate(ends, -rank):
        full = full.narrow(axis, lo - e, n - (lo - e) - (hi - e))
    return full.reshape(*x.shape[: -rank - 1], *full.shape[1:])


def deformed(op: ops.DeformConv, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    return deform_conv(op, inputs, constants(op.weight), constants.maybe(op.bias))


def scale(op: ops.Scale, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    y = inputs[0] * _on_axis(constants(op.scale), op.axis)
    return y if op.shift is None else y.add_(_on_axis(constants(op.shift), op.axis))


def batch_norm(op: ops.BatchNorm, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    (x,) = inputs
    a, b = (torch.tensor(v.astype(constants.dtype), device=x.device) for v in op.gain_and_shift())
    return (x * _on_axis(a, op.axis)).add_(_on_axis(b, op.axis))


def clip(op: ops.Clip, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    (x,) = inputs
    y = x if op.low is None else x.clamp(min=op.low)
    return y if op.high is None else y.clamp(max=op.high)


def leaky_relu(op: ops.LeakyReLU, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    return F.leaky_relu(inputs[0], float(constants.dtype.type(op.slope)))


def quant_relu(op: ops.QuantReLU, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    step = constants(op.step)
    amplitude = step if op.amplitude is None else constants(op.amplitude)
    return (inputs[0] / step).add_(0.5).floor_().clamp_(op.low, op.levels).mul_(amplitude)


def quantise(op: ops.Quantise, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    step = constants(op.step)
    amplitude = step if op.amplitude is None else constants(op.amplitude)
    return (inputs[0] / step).round_().clamp_(op.low, op.high).mul_(amplitude)


def max_pool(op: ops.MaxPool, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    rank = len(op.kernel)
    if op.ceil_mode:
        return by_reference(op, inputs, sizes)
    x, padding = _padded(inputs[0], op.padding, -math.inf)
    if any(2 * p > k for p, k in zip(padding, op.kernel, strict=True)):
        return by_reference(op, inputs, sizes)
    flat = _images(x, rank)
    y: Tensor = _MAX_POOL[rank](flat, op.kernel, op.stride, padding, op.dilation)
    return y.reshape(*x.shape[:-rank], *y.shape[2:])


def avg_pool(op: ops.AvgPool, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    rank = len(op.kernel)
    plain = max(op.dilation) == 1 and not op.ceil_mode and all(lo == hi for lo, hi in op.padding)
    if not plain or any(2 * lo > k for (lo, _), k in zip(op.padding, op.kernel, strict=True)):
        return by_reference(op, inputs, sizes)
    (x,) = inputs
    padding = tuple(lo for lo, _ in op.padding)
    flat = _images(x, rank)
    y: Tensor = _AVG_POOL[rank](flat, op.kernel, op.stride, padding, False, op.count_padding)
    return y.reshape(*x.shape[:-rank], *y.shape[2:])


def erf(op: ops.Erf, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    """Give the reference's bits: torch's double precision, and math.erf where that is too near.

    Both are within a few units of the 53rd bit of the truth, so that they are rounded to the same
    24 bits but beside a midpoint of two such numbers.
    """
    (x,) = inputs
    if x.dtype != torch.float32:
        return by_reference(op, inputs, sizes)
    wide = torch.erf(x.double())
    y = wide.float()
    unsure = ((wide * (1 + ERF_APART)).float() != y) | ((wide * (1 - ERF_APART)).float() != y)
    if unsure.any():  # one in ten millions or so, and what is no number
        y[unsure] = by_reference(op, (x[unsure],), sizes)
    return y


def gelu(op: ops.GELU, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    (x,) = inputs
    if op.tanh:
        return by_reference(op, inputs, sizes)
    inner = erf(ops.Erf(), (x / math.sqrt(2),), sizes, constants)
    return inner.add_(1).mul_(x).div_(2)


def resize(op: ops.Resize, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    """Plane by plane where there are sums: NumPy's depend on the number of planes."""
    (x,) = inputs
    rank = len(op.sizes)
    if op.mode is ops.Interpolation.NEAREST or not x.numel():
        return by_reference(op, inputs, sizes)
    planes = x.reshape(-1, *x.shape[-rank:])
    y = torch.stack([by_reference(op, (plane,), sizes) for plane in planes])
    return y.reshape(*x.shape[:-rank], *y.shape[1:])


def reshape(op: ops.Reshape, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    return inputs[0].reshape(sizes.shape(op.dims))


def permute(op: ops.Permute, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    (x,) = inputs
    lead = range(x.dim() - len(op.order))
    return x.permute(*lead, *(axis % x.dim() for axis in op.order))


def slice_(op: ops.Slice, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    where = [slice(None)] * inputs[0].dim()
    where[op.axis] = slice(op.start, op.stop, op.step)
    return inputs[0][tuple(where)]


def pad(op: ops.Pad, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    if op.mode is not ops.PadMode.CONSTANT:
        return by_reference(op, inputs, sizes)
    return F.pad(inputs[0], [n for pair in reversed(op.pads) for n in pair], value=op.value)


def concat(op: ops.Concat, inputs: Tensors, sizes: Sizes, constants: Constants) -> Tensor:
    return torch.cat(inputs, op.axis)


def _padded(
    x: Tensor, padding: tuple[tuple[int, int], ...], fill: float = 0.0
) -> tuple[Tensor, tuple[int, ...]]:
    """Give even padding as it is, uneven padding as numbers around x."""
    if all(lo == hi for lo, hi in padding):
        return x, tuple(lo for lo, _ in padding)
    wide = F.pad(x, [n for pair in reversed(padding) for n in pair], value=fill)
    return wide, (0,) * len(padding)


def _images(x: Tensor, rank: int) -> Tensor:
    """Give pooling its [N, C, *spatial], without a copy where channels stand in front."""
    if x.dim() > rank + 1:
        return x.reshape(-1, *x.shape[-rank - 1 :])
    return x.reshape(-1, 1, *x.shape[-rank:])


def _channels_last(x: Tensor) -> Tensor:
    """Convolutions in two dimensions are fastest with channels innermost.

    Not so one channel: where strides fit both layouts, oneDNN 3.12 takes them for channels last
    and is wrong at a width of 1 behind a stride; so it gets the strides of the plain layout.
    """
    if x.dim() == 4 and x.shape[1] > 1:
        return x.contiguous(memory_format=torch.channels_last)
    plain = x.contiguous()
    return plain[:, 0].unsqueeze(1) if x.shape[1] == 1 else plain


def _row_bytes(flat: Tensor) -> int:
    return math.prod(flat.shape[1:]) * flat.element_size()


def _rows_of(op: ops.Conv | ops.ConvTranspose, x: Tensor, sizes: Sizes) -> int:
    """Give how many rows make a block, where a row is [channels, *space] and its result."""
    row = TensorType(tuple(x.shape[-len(op.kernel) - 1 :]))
    numbers = sum(math.prod(one.shape(sizes)) for one in (row, *op.infer((row,))))
    return rows_per_block(numbers * x.element_size())


def _on_axis(vector: Tensor, axis: int) -> Tensor:
    return vector.reshape(-1, *(1,) * (-axis - 1))


def _unary(f: Callable[[Tensor], Tensor]) -> Kernel:
    return lambda op, inputs, sizes, constants: f(inputs[0])


def _binary(f: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    return lambda op, inputs, sizes, constants: f(*inputs)


_CONV: Mapping[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE: Mapping[int, Any] = {
    1: F.conv_transpose1d,
    2: F.conv_transpose2d,
    3: F.conv_transpose3d,
}
_MAX_POOL: Mapping[int, Any] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVG_POOL: Mapping[int, Any] = {
    1: lambda x, k, s, p, ceil, count: F.avg_pool1d(x, k, s, p, ceil, count),
    2: F.avg_pool2d,
    3: F.avg_pool3d,
}

KERNELS: Mapping[type[Op], Kernel] = {
    ops.Linear: linear,
    ops.Matmul: matmul,
    ops.Conv: conv,
    ops.ConvTranspose: conv_transpose,
    ops.DeformConv: deformed,
    ops.Scale: scale,
    ops.BatchNorm: batch_norm,
    ops.ReLU: _unary(lambda x: x.clamp(min=0)),
    ops.Clip: clip,
    ops.LeakyReLU: leaky_relu,
    ops.GELU: gelu,
    ops.Erf: erf,
    ops.QuantReLU: quant_relu,
    ops.Quantise: quantise,
    ops.Neg: _unary(torch.neg),
    ops.Abs: _unary(torch.abs),
    ops.MaxPool: max_pool,
    ops.AvgPool: avg_pool,
    ops.Add: _binary(torch.add),
    ops.Sub: _binary(torch.sub),
    ops.Mul: _binary(torch.mul),
    ops.Div: _binary(torch.div),
    ops.Maximum: _binary(torch.maximum),
    ops.Minimum: _binary(torch.minimum),
    ops.Resize: resize,
    ops.Pad: pad,
    ops.Concat: concat,
}
"""For operands whose elements are floating-point numbers."""

MOVES: Mapping[type[Op], Kernel] = {
    ops.Reshape: reshape,
    ops.Permute: permute,
    ops.Slice: slice_,
}
"""For operands of any element type: views of what there is."""
