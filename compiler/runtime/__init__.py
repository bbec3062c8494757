"""Runs graphs: ``run`` gives the outputs, ``trace`` every value that was asked for.

>>> import numpy as np
>>> from spikec.ir import B, Editor, Graph, TensorType, ops
>>> edit = Editor(Graph("tiny"), by="example")
>>> x = edit.input("x", TensorType((B, 2)))
>>> edit.output("y", edit.add(ops.ReLU(), x))
>>> print(run(edit.graph, np.array([[-1.0, 2.0]])))
[[0. 2.]]
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from spikec.errors import UsageError
from spikec.ir.graph import Graph
from spikec.runtime.feed import Feed, bind_inputs

__all__ = ["ENGINES", "Engine", "Trace", "run", "trace"]

Numbers = NDArray[Any]


class Engine(Protocol):
    """A way to compute all values of a graph; every engine gives the same spikes."""

    def __call__(self, graph: Graph, feed: Feed, wanted: frozenset[str]) -> dict[str, Numbers]:
        """Give the values of these names (a value is named after its node, ``node#1`` …)."""


@dataclass(frozen=True)
class Trace:
    """What a run has shown."""

    outputs: tuple[Numbers, ...]
    """in the order of the graph's outputs"""
    values: dict[str, Numbers]
    """recorded values, in the graph's order, by name: the node's, ``node#1`` for a second result"""
    steps: int
    """time steps of the run (1 where no value holds T)"""


def run(
    graph: Graph,
    x: object,
    engine: str = "reference",
    *,
    steps: int | None = None,
    dtype: str = "float32",
) -> Numbers | tuple[Numbers, ...]:
    """Run a graph of any stage; give its output, or a tuple of them where it has several.

    ``x`` is an array (anything NumPy can read, torch tensors included), a tuple of arrays in the
    order of the graph's inputs, or a dict of them by name.  ``steps`` is needed where the graph
    holds time and no input does.  Every floating number, weights included, is a ``dtype``
    (``float32`` or ``float64``); integers stay what they are.

    Floats of any width, bools, and integers that lose no digit are accepted where floats are
    declared; where integers are declared, integers that fit.  NaN and Inf are refused.
    """
    outputs = trace(graph, x, engine, record=(), steps=steps, dtype=dtype).outputs
    return outputs[0] if len(outputs) == 1 else outputs


def trace(
    graph: Graph,
    x: object,
    engine: str = "reference",
    *,
    record: Iterable[str] | None = None,
    steps: int | None = None,
    dtype: str = "float32",
) -> Trace:
    """Run a graph and keep values: all of them, or those whose names ``record`` holds."""
    execute = _engine(engine)
    names = [value.name for node in graph for value in node.outputs]
    kept = names if record is None else _known(names, record)
    results = [node.inputs[0].name for node in graph.outputs]
    if not results:
        raise UsageError(f"graph {graph.name!r} has no output", expected="at least one")
    feed = bind_inputs(graph, x, steps, dtype)
    values = execute(graph, feed, frozenset((*kept, *results)))
    return Trace(
        outputs=tuple(values[name] for name in results),
        values={name: values[name] for name in kept},
        steps=feed.sizes.steps,
    )


def _known(names: list[str], record: Iterable[str]) -> list[str]:
    wanted = {record} if isinstance(record, str) else set(record)
    unknown = sorted(wanted - set(names))
    if unknown:
        raise UsageError(
            f"no value is called {', '.join(unknown)}",
            expected="names of nodes with results; `#1` behind the name for a second result",
            remedy=f"values of this graph: {', '.join(names)}",
        )
    return [name for name in names if name in wanted]


def _engine(name: str) -> Engine:
    if name not in ENGINES:
        raise UsageError(f"unknown engine {name!r}", expected=f"one of {', '.join(ENGINES)}")
    execute: Engine = importlib.import_module(ENGINES[name]).execute
    return execute


# Name of an engine -> the module whose ``execute`` it is, loaded on first use.
ENGINES: dict[str, str] = {
    "reference": "spikec.runtime.reference",
    "layerwise": "spikec.runtime.layerwise",
}
