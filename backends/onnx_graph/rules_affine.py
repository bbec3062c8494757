"""Linear maps: matrix products and convolutions over all steps and samples at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.backends.onnx_graph.rule import Call, Rule, open_shape
from spikec.ir import Array, ops
from spikec.ir.dims import product
from spikec.ir.ops.affine import per_channel


def linear(op: ops.Linear, call: Call) -> str:
    """Write one Gemm; leading axes (time, batch) become one.

    A MatMul and an Add would be fused or not as a runtime likes, with other roundings.
    """
    if not call.inputs[0].dtype.is_float:
        y = call.scope("MatMul", call.x, call.array(op.weight.data.T, "weight"))
        return y if op.bias is None else call.scope("Add", y, call.array(op.bias, "bias"))
    dims = call.inputs[0].dims
    flat_x = call.x if len(dims) == 2 else call.reshaped(call.x, (product(dims[:-1]), dims[-1]))
    operands = [flat_x, call.weight(op.weight)]
    operands += [] if op.bias is None else [call.array(op.bias, "bias")]
    y = call.scope("Gemm", *operands, transB=1)
    return y if len(dims) == 2 else call.reshaped(y, call.outputs[0].dims)


def conv(op: ops.Conv, call: Call) -> str:
    """Write a Conv; leading axes (time, batch) become one."""
    pads = [*(lo for lo, _ in op.padding), *(hi for _, hi in op.padding)]
    operands = [flat(call, len(op.kernel)), call.weight(op.weight)]
    operands += [] if op.bias is None else [call.array(op.bias, "bias")]
    y = call.scope(
        "Conv",
        *operands,
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        pads=pads,
        dilations=list(op.dilation),
        group=op.groups,
    )
    return unflat(call, y, len(op.kernel))


def conv_transpose(op: ops.ConvTranspose, call: Call) -> str:
    """Write a ConvTranspose."""
    pads = [*(lo for lo, _ in op.padding), *(hi for _, hi in op.padding)]
    operands = [flat(call, len(op.kernel)), call.weight(op.weight)]
    operands += [] if op.bias is None else [call.array(op.bias, "bias")]
    y = call.scope(
        "ConvTranspose",
        *operands,
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        pads=pads,
        dilations=list(op.dilation),
        output_padding=list(op.output_padding),
        group=op.groups,
    )
    return unflat(call, y, len(op.kernel))


def deform_conv(op: ops.DeformConv, call: Call) -> str:
    """Write a DeformConv; runtimes have had it since 2025."""
    x, offset, *mask = (flat(call, 2, index) for index in range(len(call.operands)))
    bias = op.bias
    if bias is None and mask:
        bias = Array(np.zeros(op.weight.shape[0], op.weight.dtype))  # what stands behind it
    operands = [x, call.weight(op.weight), offset]
    operands += [] if bias is None else [call.array(bias, "bias")]
    y = call.scope(
        "DeformConv",
        *operands,
        *mask,
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        pads=[*(lo for lo, _ in op.padding), *(hi for _, hi in op.padding)],
        dilations=list(op.dilation),
        group=op.groups,
        offset_group=op.offset_groups,
    )
    return unflat(call, y, 2)


def scale(op: ops.Scale, call: Call) -> str:
    """Multiply and shift per channel."""
    y = call.scope("Mul", call.x, call.array(per_channel(op.scale, op.axis, call.kind)))
    if op.shift is None:
        return y
    return call.scope("Add", y, call.array(per_channel(op.shift, op.axis, call.kind)))


def flat(call: Call, rank: int, index: int = 0) -> str:
    """Give an operand as [N, C, spatial...]: what ONNX's windows run over."""
    dims, x = call.inputs[index].dims, call.operands[index]
    if len(dims) == rank + 2:
        return x
    lead = product(dims[: -rank - 1])
    return call.reshaped(x, (lead, *dims[-rank - 1 :]))


def unflat(call: Call, y: str, rank: int) -> str:
    """Give the leading axes back."""
    dims = call.outputs[0].dims
    if len(dims) == rank + 2:
        return y
    return call.scope("Reshape", y, call.scope.ints(*open_shape(dims)))


RULES: Mapping[type[ops.Op], Rule] = {
    ops.Linear: linear,
    ops.Conv: conv,
    ops.ConvTranspose: conv_transpose,
    ops.DeformConv: deform_conv,
    ops.Scale: scale,
}
