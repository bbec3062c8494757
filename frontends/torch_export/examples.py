"""Example inputs: what the user gave, as the arguments of ``forward`` with a batch of 2 or more."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import Dim
from torch.utils import _pytree as pytree

from spikec.errors import DataError, UsageError

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Example:
    """Arguments of one call of ``forward``, and which of their axes is the batch."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dynamic: dict[str, Any]
    """as ``torch.export`` wants it: the shape of the arguments, with ``{0: …}`` at each batch"""


def example_of(model: nn.Module, given: object, time_axis: int | None = None) -> Example:
    """Read an example input: one array, a tuple of arguments, or a mapping of keyword arguments.

    With ``time_axis`` 0 the steps come first, and the batch behind them.
    """
    if time_axis not in (None, 0):
        raise UsageError(f"time_axis={time_axis!r}", expected="0: [steps, samples, ...], or none")
    if given is None:
        raise UsageError(
            "a PyTorch module needs an example input",
            expected="example_input=a tensor or array, a tuple of arguments, or a dict of keywords",
            remedy="pass a batch such as torch.zeros(2, 3, 224, 224)",
        )
    args, kwargs = _arguments(given)
    args, kwargs = pytree.tree_map(_tensor, (args, kwargs))
    varying = (0,) if time_axis is None else (0, 1)
    for axis in varying:
        size = _size(args, kwargs, axis)
        if size == 1:  # torch.export would take a size of 1 for a constant
            args, kwargs = pytree.tree_map(
                lambda leaf, axis=axis: _doubled(leaf, axis), (args, kwargs)
            )
    sizes = {axis: _size(args, kwargs, axis) for axis in varying}
    bound = _bind(model, args, kwargs)
    return Example(args, kwargs, pytree.tree_map(lambda leaf: _axes(leaf, sizes), bound))


def _arguments(given: object) -> Arguments:
    if isinstance(given, Mapping):
        return (), dict(given)
    if isinstance(given, tuple):
        if len(given) == 2 and isinstance(given[0], tuple) and isinstance(given[1], Mapping):
            return given[0], dict(given[1])
        return given, {}
    return (given,), {}


def _tensor(leaf: object) -> object:
    match leaf:
        case np.ndarray():
            try:
                return torch.from_numpy(np.ascontiguousarray(leaf))
            except TypeError as error:
                raise DataError(f"the example input cannot be read: {error}") from None
        case torch.Tensor():
            return leaf.detach()
        case _:
            return leaf


def _size(args: tuple[Any, ...], kwargs: dict[str, Any], axis: int) -> int:
    """Give the size of an axis of the first tensor that has it."""
    for leaf in pytree.tree_leaves((args, kwargs)):
        if isinstance(leaf, torch.Tensor) and leaf.ndim > axis:
            if leaf.numel() == 0:
                raise DataError(
                    f"the example input of shape {list(leaf.shape)} is empty",
                    expected="at least one sample",
                )
            return int(leaf.shape[axis])
    raise DataError(
        "the example input holds no tensor with a batch axis",
        expected=f"at least one tensor whose axis {axis} is the batch",
    )


def _doubled(leaf: object, axis: int) -> object:
    """Repeat what there is one of along an axis."""
    if isinstance(leaf, torch.Tensor) and leaf.ndim > axis and leaf.shape[axis] == 1:
        return leaf.repeat_interleave(2, axis)
    return leaf


def _axes(leaf: object, sizes: Mapping[int, int]) -> dict[int, Any] | None:
    """Let axes vary wherever all of them have the sizes at hand."""
    if not isinstance(leaf, torch.Tensor) or leaf.ndim < len(sizes):
        return None
    varies = all(leaf.shape[axis] == size for axis, size in sizes.items())
    return dict.fromkeys(sizes, Dim.DYNAMIC) if varies else None


def _bind(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Give the arguments by the names of forward's parameters."""
    try:
        bound = inspect.signature(model.forward).bind(*args, **kwargs)
    except TypeError as error:
        raise DataError(
            f"the example input does not fit {type(model).__name__}.forward: {error}",
            expected=f"forward{inspect.signature(model.forward)}",
            remedy="pass a tuple for several arguments, a dict for keyword arguments",
        ) from None
    return dict(bound.arguments)
