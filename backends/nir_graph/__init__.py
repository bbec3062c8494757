"""NIR files, for whatever framework or chip reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikec.artifact import Artifact, Deployable, Numbers, Recorded
    from spikec.backends.nir_graph.players import Player
    from spikec.ir import Graph


@dataclass(frozen=True)
class NirExporter:
    """Writes programs as NIR, and runs the files with a framework, or by reading them back."""

    reader: Callable[..., Graph] | None = None
    """gives the graph of a NIR file or object: the frontend of that name"""
    players: tuple[Player, ...] | None = None
    """what may run files, the best first; None: frameworks that are installed beside spikec"""

    def reading_by(self, reader: Callable[..., Graph]) -> NirExporter:
        """Give an exporter that can read its files back."""
        return replace(self, reader=reader)

    def write(
        self,
        source: Deployable,
        folder: Path,
        *,
        dt: float = 1.0,
        neurons: str = "IF",
        unit_thresholds: bool | None = None,
    ) -> Mapping[str, Any]:
        """Write a program.

        ``dt``: the length of a step in the file's unit of time.  ``neurons``: the class of those
        without a leak: ``IF``, ``LIF`` (for snnTorch) or ``CubaLIF`` (for norse with a soft reset).
        ``unit_thresholds``: weights absorb thresholds, which become 1; by default where those of a
        layer differ and are no whole numbers.
        """
        from spikec.backends.nir_graph.writing import write

        return write(source, folder, dt=dt, neurons=neurons, unit_thresholds=unit_thresholds)

    def run(self, artifact: Artifact, inputs: Mapping[str, Numbers], way: str) -> Recorded:
        """Run the file with SpikingJelly or norse, or by spikec's own importer; say which."""
        from spikec.backends.nir_graph.players import beside
        from spikec.backends.nir_graph.running import run
        from spikec.errors import UsageError

        if way not in artifact.ways:
            raise UsageError(
                f"this export does not run as {way!r}", expected=", ".join(artifact.ways)
            )
        players = beside() if self.players is None else self.players
        return run(artifact, inputs, self.reader, players)
