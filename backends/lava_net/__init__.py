"""A Lava process graph with a program that runs it, and NetX files where a program fits them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikec.artifact import Artifact, Deployable, Numbers, Recorded


@dataclass(frozen=True)
class LavaExporter:
    """Writes a folder that runs by itself in Lava, and runs it there."""

    python: str | None = None
    """interpreter with lava-nc; else the variable SPIKEC_LAVA_PYTHON, else `spikec lava-setup`'s"""
    limit: float | None = None
    """seconds that a run may take; else the variable SPIKEC_LAVA_LIMIT, else 600"""

    def write(self, source: Deployable, folder: Path) -> Mapping[str, Any]:
        """Write the process graph, its numbers, and what runs it."""
        from spikec.backends.lava_net.writing import write

        return write(source, folder)

    def run(self, artifact: Artifact, inputs: Mapping[str, Numbers], way: str) -> Recorded:
        """Run in floating (``float``) or fixed point (``fixed``), or a NetX file (``netx``)."""
        from spikec.backends.lava_net.running import run

        return run(artifact, inputs, way, self.python, self.limit)
