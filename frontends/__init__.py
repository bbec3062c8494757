"""Frontends: other people's models in, a graph out; this table says who takes which model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikec.ir import Graph


ImportModel = Callable[..., "Graph"]
"""What each frontend offers: ``import_model(model, example_input=None, *, name="", …)``.

It translates a model, and lists all that cannot be translated in one error.  Further options are
keyword-only.
"""


@dataclass(frozen=True)
class Frontend:
    """How a frontend recognises a model, and how to get at it.

    Both tests look at names only, so that choosing a frontend loads no framework.
    """

    accepts: str
    """for messages: the models that it takes"""
    suffixes: tuple[str, ...]
    """of files, in lower case with the dot"""
    classes: tuple[str, ...]
    """qualified names of classes; an instance of one of them, or of a subclass, is taken"""
    load: Callable[[], ImportModel]

    def takes_file(self, suffix: str) -> bool:
        """Tell whether files that end so are this frontend's."""
        return suffix.lower() in self.suffixes

    def takes_object(self, model: object) -> bool:
        """Tell whether the object, by the names of its classes, is this frontend's."""
        return any(f"{c.__module__}.{c.__qualname__}" in self.classes for c in type(model).__mro__)


def _torch_export() -> ImportModel:
    from spikec.frontends.torch_export import import_model

    return import_model


def _onnx_graph() -> ImportModel:
    from spikec.frontends.onnx_graph import import_model

    return import_model


def _nir_graph() -> ImportModel:
    from spikec.frontends.nir_graph import import_model

    return import_model


FRONTENDS: dict[str, Frontend] = {
    "nir_graph": Frontend(
        accepts="a nir.NIRGraph, or a .nir file",
        suffixes=(".nir",),
        classes=("nir.ir.graph.NIRGraph", "nir.ir.NIRGraph"),
        load=_nir_graph,
    ),
    "onnx_graph": Frontend(
        accepts="an ONNX ModelProto, its bytes, or a .onnx file",
        suffixes=(".onnx",),
        classes=("onnx.onnx_ml_pb2.ModelProto", "builtins.bytes"),
        load=_onnx_graph,
    ),
    "torch_export": Frontend(
        accepts="a PyTorch nn.Module or fx.GraphModule, an ExportedProgram, or a .pt2 file",
        suffixes=(".pt2",),
        classes=(
            "torch.nn.modules.module.Module",
            "torch.export.exported_program.ExportedProgram",
        ),
        load=_torch_export,
    ),
}
