"""Frontend for NIR: a file or a ``nir.NIRGraph`` of any framework becomes a SPIKING graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikec.errors import UsageError

if TYPE_CHECKING:
    from spikec.ir import Graph

__all__ = ["import_model"]


def import_model(
    model: Any,
    example_input: Any = None,
    *,
    name: str = "",
    dt: float | None = None,
    method: str = "euler",
    reset: str = "auto",
    comparison: str = "auto",
    start: str = "zero",
    levels: int = 1,
    gain: str = "equation",
) -> Graph:
    """Import a NIR file, or a ``nir.NIRGraph``; inputs are currents or events [T, B, …].

    NIR's equations are in continuous time.  ``dt`` is the length of a step in the file's unit of
    time, and ``method`` how equations become steps: ``euler`` or ``exact`` (see
    ``settings.Method``).  ``reset``: ``subtract`` or ``v_reset``; ``auto`` follows the file's
    metadata, else its version (subtract up to 1.0.5).  ``comparison``: ``>``, ``>=``, or ``auto``:
    metadata, else NIR's ``>``.  ``start``: potentials begin at ``zero``, at ``v_reset`` or at
    ``v_leak``; ``v_init`` of the metadata goes first.  ``levels``: most spikes per neuron and step.
    ``gain``: what a current adds to a potential; by its ``equation``, or as it is: ``unit-if``
    for IF alone, as norse and snnTorch do, ``unit`` for all neurons, as sinabs does.
    """
    from spikec.frontends.nir_graph.importer import build
    from spikec.frontends.nir_graph.objects import from_object
    from spikec.frontends.nir_graph.reading import from_file
    from spikec.frontends.nir_graph.settings import settings_of

    if example_input is not None:
        raise UsageError("a NIR graph needs no example input", remedy="leave it out")
    settings = settings_of(dt, method, reset, comparison, start, levels, gain)
    is_file = isinstance(model, str | os.PathLike)
    source = from_file(Path(model)) if is_file else from_object(model)
    return build(source, name or (Path(model).stem if is_file else "nir"), settings)
