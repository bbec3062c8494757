"""Writes the models of a program into a folder, with what a user has to know about them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx

from spikec.artifact import Deployable
from spikec.backends.onnx_graph.building import NEXT
from spikec.backends.onnx_graph.models import BY_STEP, SEQUENCE, STEP, models_of
from spikec.backends.onnx_graph.scope import OPSET
from spikec.errors import UsageError
from spikec.ir import Family, Graph, Node, Sizes, Stage, TensorType, Value

LARGEST = 2**31 - 2**20
"""bytes that one ONNX file can hold"""

README = """\
# {name}: a spiking network as ONNX

Written by spikec {version}; {steps} steps, recipe `{recipe}`. Standard operators of opset {opset}
only; neurons are functions of the domain `spikec`, whose bodies stand in the files themselves.
Inputs are to be preprocessed as `x' = (scale x - mean) / std` with {preprocess}.

- `sequence.onnx`: inputs -> estimates after the last step, then those of all steps (`*{by_step}`).
"""
README_STEP = """\
- `start.onnx`: inputs -> the currents that do not change (`*.held`), and the first states.
- `step.onnx`: these -> one step's estimates, and the states behind it (`*{next}`).

```python
import onnxruntime as ort
start, step = (ort.InferenceSession(f"{{name}}.onnx") for name in ("start", "step"))
values = dict(zip([o.name for o in start.get_outputs()], start.run(None, {{"{input}": x}})))
for t in range({steps}):
    now = dict(zip([o.name for o in step.get_outputs()], step.run(None, values)))
    values.update({{n.removesuffix("{next}"): v for n, v in now.items() if n.endswith("{next}")}})
```
"""


def write(source: Deployable, folder: Path, *, one_step: bool) -> Mapping[str, Any]:
    """Write models and README; give the manifest's own part."""
    graph = source.graph
    if graph.stage is Stage.ANALOG or not any(n.op.family is Family.NEURON for n in graph):
        raise UsageError(
            f"{graph.name!r} holds no neurons",
            expected="a spiking program",
            remedy="spikec convert makes one; an analog network needs no export of ours",
        )
    models = models_of(graph, source.steps, metadata_of(source), one_step=one_step).protos
    for name, model in models.items():
        if model.ByteSize() > LARGEST:
            raise UsageError(
                f"{name}.onnx would be larger than 2 GiB, which no ONNX file can be",
                remedy="convert a smaller network",
            )
        onnx.save_model(model, str(folder / f"{name}.onnx"))
    (folder / "README.md").write_text(_readme(source, one_step=one_step), "utf-8")
    return {
        "ways": [SEQUENCE, STEP] if one_step else [SEQUENCE],
        "opset": OPSET,
        "models": {name: _signature(model) for name, model in models.items()},
        "outputs": [node.name for node in graph.outputs],
        "batch": {n.name: _batch(n.outputs[0].type, source.steps) for n in _batched(graph)},
        "timed_inputs": _time_axes(n.outputs[0] for n in graph.inputs),
        "timed_outputs": [n.name for n in graph.outputs if not n.inputs[0].type.is_static],
        "neurons": _time_axes(n.outputs[0] for n in graph if n.op.family is Family.NEURON),
        "time_axes": {n.name: _time_axis(n.inputs[0].type) for n in graph.outputs},
    }


def _batched(graph: Graph) -> Iterator[Node]:
    """Give the inputs that hold samples."""
    return (node for node in graph.inputs if node.outputs[0].type.batch_axis is not None)


def _batch(x: TensorType, steps: int) -> tuple[int, int]:
    """Give the axis of the batch, and how long it is for one sample."""
    axis = x.rank + (x.batch_axis or 0)
    return axis, Sizes(1, steps).of(x.dims[axis])


def _time_axes(values: Iterable[Value]) -> dict[str, int]:
    """Give the axis of time of values, by the names of their nodes; static ones are left out."""
    return {v.producer.name: _time_axis(v.type) for v in values if not v.type.is_static}


def _time_axis(x: TensorType) -> int:
    return x.rank + (x.time_axis or 0)


def metadata_of(source: Deployable) -> dict[str, str]:
    """Give what stands in the models themselves: provenance and preprocessing."""
    from spikec import __version__

    return {
        "spikec.version": __version__,
        "spikec.recipe": source.recipe,
        "spikec.steps": str(source.steps),
        "spikec.preprocess": json.dumps(dict(source.preprocess), sort_keys=True),
        "spikec.made": json.dumps(dict(source.record), sort_keys=True),
    }


def _readme(source: Deployable, *, one_step: bool) -> str:
    from spikec import __version__

    return (README + (README_STEP if one_step else "")).format(
        name=source.graph.name,
        version=__version__,
        steps=source.steps,
        recipe=source.recipe,
        opset=OPSET,
        preprocess=json.dumps(dict(source.preprocess)),
        by_step=BY_STEP,
        next=NEXT,
        input=source.graph.inputs[0].name if source.graph.inputs else "x",
    )


def _signature(model: onnx.ModelProto) -> dict[str, dict[str, list[Any]]]:
    """Give names and sizes of inputs and outputs."""
    return {
        side: {
            value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
            for value in values
        }
        for side, values in (("inputs", model.graph.input), ("outputs", model.graph.output))
    }
