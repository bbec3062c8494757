"""Networks of ``benchmarks.models`` as ONNX, by torch.onnx.export (dynamo) with a dynamic batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from benchmarks.models import MODELS, Model

Feed = dict[str, "NDArray[np.generic]"]


def exported_models(
    names: list[str],
) -> Iterator[tuple[str, ModelProto, Callable[[int], Feed]]]:
    """Give name, ONNX model and a source of inputs for each network (all, or those named)."""
    for name in names or MODELS:
        model = MODELS[name]
        yield name, export(model), _feeds(model)


def export(model: Model) -> ModelProto:
    """Export one network."""
    example = model.draw(2)
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            model.build(),
            kwargs=example,
            dynamo=True,
            dynamic_shapes={name: {0: batch} for name in example},
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    assert isinstance(proto, ModelProto)
    return proto


def _feeds(model: Model) -> Callable[[int], Feed]:
    def draw(batch: int) -> Feed:
        torch.manual_seed(batch)
        return {name: tensor.numpy() for name, tensor in model.draw(batch).items()}

    return draw
