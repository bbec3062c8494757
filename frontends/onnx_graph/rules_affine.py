"""Convolutions and products with weights."""

from __future__ import annotations

import string
from collections.abc import Mapping

import numpy as np

from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry, Known
from spikec.frontends.onnx_graph.rule import Rules, always
from spikec.frontends.onnx_graph.windows import Window, pairs, spatial_sizes, window
from spikec.ir.array import Array, NumpyArray
from spikec.ir.graph import Value
from spikec.ir.ops import (
    Add,
    Constant,
    Conv,
    ConvTranspose,
    DeformConv,
    Einsum,
    Linear,
    Matmul,
    Mul,
    Permute,
)
from spikec.ir.ops.window import Ints, Pairs


def conv(call: Call) -> Entry:
    """Conv."""
    weight = _weight(call)
    w = window(call, weight.shape[2:])
    bias = call.optional(2, "bias")
    groups = call.integer("group", 1)
    op = Conv(Array(weight), _array(bias), w.stride, w.padding, w.dilation, groups)
    return call.emit(op, call.value(0))


def _weight(call: Call) -> NumpyArray:
    weight = call.known(1, "weight")
    if not 3 <= weight.ndim <= 5:
        call.refuse(f"a weight of rank {weight.ndim}", "1, 2 or 3 spatial axes are supported")
    kernel = call.ints("kernel_shape")
    if kernel is not None and kernel != weight.shape[2:]:
        call.refuse(f"kernel_shape {list(kernel)} contradicts a weight of {list(weight.shape)}")
    return weight


def _array(array: NumpyArray | None) -> Array | None:
    return None if array is None else Array(array)


def conv_transpose(call: Call) -> Entry:
    """ConvTranspose."""
    weight = _weight(call)
    bias = call.optional(2, "bias")
    w, extra = _transposed_window(call, weight.shape[2:])
    groups = call.integer("group", 1)
    op = ConvTranspose(Array(weight), _array(bias), w.stride, w.padding, extra, w.dilation, groups)
    return call.emit(op, call.value(0))


def _transposed_window(call: Call, kernel: Ints) -> tuple[Window, Ints]:
    """Resolve output_shape and auto_pad, which for this op fix the result's size."""
    rank = len(kernel)
    stride, dilation, extra = (
        call.ints(name) or (default,) * rank
        for name, default in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    wanted, mode = call.ints("output_shape"), call.text("auto_pad", "NOTSET")
    sizes = spatial_sizes(call, call.dims(0), rank)
    if mode in ("SAME_UPPER", "SAME_LOWER") and wanted is None:
        wanted = tuple(i * s for i, s in zip(sizes, stride, strict=True))
    if wanted is None:
        given = pairs(call.ints("pads") or (0,) * 2 * rank)
        none = ((0, 0),) * rank
        return Window(kernel, stride, none if mode == "VALID" else given, dilation), extra
    rows = zip(sizes, kernel, stride, dilation, extra, wanted[-rank:], strict=True)
    totals = [s * (i - 1) + e + (k - 1) * d + 1 - o for i, k, s, d, e, o in rows]
    more = tuple(e + max(0, -t) for e, t in zip(extra, totals, strict=True))
    cut = [max(0, total) for total in totals]
    return Window(kernel, stride, _halves(cut, mode), dilation), more


def _halves(totals: list[int], mode: str) -> Pairs:
    if mode == "SAME_UPPER":
        return tuple((total // 2, total - total // 2) for total in totals)
    return tuple((total - total // 2, total // 2) for total in totals)


def deform_conv(call: Call) -> Entry:
    """DeformConv; operands x, weight, offset, bias, mask."""
    weight = _weight(call)
    w = window(call, weight.shape[2:])
    bias = call.optional(3, "bias")
    groups, blocks = call.integer("group", 1), call.integer("offset_group", 1)
    op = DeformConv(Array(weight), _array(bias), w.stride, w.padding, w.dilation, groups, blocks)
    mask = (call.value(4),) if call.has(4) else ()
    return call.emit(op, call.value(0), call.value(2), *mask)


def matmul(call: Call) -> Entry:
    """MatMul: with a weight matrix on the right it is a linear layer."""
    right = call.entry(1)
    if isinstance(right, Known) and right.array.ndim == 2:
        return call.emit(Linear(Array(right.array.T)), call.value(0))
    return call.emit(Matmul(), call.value(0), call.value(1))


def gemm(call: Call) -> Entry:
    """Gemm: alpha A' B' + beta C."""
    alpha, beta = call.real("alpha", 1.0), call.real("beta", 1.0)
    x, right = call.value(0), call.entry(1)
    if call.integer("transA", 0):
        x = call.emit(Permute((-1, -2)), x)
    bias = call.operands[2] if call.has(2) and beta != 0 else None
    if isinstance(right, Known):
        matrix = right.array if call.integer("transB", 0) else right.array.T
        weight = matrix if alpha == 1 else (matrix * alpha).astype(matrix.dtype)
        vector = _bias_vector(bias, weight.shape[0], beta)
        y = call.emit(Linear(Array(weight), vector), x)
        return y if vector is not None else _plus(call, y, bias, beta)
    other = call.value(1)
    if call.integer("transB", 0):
        other = call.emit(Permute((-1, -2)), other)
    return _plus(call, _times(call, call.emit(Matmul(), x, other), alpha), bias, beta)


def _bias_vector(bias: Entry | None, features: int, beta: float) -> Array | None:
    """Give beta C as one number per feature, where it is that."""
    if not isinstance(bias, Known) or np.prod(bias.array.shape[:-1]) != 1:
        return None
    row = np.broadcast_to(bias.array.reshape(-1), (features,))
    return Array((row * beta).astype(row.dtype))


def _times(call: Call, x: Value, factor: float) -> Value:
    if factor == 1:
        return x
    number = np.asarray(factor, x.type.dtype.numpy)
    return call.emit(Mul(), x, call.emit(Constant(Array(number))))


def _plus(call: Call, x: Value, bias: Entry | None, beta: float) -> Value:
    if bias is None:
        return x
    return call.emit(Add(), x, _times(call, call.emitter.materialise(bias), beta))


def einsum(call: Call) -> Entry:
    """Einsum; a missing result is spelled out: letters that occur once, in order."""
    equation = "".join(call.text("equation").split())
    operands = tuple(call.value(index) for index in range(len(call.operands)))
    if "->" not in equation:
        letters = [c for c in equation if c in string.ascii_letters]
        once = sorted(c for c in set(letters) if letters.count(c) == 1)
        equation += "->" + ("..." if "..." in equation else "") + "".join(once)
    return call.emit(Einsum(equation), *operands)


RULES: Mapping[str, Rules] = {
    "Conv": always(conv),
    "ConvTranspose": always(conv_transpose),
    "DeformConv": always(deform_conv),
    "Einsum": always(einsum),
    "Gemm": always(gemm),
    "MatMul": always(matmul),
}
