"""ONNX models of standard operators: all steps at once, and one step with explicit states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikec.artifact import Artifact, Deployable, Numbers, Recorded


class OnnxExporter:
    """Writes ONNX models, and runs them with onnxruntime."""

    def write(self, source: Deployable, folder: Path, *, step: bool = True) -> Mapping[str, Any]:
        """Write ``sequence.onnx`` and, unless ``step`` is false, ``start.onnx``, ``step.onnx``."""
        from spikec.backends.onnx_graph.writing import write

        return write(source, folder, one_step=step)

    def run(self, artifact: Artifact, inputs: Mapping[str, Numbers], way: str) -> Recorded:
        """Run the whole sequence at once (``sequence``), or step by step (``step``)."""
        from spikec.backends.onnx_graph.running import run

        return run(artifact, inputs, way)
