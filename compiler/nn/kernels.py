"""How the operators of ``spikec.nn`` run, and the shapes that they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spikec.ir import Op, ops
from spikec.runtime.bptt.network import SCANS, in_turn
from spikec.runtime.bptt.neurons import Setting
from spikec.runtime.bptt.whole import WHOLE
from spikec.runtime.deform import deform_conv

Tensors = tuple[Tensor, ...]
Shape = list[Any]
"""sizes, symbolic ones among them"""
Named = Mapping[str, Any]
"""arguments behind the operands"""


# ---- results -------------------------------------------------------------------------------------


def scan(op: Op, operands: Tensors, setting: Setting, steps: int) -> Tensors:
    """Go through the steps along the first axis."""
    return (SCANS[type(op)](op, operands[0], setting),)


def whole(op: Op, operands: Tensors, setting: Setting, steps: int) -> Tensors:
    """Take the whole sequence."""
    return WHOLE[type(op)](op, operands, setting.constants)


def deformed(op: ops.DeformConv, operands: Tensors, setting: Setting, steps: int) -> Tensors:
    """Convolve at shifted places."""
    known = setting.constants
    return (deform_conv(op, operands, known(op.weight), known.maybe(op.bias)),)


def repeat(op: ops.Repeat, operands: Tensors, setting: Setting, steps: int) -> Tensors:
    """Show the same at each step."""
    (x,) = operands
    return (x.expand(steps, *x.shape).contiguous(),)


def impulse(op: ops.Impulse, operands: Tensors, setting: Setting, steps: int) -> Tensors:
    """Show a share of it at each of the first steps."""
    (x,) = operands
    on = min(op.steps, steps)
    part = x.expand(on, *x.shape) / op.steps
    return (torch.cat([part, x.new_zeros(steps - on, *x.shape)]),)


def cycle(op: ops.Cycle, operands: Tensors, setting: Setting, steps: int) -> Tensors:
    """Show one part after another."""
    return (in_turn(op, operands[0], steps).contiguous(),)


# ---- shapes --------------------------------------------------------------------------------------


def same(shapes: list[Shape], named: Named, steps: Any) -> list[Shape]:
    """Give the shape of the operand."""
    return [shapes[0]]


def timed(shapes: list[Shape], named: Named, steps: Any) -> list[Shape]:
    """Put the steps in front."""
    return [[steps, *shapes[0]]]


def cycled(shapes: list[Shape], named: Named, steps: Any) -> list[Shape]:
    """Put the steps in front, in the place of the axis that goes."""
    (rest,) = shapes
    del rest[named["axis"]]
    return [[steps, *rest]]


def halved(shapes: list[Shape], named: Named, steps: Any) -> list[Shape]:
    """Give two bands of half the size; of steps, in front, an unknown number is even."""
    (shape,) = shapes
    size, in_front = shape[named["axis"]], named["axis"] == -len(shape)
    even = in_front and not isinstance(size, int)
    shape[named["axis"]] = size // 2 if even else (size + 1) // 2
    return [shape, shape]


def doubled(shapes: list[Shape], named: Named, steps: Any) -> list[Shape]:
    """Put two bands together."""
    shape = shapes[0]
    shape[named["axis"]] = shape[named["axis"]] * 2
    return [shape]


def reduced(shapes: list[Shape], named: Named, steps: Any) -> list[Shape]:
    """Leave the axis out."""
    (shape,) = shapes
    del shape[named["axis"]]
    return [shape]


def mixed(shapes: list[Shape], named: Named, steps: Any) -> list[Shape]:
    """Give so many steps for each window as the weight has rows."""
    (shape,) = shapes
    out, window = named["weight"].shape
    shape[named["axis"]] = shape[named["axis"]] // window * out
    return [shape]


def convolved(shapes: list[Shape], named: Named, steps: Any) -> list[Shape]:
    """Give the channels of the weight at the places of the offsets."""
    x, offset = shapes[:2]
    return [[*x[:-3], named["weight"].shape[0], *offset[-2:]]]
