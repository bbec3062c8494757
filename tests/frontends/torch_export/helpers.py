"""What the tests of this folder share: one operator as a module, and comparison with torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from spikec import runtime
from spikec.frontends.torch_export import import_model, rules
from spikec.ir import Graph


@dataclass(frozen=True)
class X:
    """An input [batch, *dims]; a fixed one has no batch axis."""

    dims: tuple[int, ...]
    kind: str = "normal"
    fixed: bool = False


@dataclass(frozen=True)
class P:
    """A constant of the model."""

    dims: tuple[int, ...]
    kind: str = "normal"


@dataclass(frozen=True)
class Case:
    """One call of one operator."""

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    part: int | None = None
    """the one of several results that is compared"""
    how: Callable[..., Any] | None = None
    """how the operator is called, where its arguments depend on the size of the batch"""

    def __str__(self) -> str:
        options = [a for a in self.args if not isinstance(a, X | P)]
        return f"{self.op._schema.name.removeprefix('aten::')}.{self.op._overloadname}{options}"


def x(*dims: int, kind: str = "normal", fixed: bool = False) -> X:
    return X(dims, kind, fixed)


def p(*dims: int, kind: str = "normal") -> P:
    return P(dims, kind)


def case(
    op: Any,
    *args: Any,
    part: int | None = None,
    how: Callable[..., Any] | None = None,
    **kwargs: Any,
) -> Case:
    return Case(op, args, kwargs, part, how)


same_batch: Callable[[bool], None] = torch._check
"""Tells torch.export that two sizes are one."""

_DRAW = {
    "normal": lambda shape, rng: torch.randn(shape, generator=rng),
    "positive": lambda shape, rng: torch.rand(shape, generator=rng) + 0.5,
    "unit": lambda shape, rng: torch.rand(shape, generator=rng) * 0.8 + 0.1,
    "whole": lambda shape, rng: torch.randint(-9, 10, shape, generator=rng),
    "divisor": lambda shape, rng: torch.randint(1, 5, shape, generator=rng),
    "ids": lambda shape, rng: torch.randint(0, 4, shape, generator=rng),
    "bool": lambda shape, rng: torch.rand(shape, generator=rng) > 0.5,
}


def draw(spec: X | P, batch: int | None, seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    fixed = batch is None or (isinstance(spec, X) and spec.fixed)
    shape = spec.dims if fixed else (batch, *spec.dims)
    return _DRAW[spec.kind](shape, rng)


class Part(nn.Module, ABC):
    """A small module and the tensors that it takes."""

    @abstractmethod
    def inputs(self, batch: int) -> dict[Hashable, torch.Tensor]:
        """Draw its arguments, in order; what has the same key, here or elsewhere, is the same."""


class Call(Part):
    """A module whose forward is one operator."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        leaves, self.spec = pytree.tree_flatten((case.args, case.kwargs))
        self.leaves = list(leaves)
        for index, leaf in enumerate(self.leaves):
            if isinstance(leaf, P):
                self.register_buffer(f"c{index}", draw(leaf, None, index))
            elif isinstance(leaf, torch.Tensor):
                self.register_buffer(f"c{index}", leaf)

    def inputs(self, batch: int) -> dict[Hashable, torch.Tensor]:
        enumerated = enumerate(self.leaves)
        return {(s, i): draw(s, batch, 99 + i) for i, s in enumerated if isinstance(s, X)}

    def forward(self, *tensors: torch.Tensor) -> Any:
        rest = iter(tensors)
        values = [
            next(rest)
            if isinstance(leaf, X)
            else getattr(self, f"c{index}")
            if isinstance(leaf, P | torch.Tensor)
            else leaf
            for index, leaf in enumerate(self.leaves)
        ]
        args, kwargs = pytree.tree_unflatten(values, self.spec)
        result = (self.case.how or self.case.op)(*args, **kwargs)
        return result if self.case.part is None else result[self.case.part]


class Calls(nn.Module):
    """Many parts side by side: one export serves them all.

    Export is slow in inputs of their own size: parts share inputs, and these say that they have
    one batch.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.keys = [list(part.inputs(2)) for part in parts]
        self.sources = parts

    def inputs(self, batch: int, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
        drawn = self._drawn(batch).values()
        return tuple(t.to(dtype) if t.is_floating_point() else t for t in drawn)

    def forward(self, *tensors: torch.Tensor) -> dict[str, Any]:
        small, large = self._drawn(2), self._drawn(3)
        given = dict(zip(small, tensors, strict=True))
        first, *rest = (t for key, t in given.items() if small[key].shape != large[key].shape)
        for other in rest:
            same_batch(other.shape[0] == first.shape[0])
        rows = zip(self.parts, self.keys, strict=True)
        return {f"case{i}": part(*map(given.get, keys)) for i, (part, keys) in enumerate(rows)}

    def _drawn(self, batch: int) -> dict[Hashable, torch.Tensor]:
        return {k: tensor for part in self.sources for k, tensor in part.inputs(batch).items()}


@dataclass(frozen=True)
class Imported:
    """Parts that are imported together."""

    graph: Graph
    model: Calls
    called: frozenset[Any]
    """operators whose rules were called"""
    dtype: torch.dtype

    @staticmethod
    def of(parts: Sequence[Part], dtype: torch.dtype) -> Imported:
        """Import parts at once."""
        called: set[Any] = set()
        model = Calls(parts).to(dtype)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rules, "RULES", _spied(called))
            graph = import_model(model, model.inputs(2, dtype))
        return Imported(graph, model, frozenset(called), dtype)

    def results(self, batch: int) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
        """Give torch's results and the graph's, part by part."""
        feed = self.model.inputs(batch, self.dtype)
        with torch.no_grad():
            wanted = [pytree.tree_leaves(value) for value in self.model(*feed).values()]
        got = iter(results(self.graph, feed, str(self.dtype).removeprefix("torch.")))
        return [([w.numpy() for w in row], [next(got) for _ in row]) for row in wanted]


def _spied(called: set[Any]) -> dict[Any, Any]:
    """Give all rules, each of which says that it was called."""

    def spy(target: Any, rule: Any) -> Any:
        def noted(*args: Any, **kwargs: Any) -> Any:
            called.add(target)
            return rule(*args, **kwargs)

        return noted

    return {target: spy(target, rule) for target, rule in rules.RULES.items()}


def outputs(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[np.ndarray]:
    """Run the model itself."""
    with torch.no_grad():
        leaves = pytree.tree_leaves(model(*args, **kwargs))
    return [leaf.numpy() for leaf in leaves if isinstance(leaf, torch.Tensor)]


def results(graph: Graph, feed: Any, dtype: str = "float32") -> list[np.ndarray]:
    """Run the graph."""
    got = runtime.run(graph, feed, dtype=dtype)
    return list(got) if isinstance(got, tuple) else [got]


def distance(wanted: list[np.ndarray], got: list[np.ndarray]) -> float:
    """Max |got - wanted| / max |wanted| over all results; shapes must agree."""
    assert [w.shape for w in wanted] == [g.shape for g in got]
    worst = 0.0
    for w, g in zip(wanted, got, strict=True):
        a, b = w.astype(np.float64), np.asarray(g, np.float64)
        assert np.array_equal(np.isnan(a), np.isnan(b))
        if a.size:
            gap = np.abs(np.nan_to_num(a) - np.nan_to_num(b)).max()
            worst = max(worst, float(gap / max(np.abs(np.nan_to_num(a)).max(), 1e-6)))
    return worst
