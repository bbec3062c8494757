"""Writes resizing to the nearest pixel as what it is: moves of elements, axis by axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Editor, Node, Sizes
from spikec.ir.ops import Gather, Resize
from spikec.ir.ops.resize import Interpolation
from spikec.pipeline import Context, Exactly, Pass, Promise


@dataclass(frozen=True)
class NearestToGather(Pass):
    """y[i, j] = x[n(i), m(j)]: one Gather per axis that changes.

    Whole numbers stay whole, and a target needs no interpolation.  Other modes, and crops that
    reach outside, stay what they are.

    ::

        %y = Resize(%x; sizes=[8, 8], mode=nearest)   ->   %y_0 = Gather(%x; n, axis=-2)
                                                           %y   = Gather(%y_0; m, axis=-1)
    """

    name: ClassVar[str] = "nearest-to-gather"
    promise: ClassVar[Promise] = Exactly(0.0)

    def apply(self, edit: Editor, context: Context) -> None:
        for node in edit.graph.nodes:
            op = node.op
            if isinstance(op, Resize) and op.mode is Interpolation.NEAREST and not op.crop:
                _rewrite(edit, node, op)


def _rewrite(edit: Editor, node: Node, op: Resize) -> None:
    value = node.inputs[0]
    dims = value.type.step().shape(Sizes(1, 1))[-len(op.sizes) :]
    for axis in range(-len(dims), 0):
        chosen = _chosen(op, dims, axis)
        if not np.array_equal(chosen, np.arange(dims[axis])):
            name = f"{node.name}_axis{axis + len(dims)}"
            gather = Gather(Array(chosen), axis)
            value = edit.add(gather, value, name=name, sources=(node,), before=node)
    edit.replace(node.outputs[0], value)
    edit.remove(node)


def _chosen(op: Resize, dims: tuple[int, ...], axis: int) -> NDArray[np.int64]:
    """Give the index of the pixel that each result takes, by resizing the indices themselves."""
    grid = np.arange(dims[axis], dtype=np.float64).reshape(-1, *(1,) * (-axis - 1))
    (taken,) = op.run((np.broadcast_to(grid, dims),), Sizes(1, 1))
    rows = np.moveaxis(taken, axis, -1).reshape(-1, op.sizes[axis])
    return np.asarray(rows[0], np.int64)
