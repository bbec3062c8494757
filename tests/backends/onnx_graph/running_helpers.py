"""Runs models in memory, whole or step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from spikec.backends.onnx_graph.building import NEXT
from spikec.backends.onnx_graph.running import session
from spikec.ir import Graph, Sizes

Numbers = NDArray[Any]
Named = dict[str, Numbers]


def outputs_of(model: onnx.ModelProto, given: Mapping[str, Numbers]) -> Named:
    """Run a model on those of the given arrays that it takes."""
    ready = session(model.SerializeToString(), 1)
    names = [value.name for value in ready.get_outputs()]
    feed = {value.name: given[value.name] for value in ready.get_inputs()}
    return dict(zip(names, ready.run(names, feed), strict=True))


def stepped(
    models: Mapping[str, onnx.ModelProto],
    graph: Graph,
    given: Mapping[str, Numbers],
    sizes: Sizes,
) -> Named:
    """Start, then step; give the outputs of all steps, joined over time."""
    batch, steps = {"batch": np.array([sizes.batch], np.int64)}, sizes.steps
    values: Named = {**given, **outputs_of(models["start"], {**given, **batch})}
    timed = {n.name: n.outputs[0].type for n in graph.inputs if not n.outputs[0].type.is_static}
    rows: list[Named] = []
    for step in range(steps):
        now = dict(values)
        for name, type_ in timed.items():
            now[name] = np.split(given[name], steps, type_.time_axis or 0)[step]
        rows.append(outputs_of(models["step"], now))
        values.update({n.removesuffix(NEXT): v for n, v in rows[-1].items() if n.endswith(NEXT)})
    axes = {n.name: n.inputs[0].type.time_axis for n in graph.outputs}
    return {
        name: rows[-1][name] if axis is None else np.concatenate([r[name] for r in rows], axis)
        for name, axis in axes.items()
        if name in rows[0]
    }
