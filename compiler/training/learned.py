"""The arrays of a graph that are learned, as free tensors.

Thresholds and steps stay above 0 as θ = exp(r), leaks in (0, 1) as λ = 1 / (1 + exp(-r)), time
constants above 1 as τ = 1 + exp(r); whatever r is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikec.errors import UsageError
from spikec.ir import Array, Editor, Graph, Node, Op, ops
from spikec.ir.edit import copied
from spikec.ir.encoding import encodes
from spikec.ir.ops import Leak
from spikec.runtime.gradient import Parameters

EDGE = 1e-6
"""distance of a leak from 0 and 1, of a time constant from 1, at which learning begins"""


@dataclass(frozen=True)
class Form:
    """How an array comes of a free tensor."""

    value: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]


PLAIN = Form(lambda r: r, lambda x: x)
POSITIVE = Form(torch.exp, torch.log)
SHARE = Form(torch.sigmoid, lambda x: torch.logit(x, eps=EDGE))
SLOW = Form(lambda r: 1 + r.exp(), lambda x: (x - 1).clamp(min=EDGE).log())


def _leak(op: Any) -> Form:
    return SLOW if op.leak is Leak.DECAY_INPUT else SHARE


Fields = Mapping[str, Callable[[Any], Form]]
_AFFINE: Fields = {"weight": lambda op: PLAIN, "bias": lambda op: PLAIN}
WHAT: Mapping[str, Mapping[type[Op], Fields]] = {
    "weights": {
        **dict.fromkeys((ops.Linear, ops.Conv, ops.ConvTranspose), _AFFINE),
        ops.Scale: {"scale": lambda op: PLAIN, "shift": lambda op: PLAIN},
    },
    "thresholds": {
        ops.IntegrateFire: {"threshold": lambda op: POSITIVE},
        ops.MultiThreshold: {"threshold": lambda op: POSITIVE},
        ops.QuantReLU: {"step": lambda op: POSITIVE},
    },
    "leaks": {
        ops.IntegrateFire: {"leak_constant": _leak},
        ops.Accumulator: {"leak_constant": _leak},
    },
}
"""kind of parameter -> op -> its fields, and the form of each"""


@dataclass(frozen=True)
class Parameter:
    """An array and the free tensor that it comes of."""

    kind: str
    array: Array
    free: Tensor
    form: Form


class Learned:
    """All that is learned of a graph; an array that several nodes share is learned once."""

    def __init__(self, graph: Graph, kinds: tuple[str, ...], device: str = "cpu") -> None:
        self.graph = graph
        self.constants = Parameters()
        self.constants.device = device
        self.parameters: list[Parameter] = []
        seen: set[int] = set()
        for kind, array, form in _fields(graph, kinds):
            if id(array) in seen:
                continue
            seen.add(id(array))
            value = torch.tensor(array.astype(self.constants.dtype), device=device)
            free = form.inverse(value).clone().requires_grad_()
            self.parameters.append(Parameter(kind, array, free, form))
        missing = [kind for kind in kinds if all(p.kind != kind for p in self.parameters)]
        if missing:
            raise UsageError(
                f"nothing to learn: the network has no {' and no '.join(missing)}",
                remedy=f"learn {', '.join(k for k in kinds if k not in missing) or 'weights'}",
            )

    def refresh(self) -> Parameters:
        """Let the arrays follow their free tensors."""
        for parameter in self.parameters:
            self.constants.put(parameter.array, parameter.form.value(parameter.free))
        return self.constants

    def rounded(self) -> Graph:
        """Give the graph with what was learned."""
        new = {
            id(p.array): Array(p.form.value(p.free.detach()).cpu().numpy(), "float32")
            for p in self.parameters
        }
        result = copied(self.graph)
        edit = Editor(result, by="finetune")
        for node in list(result):
            changed = {n: new[id(a)] for n, a in node.op.arrays.items() if id(a) in new}
            if changed:
                edit.change_op(node, replace(node.op, **changed))
        return result


def _fields(graph: Graph, kinds: tuple[str, ...]) -> Iterator[tuple[str, Array, Form]]:
    fixed = encoders(graph)
    for kind in kinds:
        for node in graph:
            if node in fixed:
                continue
            for name, form in WHAT[kind].get(type(node.op), {}).items():
                array = node.op.arrays.get(name)
                if array is not None:
                    _check(node, name, array)
                    yield kind, array, form(node.op)


def encoders(graph: Graph) -> set[Node]:
    """Give encoders and all in front of them: no derivative reaches that.

    What shows an image part by part is one, with the neurons behind it.
    """
    found: set[Node] = set()
    waiting = [node for node in graph if encodes(node)]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(value.producer for value in node.inputs)
    return found


def _check(node: Node, name: str, array: Array) -> None:
    whole = isinstance(node.op, ops.QuantReLU) and node.op.amplitude is not None
    if whole or not np.issubdtype(array.data.dtype, np.floating):
        raise UsageError(
            f"{name} is a whole number",
            where=node.place,
            remedy="fine-tune first, and round to whole numbers behind it",
        )
