"""Accuracy of every recipe on the pretrained CIFAR-10 ResNets, as a table.

    python -m benchmarks.conversion_accuracy [--networks resnet20 resnet44] [--rows graded@2 ...]

The data are looked for in the folder that SPIKEC_DATA names, by default ``../shared``:
``data/cifar10_exact.npz`` and ``models/NAME_cifar10.onnx``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import spikec
from spikec.data import Data, read_data
from spikec.evaluation import Evaluation

ROWS = (
    *("graded@2", "graded@4"),
    *("lossless{burst=1}@28", "lossless{burst=3}@10", "lossless{burst=7}@5"),
    *("phased@7", "phased@15"),
    *("signed@8", "signed@16"),
    *("rate@8", "rate@16", "rate@32", "rate@64"),
    *("percentile@8", "percentile@16", "percentile@32", "percentile@64"),
)
PREPROCESS = spikec.Preprocess(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CALIBRATION = 1024
MOST_STEPS = 100
"""programs of more steps run on a FEW images; on all of them, the quantised network they equal"""
FEW = 32
NEARLY = 1e-5


def main() -> None:
    """Print one line per network and recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet44"])
    parser.add_argument("--rows", nargs="+", default=list(ROWS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    source = str(root / "data" / "cifar10_exact.npz")
    calibration = read_data(f"{source}:train").first(CALIBRATION)
    test = read_data(f"{source}:test")
    rows = []
    for name in options.networks:
        for row in options.rows:
            path = root / "models" / f"{name}_cifar10.onnx"
            rows.append(measure(path, row, calibration, test))
            if not options.json:
                print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))


def measure(path: Path, row: str, calibration: Data, test: Data) -> dict[str, Any]:
    """Convert and evaluate once."""
    recipe, _, steps = row.rpartition("@")
    start = time.perf_counter()
    program = spikec.convert(str(path), calibration, int(steps), recipe, preprocess=PREPROCESS)
    converted = time.perf_counter()
    long = program.steps > MOST_STEPS
    found = by_quantised(program, test) if long else program.evaluate(test)
    seconds = time.perf_counter() - converted
    return {
        "network": path.stem,
        "recipe": recipe,
        "steps": int(steps),
        "program_steps": program.steps,
        "reference": found.reference_accuracy,
        "accuracy": found.accuracy,
        "drop": found.drop,
        "agreement": found.agreement,
        "events_per_neuron": program.evaluate(test.first(FEW)).events_per_neuron
        if long
        else found.events_per_neuron,
        "convert_seconds": converted - start,
        "evaluate_seconds": seconds,
        **settled(program, test.first(FEW) if long else test),
    }


def by_quantised(program: spikec.Program, test: Data) -> Evaluation:
    """Evaluate the quantised network in the place of a program of very many steps."""
    assert program.quantised is not None
    return replace(program, graph=program.quantised).evaluate(test)


def settled(program: spikec.Program, test: Data) -> dict[str, Any]:
    """Compare the outputs with those of the quantised network: how many are equal, and how many
    nearly so (where sums are rounded, a neuron on the edge may fire in the one and not the other).
    """
    if program.quantised is None:
        return {}
    equal = close = 0
    for start in range(0, len(test), 128):
        block = {k: x[start : start + 128] for k, x in program.inputs(test).items()}
        wanted = spikec.runtime.run(program.quantised, block, "layerwise")
        given = spikec.runtime.run(program.graph, block, "layerwise", steps=program.steps)[-1]
        equal += int((given == wanted).all(axis=1).sum())
        close += int((np.abs(given - wanted).max(axis=1) < NEARLY * np.abs(wanted).max()).sum())
    return {"compared": len(test), "equal_to_quantised": equal, "nearly_equal": close}


def line(row: dict[str, Any]) -> str:
    """Show one row for people."""
    text = (
        f"| {row['network']} | {row['recipe']} | {row['steps']} | {100 * row['reference']:.2f} "
        f"| {100 * row['accuracy']:.2f} | {row['drop']:+.2f} | {row['events_per_neuron']:.2f} "
        f"| {row['convert_seconds']:.0f} | {row['evaluate_seconds']:.0f} |"
    )
    if "equal_to_quantised" in row:
        text += (
            f" {row['equal_to_quantised']} (nearly: {row['nearly_equal']}) of {row['compared']} |"
        )
    return text


if __name__ == "__main__":
    main()
