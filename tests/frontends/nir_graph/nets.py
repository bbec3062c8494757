"""Small NIR graphs, and the equations of their neurons in plain NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikec.frontends.nir_graph import import_model
from spikec.ir import Graph
from spikec.ir.verify import verify
from spikec.runtime import trace

Numbers = NDArray[Any]
STEPS, BATCH, SIZE = 12, 3, 5


def chain(*nodes: Any, shape: tuple[int, ...] = (SIZE,), out: tuple[int, ...] | None = None) -> Any:
    """Put nodes in a row: input -> n0 -> n1 … -> output."""
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    ends = {"input": nir.Input(np.array(shape)), "output": nir.Output(np.array(out or shape))}
    names = ["input", *named, "output"]
    return graph({**ends, **named}, list(itertools.pairwise(names)))


def graph(nodes: Mapping[str, Any], edges: list[tuple[str, str]], **metadata: Any) -> Any:
    """Make a graph that nir itself does not check."""
    return nir.NIRGraph(dict(nodes), edges, metadata=metadata, type_check=False)


def written(source: Any, folder: Path) -> Path:
    path = folder / "net.nir"
    nir.write(path, source)
    return path


def imported(source: Any, **options: Any) -> Graph:
    """Import a graph or a file; what comes out has to be a legal graph."""
    found = import_model(source, **options)
    verify(found)
    return found


def outputs(found: Graph, *inputs: Numbers, engine: str = "reference") -> Numbers:
    named = dict(zip((node.name for node in found.inputs), inputs, strict=True))
    (result,) = trace(found, named, engine, record=()).outputs
    return result


def uniform(seed: int, *shape: int, low: float = 0.0, high: float = 1.0) -> Numbers:
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def currents(seed: int = 0, *shape: int) -> Numbers:
    """Give inputs [T, B, …] that make neurons of threshold 1 fire now and then."""
    drawn = np.random.default_rng(seed).normal(0.3, 0.6, (STEPS, BATCH, *(shape or (SIZE,))))
    return np.asarray(drawn, np.float32)


def stepped(x: Numbers, step: Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]) -> Numbers:
    """Run v, y = step(v, x[t]) in double precision from v = 0."""
    v = np.zeros(x.shape[1:])
    rows = []
    for row in x.astype(np.float64):
        v, y = step(v, row)
        rows.append(y)
    return np.stack(rows)


def fired(h: Numbers, threshold: Numbers, reset: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """Fire above the threshold; without a reset potential the threshold is subtracted."""
    z = (h > threshold).astype(np.float64)
    return np.where(z > 0, h - threshold if reset is None else reset, h), z
