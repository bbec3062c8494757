"""Runs networks on chips that SANA-FE simulates: equal events, energy and latency.

    python -m benchmarks.export_sanafe [--images 10] [--steps 16] [--rows mlp lenet ...] [--json]

An MLP and a LeNet for MNIST are converted by recipe `rate` into whole numbers (inputs of 4 bits),
lowered to the target, and simulated.  Every entry (step, image, neuron) is compared with the
layerwise engine.  Energies and latencies are SANA-FE's, by step and by core, summed for an image.
TrueNorth takes two weights per neuron where it has so many sources, hence the ternary MLP.
Needs the package `sanafe`; data as in `benchmarks/mnist_nets.py`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import spikec
from benchmarks import mnist_nets
from spikec.artifact import Artifact
from spikec.data import Data, read_data
from spikec.target import placement_of

CALIBRATION = 512
INPUT_BITS = 4


@dataclass(frozen=True)
class Row:
    """A network, its weights, and a chip."""

    net: Callable[[], nn.Module]
    bits: int
    target: str


ROWS: Mapping[str, Row] = {
    "mlp": Row(mnist_nets.mlp, 8, "sanafe-loihi"),
    "lenet": Row(mnist_nets.lenet, 8, "sanafe-loihi"),
    "residual": Row(mnist_nets.residual, 8, "sanafe-loihi"),
    "mlp-truenorth": Row(mnist_nets.mlp, 2, "truenorth"),
}


def main() -> None:
    """Convert, lower, simulate, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    split = mnist_nets.data()
    test = read_data((split.test_x, split.test_y))
    rows = []
    for name in chosen.rows:
        program = converted(ROWS[name], split.train_x[:CALIBRATION], chosen.steps)
        rows.append(measured(name, program, test, chosen.images))
        if not chosen.json:
            show(rows[-1])
    if chosen.json:
        print(json.dumps(rows, indent=1))


def converted(row: Row, calibration: Any, steps: int) -> spikec.Program:
    """Convert and lower."""
    program = spikec.convert(
        row.net(),
        calibration,
        steps,
        "rate",
        example_input=torch.zeros(1, 1, 28, 28),
        weight_bits=row.bits,
        input_bits=INPUT_BITS,
    )
    return spikec.lower(program, row.target, calibration)


def measured(name: str, program: spikec.Program, test: Data, images: int) -> dict[str, Any]:
    """Simulate some images; give what was compared, and what they took."""
    accuracy = program.evaluate(test)
    with tempfile.TemporaryDirectory() as folder:
        artifact = program.export("sanafe_chip", Path(folder) / "net")
        start = time.perf_counter()
        (check,) = program.verify("sanafe_chip", test.first(images), artifact).checks
        seconds = time.perf_counter() - start
        took = json.loads((artifact.folder / "results.json").read_text("utf-8"))
    placed = placement_of(program.graph)
    assert placed is not None
    return {
        "name": name,
        "target": placed.target,
        "accuracy": accuracy.accuracy,
        "reference_accuracy": accuracy.reference_accuracy,
        "cores": placed.cores,
        "synapses": artifact.manifest["synapses"],
        "check": check.to_json(),
        "said": str(check),
        "seconds": seconds,
        **costs(took, artifact),
    }


def costs(took: Mapping[str, Any], artifact: Artifact) -> dict[str, Any]:
    """Give means over images: of an image, of each step of the chip, of each core."""
    steps = {key: np.mean(rows, axis=0).tolist() for key, rows in took["steps"].items()}
    cores = {name: float(np.sum(rows, axis=1).mean()) for name, rows in took["cores"].items()}
    return {
        "energy_uj": 1e6 * float(np.mean(took["energy_j"])),
        "latency_us": 1e6 * float(np.mean(took["latency_s"])),
        "depth": artifact.manifest["latency"],
        "steps": steps,
        "cores_uj": {name: 1e6 * joule for name, joule in cores.items()},
    }


def show(row: Mapping[str, Any]) -> None:
    """Print one network."""
    print(
        f"\n== {row['name']} on {row['target']}: {row['cores']} cores, "
        f"{row['synapses']:,} synapses; accuracy {row['accuracy']:.2%} "
        f"(network {row['reference_accuracy']:.2%})"
    )
    print(f"{'equal' if row['check']['ok'] else 'DIFFERENT'}: {row['said']}")
    steps = row["steps"]
    print(
        f"an image: {row['energy_uj']:.4g} µJ, {row['latency_us']:.4g} µs, "
        f"{sum(steps['spikes']):,.0f} synaptic events; {row['seconds']:.0f} s to simulate all"
    )
    parts = [key.removesuffix("_energy_j") for key in steps if key.endswith("_energy_j")]
    shares = (f"{part} {1e6 * sum(steps[f'{part}_energy_j']):.4g} µJ" for part in parts)
    print(f"of that: {', '.join(shares)}")
    joined = "  ".join(f"{1e9 * joule:.4g}" for joule in steps["energy_j"])
    print(f"nJ by step ({row['depth']} of them empty the pipeline): {joined}")
    joined = "  ".join(f"{1e6 * second:.3g}" for second in steps["latency_s"])
    print(f"µs by step: {joined}")
    joined = "  ".join(f"{name} {energy:.3g}" for name, energy in row["cores_uj"].items())
    print(f"µJ by core: {joined}")


if __name__ == "__main__":
    main()
