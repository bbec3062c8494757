"""Frontend for ONNX: a ModelProto, its bytes or a file becomes an ANALOG graph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

    from spikec.ir import Graph

__all__ = ["import_model"]


def import_model(
    model: ModelProto | bytes | str | os.PathLike[str],
    example_input: Any = None,
    *,
    name: str = "",
    dynamic_batch: bool = False,
    sizes: Mapping[str, int] | None = None,
) -> Graph:
    """Import an ONNX model, opset 8 to the newest that the installed onnx knows.

    A symbolic first axis of the inputs is the batch.  Other symbolic axes take their sizes from
    ``example_input`` (an array, a tuple, or a dict by input names) or from ``sizes`` (by the names
    of the symbols).  ``dynamic_batch`` turns a fixed first axis of all inputs into the batch, which
    is refused where the model itself depends on that size.
    """
    from spikec.frontends.onnx_graph.building import build
    from spikec.frontends.onnx_graph.reading import read_model

    source = read_model(model)
    title = name or _title(model, source.model)
    return build(source, title, example_input, dict(sizes or {}), dynamic_batch=dynamic_batch)


def _title(model: object, proto: ModelProto) -> str:
    if isinstance(model, str | os.PathLike):
        return Path(model).stem
    return proto.graph.name or "onnx"
