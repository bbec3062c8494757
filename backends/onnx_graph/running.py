"""Runs exported models with onnxruntime, every neuron's events among the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from spikec.artifact import Artifact, Recorded
from spikec.backends.onnx_graph.building import BATCH, NEXT
from spikec.backends.onnx_graph.models import BY_STEP, SEQUENCE, START, STEP
from spikec.errors import BadFile, UsageError

Numbers = NDArray[Any]
Named = dict[str, Numbers]
TOOL = f"onnxruntime {onnxruntime.__version__}"


def run(artifact: Artifact, inputs: Mapping[str, Numbers], way: str) -> Recorded:
    """Run an export in one of its ways."""
    if way not in _WAYS:
        raise UsageError(
            f"no way to run an ONNX export is called {way!r}", expected=", ".join(_WAYS)
        )
    return _WAYS[way](artifact, inputs)


def session(model: Path | bytes, threads: int = 0) -> onnxruntime.InferenceSession:
    """Load a model; ``threads`` 0 lets the runtime choose."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes, one per kind of failure
        where = "" if isinstance(model, bytes) else str(model)
        raise BadFile(f"onnxruntime does not load the model: {error}", where=where) from error


def _sequence(artifact: Artifact, inputs: Mapping[str, Numbers]) -> Recorded:
    neurons = tuple(artifact.manifest["neurons"])
    run_one = _observed(artifact.folder / f"{SEQUENCE}.onnx", neurons)
    values = run_one(inputs)
    timed = set(artifact.manifest["timed_outputs"])
    outputs = {
        n: values[f"{n}{BY_STEP}" if n in timed else n] for n in artifact.manifest["outputs"]
    }
    return Recorded(outputs, {n: values[n] for n in neurons}, TOOL)


def _step(artifact: Artifact, inputs: Mapping[str, Numbers]) -> Recorded:
    """Start, then step T times; states and estimates as the step model gives them."""
    manifest = artifact.manifest
    neurons = tuple(manifest["neurons"])
    start, step = (artifact.folder / f"{name}.onnx" for name in (START, STEP))
    own = manifest["models"][START]["inputs"]
    missing = {BATCH: np.array([_batch(manifest, inputs)], np.int64)}
    values = _observed(start, ())({n: inputs.get(n, missing.get(n)) for n in own})
    advance = _observed(step, neurons)
    names = manifest["models"][STEP]["inputs"]
    steps = manifest["steps"]
    timed = {n: np.split(inputs[n], steps, axis) for n, axis in manifest["timed_inputs"].items()}
    rows: list[Named] = []
    for t in range(steps):
        values.update({name: parts[t] for name, parts in timed.items()})
        now = advance({name: values[name] for name in names})
        rows.append({n: now[n] for n in (*neurons, *manifest["outputs"])})
        values.update({n.removesuffix(NEXT): v for n, v in now.items() if n.endswith(NEXT)})
    axes = {**manifest["neurons"], **manifest["time_axes"]}
    joined = {n: np.concatenate([row[n] for row in rows], axes[n]) for n in rows[0]}
    return Recorded(
        {n: joined[n] for n in manifest["outputs"]}, {n: joined[n] for n in neurons}, TOOL
    )


def _batch(manifest: Mapping[str, Any], inputs: Mapping[str, Numbers]) -> int:
    """Give the number of samples; 1 where no input holds them."""
    sizes = manifest["batch"].items()
    return next((inputs[name].shape[axis] // share for name, (axis, share) in sizes), 1)


def _observed(path: Path, neurons: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Named]:
    """Load a model with further outputs: the values of these names."""
    model = onnx.load_model(str(path))
    given = {value.name for value in model.graph.output}
    for name in neurons:
        if name not in given:
            kind = onnx.TensorProto.FLOAT
            model.graph.output.append(helper.make_tensor_value_info(name, kind, None))
    ready = session(model.SerializeToString())
    names = [value.name for value in ready.get_outputs()]
    return lambda inputs: dict(zip(names, ready.run(names, dict(inputs)), strict=True))


_WAYS: Mapping[str, Callable[[Artifact, Mapping[str, Numbers]], Recorded]] = {
    SEQUENCE: _sequence,
    STEP: _step,
}
