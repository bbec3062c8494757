"""What objects of nir say, metadata included."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_LEAST, SUBTRACT = ">=", "subtract"
FIRING = ("IF", "LIF", "CubaLIF")


def firing_nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Give the neurons of a graph that fire."""
    return ((n, node) for n, node in graph.nodes.items() if type(node).__name__ in FIRING)


def reset_of(node: Any) -> str:
    """``subtract`` or ``v_reset``."""
    return _text(node, "reset", "v_reset")


def comparison_of(node: Any) -> str:
    """``>`` or ``>=``."""
    return _text(node, "comparison", ">")


def start_of(node: Any) -> NDArray[np.float32]:
    """Give the potentials before the first step."""
    start = node.metadata.get("v_init", 0)
    return np.broadcast_to(np.asarray(start, np.float32), np.shape(node.v_threshold)).copy()


def _text(node: Any, key: str, default: str) -> str:
    """Read a text of the metadata, which nir gives in bytes."""
    value = node.metadata.get(key, default)
    return value.decode() if isinstance(value, bytes) else str(value)


def lacking(graph: Any, kinds: Collection[str]) -> str:
    """Say what a framework does not have: classes, padded sum pools, several ends."""
    ends: dict[str, int] = {"Input": 0, "Output": 0}
    for name, node in graph.nodes.items():
        kind = type(node).__name__
        if kind in ends:
            ends[kind] += 1
        elif kind not in kinds:
            return f"it has no {kind}"
        elif kind == "SumPool2d" and np.any(node.padding):
            return f"it would drop the padding of {name}"
    several = [kind for kind, count in ends.items() if count != 1]
    return f"it takes one {several[0]} alone" if several else ""
