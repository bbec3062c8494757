"""Loihi and TrueNorth as SANA-FE simulates them: events, energy and latency by step and core."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikec.artifact import Artifact, Deployable, Numbers, Recorded


class SanafeExporter:
    """Writes placed programs for SANA-FE, and runs them with it in a process of its own."""

    def write(
        self,
        source: Deployable,
        folder: Path,
        *,
        chip: str | None = None,
        memory: float | None = None,
    ) -> Mapping[str, Any]:
        """Write a placed program for ``chip``: ``loihi`` or ``truenorth``.

        By default the one that it is placed for.  ``memory`` in GiB is what the simulator may take,
        by default what is free.
        """
        from spikec.backends.sanafe_chip.writing import write

        return write(source, folder, chip=chip, memory=memory)

    def run(self, artifact: Artifact, inputs: Mapping[str, Numbers], way: str) -> Recorded:
        """Simulate the chip; energies and latencies stand in ``results.json`` afterwards."""
        from spikec.backends.sanafe_chip.running import simulate
        from spikec.errors import UsageError

        if way not in artifact.ways:
            raise UsageError(
                f"this export does not run as {way!r}", expected=", ".join(artifact.ways)
            )
        return simulate(artifact, inputs).recorded
