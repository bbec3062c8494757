"""Modules that make steps by themselves: their number becomes a size that varies."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.utils import _pytree as pytree

from spikec.frontends.torch_export.examples import Example
from spikec.frontends.torch_export.sizes import CLOCK
from spikec.nn import GivesTime, steps

_CANDIDATES = (5, 7, 11, 13)
"""numbers of steps to trace with: one that no axis of the inputs has"""


def clocked(model: nn.Module, example: Example) -> Example:
    """Give a model whose encoders make steps an argument that says how many.

    The model's ``forward`` is replaced; whoever calls restores the module afterwards.
    """
    if not any(isinstance(module, GivesTime) for module in model.modules()):
        return example
    forward = model.forward
    signature = inspect.signature(forward)

    def timed(*args: Any, **kwargs: Any) -> Any:
        clock: Tensor = kwargs.pop(CLOCK)
        with steps(model, clock.shape[0]):
            return forward(*args, **kwargs)

    clock = inspect.Parameter(CLOCK, inspect.Parameter.KEYWORD_ONLY)
    others = list(signature.parameters.values())
    last = [p for p in others if p.kind is inspect.Parameter.VAR_KEYWORD]
    named = [p for p in others if p not in last]
    timed.__signature__ = signature.replace(parameters=[*named, clock, *last])  # type: ignore[attr-defined]
    model.forward = timed
    used = {n for x in pytree.tree_leaves((example.args, example.kwargs)) for n in _shape(x)}
    count = next(number for number in _CANDIDATES if number not in used)
    return replace(
        example,
        kwargs={**example.kwargs, CLOCK: torch.zeros(count)},
        dynamic={**example.dynamic, CLOCK: {0: Dim.DYNAMIC}},
    )


def _shape(leaf: object) -> tuple[int, ...]:
    return tuple(leaf.shape) if isinstance(leaf, Tensor) else ()
