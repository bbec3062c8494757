"""The number of steps as a size that varies: of recordings, and of encoders, which make steps."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.utils import _pytree as pytree

from spikec.errors import DataError
from spikec.frontends.torch_export.examples import Example
from spikec.frontends.torch_export.sizes import CLOCK
from spikec.nn import GivesTime, steps, steps_multiple

_CANDIDATES = (5, 7, 11, 13)
"""multiples to trace with: one that is not the size of an axis of the inputs"""


def timed(model: nn.Module, example: Example, time_axis: int | None) -> Example:
    """Give an example whose steps vary, among the multiples that the model asks for."""
    multiple = steps_multiple(model)
    if time_axis is not None and multiple > 1:
        example = _recorded(example, multiple)
    return _clocked(model, example, multiple)


def _recorded(example: Example, multiple: int) -> Example:
    """Let the first axis of recordings vary among multiples."""
    length = next(
        x.shape[0] for x in pytree.tree_leaves((example.args, example.kwargs)) if _shape(x)
    )
    if length % multiple:
        raise DataError(
            f"recordings of {length} steps",
            expected=f"a multiple of {multiple}: the network takes its steps in windows",
        )

    def longer(leaf: object) -> object:
        # torch would take the one window for a constant
        one = isinstance(leaf, Tensor) and _shape(leaf)[:1] == (multiple,) == (length,)
        return torch.cat([leaf, leaf]) if one and isinstance(leaf, Tensor) else leaf

    args, kwargs = pytree.tree_map(longer, (example.args, example.kwargs))
    dynamic = {
        name: axes if axes is None else {**axes, 0: _varying(multiple)}
        for name, axes in example.dynamic.items()
    }
    return Example(args, kwargs, dynamic)


def _clocked(model: nn.Module, example: Example, multiple: int) -> Example:
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
    count = next(multiple * n for n in _CANDIDATES if multiple * n not in used)
    return replace(
        example,
        kwargs={**example.kwargs, CLOCK: torch.zeros(count)},
        dynamic={**example.dynamic, CLOCK: {0: _varying(multiple)}},
    )


def _varying(multiple: int) -> Any:
    return multiple * Dim("windows") if multiple > 1 else Dim.DYNAMIC


def _shape(leaf: object) -> tuple[int, ...]:
    return tuple(leaf.shape) if isinstance(leaf, Tensor) else ()
