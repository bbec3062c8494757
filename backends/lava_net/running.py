"""Runs an export in Lava, in a process of its own, and lays out what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Artifact, Recorded
from spikec.backends.lava_net.environment import LIMITED, Lava, find
from spikec.backends.lava_net.types import stored_type
from spikec.backends.lava_net.writing import ENCODER
from spikec.errors import ToolFailed, UsageError
from spikec.executor import run_child, time_limit
from spikec.ir import Sizes, TensorType, store
from spikec.ir.layout import folded, unfolded
from spikec.runtime import trace
from spikec.runtime.feed import told_steps

Numbers = NDArray[Any]
LIMIT = "SPIKEC_LAVA_LIMIT"
SECONDS = 600.0
_SLOW = (
    f"give it more time ({LIMIT}, in seconds) or fewer samples: Lava takes about a millisecond per "
    "step for small layers, a tenth of a second for large convolutions"
)
_BROKEN = "run `python run_lava.py samples.npz results.npz` in the export's folder by hand"


def run(
    artifact: Artifact,
    inputs: Mapping[str, Numbers],
    way: str,
    python: str | None = None,
    limit: float | None = None,
) -> Recorded:
    """Run an export in one of its ways."""
    if way not in artifact.ways:
        raise UsageError(
            f"this export cannot be run as {way!r}",
            where=str(artifact.folder),
            expected=", ".join(artifact.ways),
            remedy="; ".join(artifact.manifest["reasons"].get(way, ())),
        )
    lava, network = find(python), artifact.manifest["network"]
    inputs, encoded = encoded_by(artifact.folder, inputs, network)
    seconds = time_limit(LIMIT, limit, SECONDS)
    samples, sizes = given_samples(network, inputs)
    with tempfile.TemporaryDirectory() as folder:
        given, results = Path(folder) / "samples.npz", Path(folder) / "results.npz"
        np.savez(given, **samples)
        _call(lava, artifact.folder, (given, results, way), seconds)
        with np.load(results) as found:
            values = dict(found)
    tool = f"lava-nc {lava.version}"
    tool = f"lava-dl {lava.netx} on {tool}" if way == "netx" else tool
    return with_events(encoded, recorded(network, values, sizes, tool))


def with_events(encoded: Mapping[str, Numbers], found: Recorded) -> Recorded:
    """Add the events of the encoder's own neurons."""
    return replace(found, spikes={**encoded, **found.spikes})


def encoded_by(
    folder: Path, inputs: Mapping[str, Numbers], network: Mapping[str, Any]
) -> tuple[Mapping[str, Numbers], Mapping[str, Numbers]]:
    """Run the encoder, where the export has one: give what Lava reads, and its neurons' events."""
    path = folder / ENCODER
    if not path.is_file():
        return inputs, {}
    encoder, steps = store.load_all(path)[0][store.MAIN], network["steps"]
    names = [node.name for node in encoder if node.fires]
    seen = trace(encoder, dict(inputs), "layerwise", record=names, steps=told_steps(encoder, steps))
    read = (node.inputs[0].producer.name for node in encoder.outputs)
    events = dict(zip(read, seen.outputs, strict=True))
    return {n: events[n] if n in events else inputs[n] for n in network["inputs"]}, seen.values


def given_samples(
    network: Mapping[str, Any], inputs: Mapping[str, Numbers]
) -> tuple[dict[str, Any], Sizes]:
    """Lay inputs out as run_lava.py takes them: samples first, then steps, then the rest."""
    kinds = {name: stored_type(data) for name, data in network["types"].items()}
    steps = network["steps"]
    sizes = Sizes(_batch(kinds, inputs, steps), steps)
    shapes = {name: one["shape"] for name, one in network["inputs"].items()}
    samples = {
        name: folded(array, kinds[name], sizes).reshape(-1, *shapes[name])
        for name, array in inputs.items()
    }
    return samples, sizes


def _batch(kinds: Mapping[str, TensorType], inputs: Mapping[str, Numbers], steps: int) -> int:
    """Give the number of samples."""
    for name, array in inputs.items():
        axis = kinds[name].batch_axis
        if axis is not None:
            return int(array.shape[axis] // Sizes(1, steps).of(kinds[name].dims[axis]))
    raise UsageError("no input holds samples", expected="an input with a batch axis")


def _call(lava: Lava, folder: Path, files: tuple[Path, Path, str], limit: float) -> None:
    given, results, way = files
    command: list[str | Path] = [lava.python, folder / "run_lava.py", given, results, "--way", way]
    done = run_child(command, "Lava", limit, environment=LIMITED, remedy=_SLOW)
    if done.code or not results.is_file():
        what = f"Lava broke off (exit code {done.code})"
        where = " ".join(map(str, command))
        raise ToolFailed(what, where=where, remedy=_BROKEN, output=done.tail)


def recorded(
    network: Mapping[str, Any], values: Mapping[str, Numbers], sizes: Sizes, tool: str
) -> Recorded:
    """Lay results out as the runtime's values are."""
    types = {name: stored_type(data) for name, data in network["types"].items()}

    spikes = {
        layer["name"]: unfolded(values[f"spikes/{layer['name']}"], types[layer["name"]], sizes)
        for layer in network["layers"]
        if not layer["readout"]
    }
    outputs = {
        name: unfolded(values[f"outputs/{name}"], types[value], sizes)
        for name, value in network["outputs"].items()
    }
    return Recorded(outputs, spikes, tool)
