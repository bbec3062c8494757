"""Hypothesis strategies; hypothesis is imported when one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikec.ir.graph import Graph, Stage
from spikec.testing.random_graphs import random_graph

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def graphs(
    *, stage: Stage = Stage.ANALOG, max_size: int = 16, smooth: bool = False
) -> SearchStrategy[Graph]:
    """Give random graphs; hypothesis shrinks them towards few nodes."""
    from hypothesis import strategies as st

    def build(size: int, seed: int) -> Graph:
        return random_graph(seed, size=size, stage=stage, smooth=smooth)

    return st.builds(build, size=st.integers(1, max_size), seed=st.integers(0, 2**32 - 1))
