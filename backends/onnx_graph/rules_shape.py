"""Ops that move elements."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikec.backends.onnx_graph.rule import Call, Rule
from spikec.ir import ops
from spikec.ir.ops.pad import PadMode

BACK = np.iinfo(np.int64).min
"""end of a slice that runs backwards to the first element"""


def reshape(op: ops.Reshape, call: Call) -> str:
    """Write a Reshape, the batch left open."""
    return call.reshaped(call.x, call.outputs[0].dims)


def permute(op: ops.Permute, call: Call) -> str:
    """Write a Transpose of all axes."""
    rank, count = call.inputs[0].rank, len(op.order)
    order = [*range(rank - count), *(rank + axis for axis in op.order)]
    return call.scope("Transpose", call.x, perm=order)


def cut(op: ops.Slice, call: Call) -> str:
    """Write a Slice."""
    ints = call.scope.ints
    return call.scope("Slice", call.x, ints(op.start), ints(op.stop), ints(op.axis), ints(op.step))


def flip(op: ops.Flip, call: Call) -> str:
    """Write a Slice that runs backwards."""
    ints, count = call.scope.ints, len(op.axes)
    ends = ints(*(BACK,) * count)
    back = ints(*(-1,) * count)
    return call.scope("Slice", call.x, ints(*(-1,) * count), ends, ints(*op.axes), back)


def concat(op: ops.Concat, call: Call) -> str:
    """Write a Concat."""
    return call.scope("Concat", *call.operands, axis=op.axis)


def expand(op: ops.Expand, call: Call) -> str:
    """Write an Expand."""
    return call.scope("Expand", call.x, call.shape_of(call.outputs[0].dims))


def tile(op: ops.Tile, call: Call) -> str:
    """Write a Tile of all axes."""
    lead = call.inputs[0].rank - len(op.repeats)
    return call.scope("Tile", call.x, call.scope.ints(*(1,) * lead, *op.repeats))


def gather(op: ops.Gather, call: Call) -> str:
    """Write a Gather with constant indices."""
    indices = call.scope.constant(op.indices.data.astype(np.int64), "indices")
    return call.scope("Gather", call.x, indices, axis=op.axis)


def embedding(op: ops.Embedding, call: Call) -> str:
    """Write a Gather from a constant table."""
    return call.scope("Gather", call.scope.constant(op.table.data, "table"), call.x, axis=0)


def roll(op: ops.Roll, call: Call) -> str:
    """Cut each axis in two and join the parts the other way round."""
    y, s = call.x, call.scope
    for shift, axis in zip(op.shifts, op.axes, strict=True):
        ints = s.ints
        size = call.inputs[0].dims[axis]
        if not isinstance(size, int) or shift % size == 0:
            continue
        at = size - shift % size
        head, tail = (
            s("Slice", y, ints(lo), ints(hi), ints(axis)) for lo, hi in ((0, at), (at, size))
        )
        y = s("Concat", tail, head, axis=axis)
    return y


def pad(op: ops.Pad, call: Call) -> str:
    """Cut what is negative, then pad."""
    y, s, rank = call.x, call.scope, len(op.pads)
    cuts = [i for i, pair in enumerate(op.pads) if min(pair) < 0]
    if cuts:
        sizes = call.inputs[0].dims[-rank:]
        starts = [max(0, -op.pads[i][0]) for i in cuts]
        numbers = [size if isinstance(size, int) else 0 for size in sizes]
        ends = [numbers[i] - max(0, -op.pads[i][1]) for i in cuts]
        y = s("Slice", y, s.ints(*starts), s.ints(*ends), s.ints(*(i - rank for i in cuts)))
    if all(max(pair) <= 0 for pair in op.pads):
        return y
    widths = [*(max(0, lo) for lo, _ in op.pads), *(max(0, hi) for _, hi in op.pads)]
    fill = call.array(op.value) if op.mode is PadMode.CONSTANT else ""
    axes = s.ints(*range(-rank, 0))
    return s("Pad", y, s.ints(*widths), fill, axes, mode=_MODES[op.mode])


def pixel_shuffle(op: ops.PixelShuffle, call: Call) -> str:
    """Split, transpose, join: for any number of leading axes."""
    *lead, c, h, w = call.inputs[0].dims
    r = op.factor
    assert isinstance(c, int)
    cells = call.reshaped(call.x, (*lead, c // r**2, r, r, h, w))
    return call.reshaped(_rotated(call, cells, (-5, -2, -4, -1, -3)), call.outputs[0].dims)


def pixel_unshuffle(op: ops.PixelUnshuffle, call: Call) -> str:
    """Split, transpose, join."""
    *lead, c, h, w = call.inputs[0].dims
    r = op.factor
    assert isinstance(h, int)
    assert isinstance(w, int)
    cells = call.reshaped(call.x, (*lead, c, h // r, r, w // r, r))
    return call.reshaped(_rotated(call, cells, (-5, -3, -1, -4, -2)), call.outputs[0].dims)


def _rotated(call: Call, x: str, order: tuple[int, ...]) -> str:
    rank = call.inputs[0].rank + 2
    perm = [*range(rank - 5), *(rank + axis for axis in order)]
    return call.scope("Transpose", x, perm=perm)


_MODES: Mapping[PadMode, str] = {
    PadMode.CONSTANT: "constant",
    PadMode.REFLECT: "reflect",
    PadMode.REPLICATE: "edge",
    PadMode.CIRCULAR: "wrap",
}

RULES: Mapping[type[ops.Op], Rule] = {
    ops.Reshape: reshape,
    ops.Permute: permute,
    ops.Slice: cut,
    ops.Flip: flip,
    ops.Concat: concat,
    ops.Expand: expand,
    ops.Tile: tile,
    ops.Gather: gather,
    ops.Embedding: embedding,
    ops.Roll: roll,
    ops.Pad: pad,
    ops.PixelShuffle: pixel_shuffle,
    ops.PixelUnshuffle: pixel_unshuffle,
}
