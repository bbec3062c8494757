"""Computes at compile time what does not depend on any input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Editor, Node, Sizes, Timing
from spikec.ir.op import Values
from spikec.ir.ops import Constant, Input, Output
from spikec.pipeline import Context, Exactly, Pass, Promise


@dataclass(frozen=True)
class FoldConstants(Pass):
    """Replaces a node of constant operands by its value, unless that depends on B or T, or is NaN.

    ::

        %a = Constant(2.0)            ->      %c = Constant(-2.0)
        %c = Neg(%a)
    """

    name: ClassVar[str] = "fold-constants"
    promise: ClassVar[Promise] = Exactly(0.0)

    def apply(self, edit: Editor, context: Context) -> None:
        for node in edit.graph.nodes:
            if _foldable(node):
                with np.errstate(all="ignore"):  # inf is a result here, as in a run
                    values = node.op.run(tuple(_value(v.producer) for v in node.inputs), Sizes())
                if not any(np.isnan(value).any() for value in values):
                    _replace(edit, node, values)


def _replace(edit: Editor, node: Node, values: Values) -> None:
    for old, value in zip(node.outputs, values, strict=True):
        constant = Constant(Array(value))
        name = f"{node.name}_value"
        new = edit.add_node(constant, (), name, sources=(node,), before=node)
        edit.replace(old, new.outputs[0])
    edit.remove(node)


def _foldable(node: Node) -> bool:
    if isinstance(node.op, Constant | Input | Output) or node.timing is not Timing.STATIC:
        return False
    concrete = all(isinstance(dim, int) for value in node.outputs for dim in value.type.dims)
    return concrete and all(isinstance(v.producer.op, Constant) for v in node.inputs)


def _value(node: Node) -> NDArray[Any]:
    assert isinstance(node.op, Constant)
    return node.op.value.data
