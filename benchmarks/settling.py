"""By which step ``lossless`` programs have settled on the pretrained CIFAR-10 ResNets.

    python -m benchmarks.settling [--networks resnet20 resnet44] [--bursts 1 3 7] [--samples 1017]

Of each test image: the step from which on its outputs equal those of the quantised network for
good, and the step by which all of its events have ceased.  Data as in
``benchmarks.conversion_accuracy``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import spikec
from benchmarks.conversion_accuracy import CALIBRATION, PREPROCESS
from spikec.calibrate import blocks
from spikec.data import Data, read_data
from spikec.evaluation import neurons_in
from spikec.runtime import run
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import simulate

Steps = NDArray[np.int64]
STEPS = {1: 28, 3: 10, 7: 5}
"""a program's steps by quanta per step; others get 28"""
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True)
class Settling:
    """What happened to some images."""

    right: Steps
    """step from which on the outputs equal the quantised network's"""
    quiet: Steps
    """last step with an event; 0 where there is none"""
    events: NDArray[np.int64]
    """events by step [steps]"""


def main() -> None:
    """Print one line and one histogram per network and burst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet44"])
    parser.add_argument("--bursts", nargs="+", type=int, default=[1, 3, 7])
    parser.add_argument("--samples", type=int, default=None, help="the first so many test images")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    source = str(root / "data" / "cifar10_exact.npz")
    calibration = read_data(f"{source}:train").first(CALIBRATION)
    test = read_data(f"{source}:test")
    test = test if options.samples is None else test.first(options.samples)
    rows = []
    for name in options.networks:
        for burst in options.bursts:
            path = root / "models" / f"{name}_cifar10.onnx"
            rows.append(measure(path, burst, calibration, test))
            if not options.json:
                print("\n".join(lines(rows[-1])), flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))


def measure(path: Path, burst: int, calibration: Data, test: Data) -> dict[str, Any]:
    """Convert once, and run every image until nothing moves any more."""
    recipe, steps = f"lossless{{burst={burst}}}", STEPS.get(burst, STEPS[1])
    program = spikec.convert(str(path), calibration, steps, recipe, preprocess=PREPROCESS)
    found = list(settlings(program, test))
    right = np.concatenate([one.right for one in found])
    quiet = np.concatenate([one.quiet for one in found])
    neurons = sum(neurons_in(program.graph, name) for name in program.neurons) * len(test)
    return {
        "network": path.stem,
        "burst": burst,
        "images": len(test),
        "settled_by": distribution(right),
        "quiet_by": distribution(quiet),
        "steps": steps,
        "settled_within_steps": int((right <= steps).sum()),
        "events_per_neuron_within_steps": sum(int(f.events[:steps].sum()) for f in found) / neurons,
        "events_per_neuron": sum(int(f.events.sum()) for f in found) / neurons,
    }


def settlings(program: spikec.Program, test: Data) -> Iterator[Settling]:
    """Run block after block, each as long as it takes."""
    for block in blocks(program.inputs(test)):
        steps = program.steps
        found = settling(program, block, steps)
        while found.quiet.max() >= steps:  # perhaps not at rest yet
            steps *= 2
            found = settling(program, block, steps)
        yield found


def settling(program: spikec.Program, block: dict[str, Any], steps: int) -> Settling:
    """Run some images for so many steps."""
    assert program.quantised is not None  # lossless has one
    wanted = run(program.quantised, block, "layerwise")
    output = program.graph.outputs[0].inputs[0].name
    feed = bind_inputs(program.graph, block, steps, "float32")
    seen = simulate(program.graph, feed, frozenset({output}), counted=frozenset(program.neurons))
    equal = (seen.values[output] == wanted).reshape(steps, len(wanted), -1).all(axis=2)
    events = np.sum([counts.events for counts in seen.events.values()], axis=0)
    return Settling(last(~equal) + 1, last(events > 0), events.sum(axis=1))


def last(happened: NDArray[np.bool_]) -> Steps:
    """Give the last step (from 1) at which something happened to each image, or 0."""
    steps = np.arange(1, len(happened) + 1)
    return np.asarray((happened * steps[:, None]).max(axis=0))


def distribution(steps: Steps) -> dict[str, Any]:
    """Count the images by step."""
    values, counts = np.unique(steps, return_counts=True)
    cuts = {f"p{p}": int(np.percentile(steps, p, method="higher")) for p in PERCENTILES}
    histogram = {str(v): int(c) for v, c in zip(values, counts, strict=True)}
    return {**cuts, "max": int(steps.max()), "histogram": histogram}


def lines(row: dict[str, Any]) -> Iterator[str]:
    """Show one row for people."""
    right, quiet = row["settled_by"], row["quiet_by"]
    ranks = " | ".join(str(right[key]) for key in ("p50", "p90", "p99", "max"))
    yield (
        f"| {row['network']} | {row['burst']} | {row['images']} | {ranks} | {quiet['max']} "
        f"| {row['settled_within_steps']} by {row['steps']} "
        f"| {row['events_per_neuron_within_steps']:.3f} | {row['events_per_neuron']:.3f} |"
    )
    for name in ("settled_by", "quiet_by"):
        counts = " ".join(f"{step}:{count}" for step, count in row[name]["histogram"].items())
        yield f"    {name} {counts}"


if __name__ == "__main__":
    main()
