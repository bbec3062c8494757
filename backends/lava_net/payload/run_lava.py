"""Runs this export in Lava: samples in, events and estimates out.

    python run_lava.py samples.npz results.npz [--way float|fixed|netx]

``samples.npz`` holds one array per input of the network, samples on the first axis, preprocessed as
manifest.json says.  ``results.npz`` gets ``spikes/LAYER`` [samples, steps, neurons] (values of
events: counts times the neuron's amplitude) and ``outputs/NAME`` (estimates after each step).

Needed: lava-nc 0.10.0, NumPy, SciPy; for ``netx`` h5py and lava-dl 0.6.0 as well.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # one process per Lava process is enough

import numpy as np

HERE = Path(__file__).resolve().parent
Numbers = np.ndarray
Named = dict[str, Numbers]


def main() -> None:
    """Read, compute currents, run Lava, decode, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("samples", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--way", choices=("float", "fixed", "netx"), default="float")
    chosen = parser.parse_args()
    manifest = json.loads((HERE / "manifest.json").read_text("utf-8"))
    if chosen.way not in manifest["ways"]:
        why = "; ".join(manifest["reasons"].get(chosen.way, ()))
        sys.exit(f"this export cannot be run in the way {chosen.way!r}: {why}")
    with np.load(HERE / "weights.npz") as stored:
        arrays = dict(stored)
    with np.load(chosen.samples) as given:
        inputs = {name: given[name] for name in given.files}
    results: dict[str, Any] = run(manifest["network"], arrays, inputs, chosen.way)
    np.savez(chosen.results, **results)


def run(network: Mapping[str, Any], arrays: Named, inputs: Named, way: str) -> Named:
    """Give counts and estimates by name."""
    import host

    values = flattened(network, inputs)
    samples = len(next(iter(values.values())))
    host.compute(network["before"], values, arrays)
    if way == "netx":
        import netx

        counts = netx.run(HERE / "net.net", network, values, samples)
    else:
        from network import Network

        rows = {n: table(one, values) for n, one in network["sources"].items()}
        counts = Network(network, arrays, way).run(rows, samples)
    for layer in network["layers"]:
        values[layer["name"]] = sent(layer, counts[layer["name"]], arrays)
    host.compute(network["behind"], values, arrays)
    found = {
        f"spikes/{layer['name']}": values[layer["name"]]
        for layer in network["layers"]
        if not layer["readout"]
    }
    outputs = {f"outputs/{name}": values[value] for name, value in network["outputs"].items()}
    return {**found, **outputs}


def flattened(network: Mapping[str, Any], inputs: Named) -> Named:
    """Check what came, and lay out the elements of each sample (and step) on one axis."""
    values = {}
    for name, one in network["inputs"].items():
        if name not in inputs:
            sys.exit(f"samples: no array {name!r}")
        array = np.asarray(inputs[name], np.float64)
        wanted = tuple(one["shape"])
        if array.ndim != 1 + len(wanted) or array.shape[1:] != wanted:
            sys.exit(f"samples: {name} is {array.shape}, expected [samples, {wanted}]")
        steps = wanted[: one["timed"]]
        values[name] = array.reshape(len(array), *steps, -1)
    return values


def table(source: Mapping[str, Any], values: Named) -> Numbers:
    """Give rows [samples, R, size]: events of an input, or Σ of values with their profiles."""
    if not source["parts"]:
        return values[source["input"]]
    rows = max(part["delay"] + len(part["profile"]) for part in source["parts"])
    total: Any = 0
    for part in source["parts"]:
        late = np.arange(rows) - part["delay"]
        profile = np.asarray(part["profile"])[np.clip(late, 0, len(part["profile"]) - 1)]
        factors = np.where(late < 0, 0.0, profile)
        total = total + values[part["value"]][:, np.newaxis] * factors[:, np.newaxis]
    return np.asarray(total)


def sent(layer: Mapping[str, Any], counts: Numbers, arrays: Named) -> Numbers:
    """Give the values of a layer's events; of a readout the current of each step."""
    if layer["readout"]:
        return np.diff(counts.astype(np.float64), axis=1, prepend=0.0)
    return counts * arrays[f"{layer['name']}/amplitude"]


if __name__ == "__main__":
    main()
