"""Nodes that do not depend on the input are computed by torch itself, at import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree as pytree

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.scope import Known
from spikec.frontends.torch_export.sizes import Batch, Size

MAX_BYTES = 1 << 31
"""A folded constant of more bytes than this (2 GiB) is refused before it is computed."""

aten = torch.ops.aten
Folded = Known | tuple[Any, ...]


def fold(
    target: torch._ops.OpOverload,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: object,
    batch: Batch,
) -> Folded:
    """Compute a node at each probed batch size (once, if the batch has no part in it)."""
    _check(target, args, kwargs, result)
    function: Callable[..., Any] = FILLED.get(target, target)
    leaves = pytree.tree_leaves((args, kwargs))
    varies = any(
        (isinstance(x, Known) and len(x.samples) > 1) or (isinstance(x, Size) and not _fixed(x))
        for x in leaves
    )
    samples = []
    for index in range(len(batch.probes) if varies else 1):
        a, k = pytree.tree_map(lambda x, i=index: _at(x, i), (args, kwargs))
        here = {"device": torch.device("cpu")} if "device" in k else {}
        samples.append(function(*a, **dict(k) | here))
    return _collected(samples, result, batch)


def _check(target: torch._ops.OpOverload, args: Any, kwargs: Any, result: object) -> None:
    if torch.Tag.nondeterministic_seeded in target.tags:
        raise Refused(
            "draws random numbers",
            expected="the same output for the same input",
            remedy="draw them once and register them as a buffer, or remove the noise",
        )
    reads_tensor = any(isinstance(x, Known) for x in pytree.tree_leaves((args, kwargs)))
    if not reads_tensor and target not in CREATORS and target not in FILLED:
        raise Refused("makes a tensor out of nothing that the import knows")
    for part in pytree.tree_leaves(result):
        if isinstance(part, torch.Tensor) and part.numel() * part.element_size() > MAX_BYTES:
            raise Refused(
                f"a constant of shape {list(part.shape)}",
                expected=f"at most {MAX_BYTES >> 30} GiB",
                remedy="expand it where it is used instead of storing it",
            )


def _fixed(size: Size) -> bool:
    return len(set(size.values)) == 1


def _at(x: object, index: int) -> object:
    match x:
        case Known():
            return x.samples[min(index, len(x.samples) - 1)]
        case Size():
            return x.values[index]
        case _:
            return x


def _collected(samples: list[Any], result: Any, batch: Batch) -> Folded:
    """Turn the results at each probe into constants, part by part."""
    if isinstance(result, list | tuple):
        parts = zip(*samples, strict=True)
        return tuple(
            _collected(list(part), fake, batch) for part, fake in zip(parts, result, strict=True)
        )
    if len(samples) == 1:
        batch.decide(result.shape, samples[0].shape)
    dims = batch.dims(result.shape)
    fixed = all(isinstance(dim, int) for dim in dims)
    if fixed and all(torch.equal(samples[0], other) for other in samples[1:]):
        return Known((samples[0],), dims)
    if len(samples) == 1:
        raise Refused("a constant whose size depends on the batch in a way torch does not tell")
    return Known(tuple(samples), dims)


CREATORS = {
    aten.arange.default,
    aten.arange.start,
    aten.arange.start_step,
    aten.eye.default,
    aten.eye.m,
    aten.full.default,
    aten.hann_window.default,
    aten.linspace.default,
    aten.logspace.default,
    aten.ones.default,
    aten.scalar_tensor.default,
    aten.tril_indices.default,
    aten.triu_indices.default,
    aten.zeros.default,
}
FILLED: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    # the content of an empty tensor is undefined, and written before it is read
    aten.empty.memory_format: aten.zeros.default,
    aten.empty_permuted.default: lambda size, _order, **options: aten.zeros.default(
        size, **options
    ),
}
