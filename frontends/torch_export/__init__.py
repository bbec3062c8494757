"""PyTorch models in, a graph out: modules, FX graphs, exported programs, .pt2 files.

It is ANALOG, or SPIKING where the model holds modules of ``spikec.nn``.
"""

from __future__ import annotations

import os
from pathlib import Path

from spikec.frontends.torch_export.capture import capture
from spikec.frontends.torch_export.importer import import_capture
from spikec.ir import Graph

__all__ = ["import_model"]


def import_model(
    model: object,
    example_input: object = None,
    *,
    name: str = "",
    time_axis: int | None = None,
) -> Graph:
    """Import an nn.Module, fx.GraphModule, ExportedProgram, or the path of a .pt2 file.

    ``example_input`` is a batch: a tensor or array, a tuple of arguments, or a dict of keyword
    arguments (a pair of a tuple and a dict gives both). Modules need one; programs hold their own.
    ``time_axis=0`` says that inputs come over time, [steps, samples, ...], as recordings of event
    cameras do.  The model is left as it was found, also when the import fails.
    """
    path = Path(model) if isinstance(model, str | os.PathLike) else None
    called = name or (path.stem if path else type(model).__name__)
    return import_capture(capture(path or model, example_input, time_axis), called)
