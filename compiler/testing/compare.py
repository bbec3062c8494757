"""Inputs for a graph, and whether two graphs compute the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Sizes
from spikec.ir.graph import Graph
from spikec.ir.types import Spikes, TensorType
from spikec.runtime import run

Numbers = NDArray[Any]


def random_inputs(
    graph: Graph, batch: int = 2, seed: int | np.random.Generator = 0, *, steps: int = 4
) -> dict[str, Numbers]:
    """Draw one array per input: normal numbers, whole ones from 0 to 3, truth values, spikes."""
    rng = np.random.default_rng(seed)
    sizes = Sizes(batch, steps)
    return {node.name: _draw(node.outputs[0].type, sizes, rng) for node in graph.inputs}


def _draw(type_: TensorType, sizes: Sizes, rng: np.random.Generator) -> Numbers:
    shape, dtype = type_.shape(sizes), type_.dtype
    if isinstance(type_.signal, Spikes):
        signal = type_.signal
        counts = rng.integers(-signal.levels if signal.signed else 0, signal.levels + 1, shape)
        return (counts * signal.amplitude.data).astype(dtype.numpy)
    if dtype.is_float:
        return rng.normal(size=shape).astype(dtype.numpy)
    return rng.integers(0, 2 if dtype.value == "bool" else 4, shape).astype(dtype.numpy)


def assert_equivalent(
    graph_a: Graph,
    graph_b: Graph,
    inputs: Mapping[str, Numbers],
    tolerance: float = 0.0,
    *,
    dtype: str = "float32",
    steps: int | None = None,
) -> None:
    """Run both graphs; raise AssertionError where results differ by more than ``tolerance``.

    For each output: max |a - b| <= tolerance · max |a|; NaN and infinities stand in the same
    places; integers and truth values are equal.  ``inputs`` go by the names of ``graph_a``, and in
    its order to ``graph_b``.
    """
    names = [node.name for node in graph_b.inputs]
    values = [inputs[node.name] for node in graph_a.inputs]
    results = [
        _results(graph_a, dict(inputs), dtype, steps),
        _results(graph_b, dict(zip(names, values, strict=True)), dtype, steps),
    ]
    if len(results[0]) != len(results[1]):
        raise AssertionError(f"{len(results[0])} outputs against {len(results[1])}")
    rows = zip(graph_a.outputs, *results, strict=True)
    wrong = [f"%{node.name}: {why}" for node, a, b in rows if (why := difference(a, b, tolerance))]
    if wrong:
        named = f"{graph_a.name!r} and {graph_b.name!r}"
        raise AssertionError("\n".join([f"graphs {named} differ", *wrong]))


def _results(graph: Graph, x: object, dtype: str, steps: int | None) -> tuple[Numbers, ...]:
    result = run(graph, x, dtype=dtype, steps=steps)
    return result if isinstance(result, tuple) else (result,)


def difference(a: Numbers, b: Numbers, tolerance: float) -> str:
    """Say how two arrays differ; empty where they agree.

    >>> difference(np.array([1.0, 2.0]), np.array([1.0, 2.5]), 0.1)
    '2 against 2.5 at [1]: 0.25 of the largest number, allowed 0.1'
    """
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype}{list(a.shape)} against {b.dtype}{list(b.shape)}"
    same = np.equal(a, b) | ((a != a) & (b != b))
    finite = np.isfinite(a) & np.isfinite(b)
    if a.dtype.kind != "f" or not same[~finite].all():
        return "" if same.all() else _first(a, b, ~same & ~(finite & (a.dtype.kind == "f")))
    distance = np.abs(np.where(finite, a, 0).astype(np.float64) - np.where(finite, b, 0))
    scale = float(np.abs(np.where(finite, a, 0)).max(initial=0))
    worst = float(distance.max(initial=0))
    if worst <= tolerance * scale:
        return ""
    share = f"{worst / scale:.3g} of the largest number" if scale else f"{worst:.3g} beside 0"
    return f"{_first(a, b, distance == worst)}: {share}, allowed {tolerance:g}"


def _first(a: Numbers, b: Numbers, where: NDArray[np.bool_]) -> str:
    index = tuple(int(i) for i in np.argwhere(where)[0])
    return f"{a[index]:.6g} against {b[index]:.6g} at {list(index)}"
