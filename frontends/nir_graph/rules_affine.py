"""Affine, Linear, Scale, Conv1d, Conv2d."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.frontends.common import Refused
from spikec.frontends.nir_graph.call import Call, Rule
from spikec.ir import Array, Value, ops


def affine(call: Call) -> Value:
    """W x + b of a vector x."""
    weight = call.array("weight", rank=2)
    if len(call.sample) != 1:
        raise Refused(f"a vector is expected, not {list(call.sample)}", "put a Flatten in front")
    bias = _bias(call, weight.shape[0])
    return call.add(ops.Linear(Array(weight, "float32"), bias), call.x)


def scale(call: Call) -> Value:
    """Element by element, s x."""
    factor = call.parameter("scale")
    constant = call.edit.add(ops.Constant(Array(factor, "float32")), name=f"{call.name}.scale")
    return call.add(ops.Mul(), call.x, constant)


def conv(call: Call) -> Value:
    """A convolution; padding is a number per axis, or ``valid`` or ``same``."""
    rank = 1 if call.node.kind == "Conv1d" else 2
    weight = call.array("weight", rank=rank + 2)
    if len(call.sample) != rank + 1:
        raise Refused(f"an operand {list(call.sample)}", expected=f"channels and {rank} sizes")
    stride, dilation = call.ints("stride", rank), call.ints("dilation", rank)
    _check_shape(call, rank)
    (groups,) = call.ints("groups", 1) if call.has("groups") else (1,)
    return call.add(
        ops.Conv(
            Array(weight, "float32"),
            _bias(call, weight.shape[0]),
            stride,
            _padding(call, weight.shape[2:], stride, dilation),
            dilation,
            groups,
        ),
        call.x,
    )


def _check_shape(call: Call, rank: int) -> None:
    """Compare the declared size of the operand with its own."""
    if not call.has("input_shape"):
        return
    declared = call.ints("input_shape", rank)
    if declared != call.sample[-rank:]:
        raise Refused(
            f"input_shape {list(declared)} for an operand {list(call.sample)}",
            expected=f"{list(call.sample[-rank:])}",
        )


def _bias(call: Call, count: int) -> Array | None:
    if not call.has("bias"):
        return None
    bias = call.array("bias", rank=1)
    if bias.shape != (count,):
        raise Refused(f"a bias of shape {list(bias.shape)}", expected=f"{count} numbers")
    return Array(bias, "float32") if bias.any() else None


def _padding(
    call: Call, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    text = call.text("padding")
    if text is None:
        return tuple((p, p) for p in call.ints("padding", len(kernel)))
    if text == "valid":
        return ((0, 0),) * len(kernel)
    if text != "same" or any(s != 1 for s in stride):
        raise Refused(
            f"padding {text!r} with stride {list(stride)}",
            expected="numbers, 'valid', or 'same' with stride 1",
        )
    spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((span // 2, span - span // 2) for span in np.asarray(spans).tolist())


RULES: Mapping[str, Rule] = {
    "Affine": affine,
    "Linear": affine,
    "Scale": scale,
    "Conv1d": conv,
    "Conv2d": conv,
}
