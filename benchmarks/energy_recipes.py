"""Energy of every recipe on the pretrained CIFAR-10 ResNets, beside the network's own, as a table.

    python -m benchmarks.energy_recipes [--networks resnet20 resnet44] [--rows rate@32 ...]

Counts are exact, of the first 100 test images; the prices are those of arithmetic alone, in float32
and in whole numbers of 8 bits, and with every access to memory.  A ratio below 1 is a saving
against the analog network at the same prices.  Data: see :mod:`benchmarks.conversion_accuracy`.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import spikec
from benchmarks.conversion_accuracy import CALIBRATION, PREPROCESS
from spikec.data import Data, read_data

ROWS = (
    *("lossless{burst=7}@5", "graded@4", "differential@8", "signed@16", "rate@32", "rate@64"),
    "few-spikes@6",
)
PROFILES = ("horowitz45-fp32", "horowitz45-int8", "horowitz45-mem")
IMAGES = 100


@dataclass(frozen=True)
class Row:
    """One program."""

    network: str
    recipe: str
    steps: int
    events_per_neuron: float
    microjoules: dict[str, float]
    """by profile"""
    ratio: dict[str, float]
    """to the analog network at the same prices, by profile"""


def measure(path: Path, row: str, calibration: Data, test: Data) -> Row:
    """Convert once and price by all profiles."""
    recipe, _, steps = row.rpartition("@")
    program = spikec.convert(str(path), calibration, int(steps), recipe, preprocess=PREPROCESS)
    microjoules, ratio, events = {}, {}, 0.0
    for profile in PROFILES:
        found = program.energy(test, profile=profile)
        alike = found.alike
        assert alike is not None  # each of the profiles has a price for products
        microjoules[profile] = found.total_pj / 1e6
        ratio[profile] = found.total_pj / alike.total_pj
        events = float(np.mean(found.counts.events)) / found.neurons
    return Row(path.stem, recipe, int(steps), events, microjoules, ratio)


def line(row: Row) -> str:
    """Show one row for people."""
    cells = [f"{row.microjoules[p]:.3g} ({row.ratio[p]:.2f}x)" for p in PROFILES]
    shown = " | ".join([row.network, f"`{row.recipe}`", str(row.steps), *cells])
    return f"| {shown} | {row.events_per_neuron:.2f} |"


def main() -> None:
    """Print one line per network and recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet44"])
    parser.add_argument("--rows", nargs="+", default=list(ROWS))
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    source = str(root / "data" / "cifar10_exact.npz")
    calibration = read_data(f"{source}:train").first(CALIBRATION)
    test = read_data(f"{source}:test").first(options.images)
    rows = []
    for name in options.networks:
        for row in options.rows:
            path = root / "models" / f"{name}_cifar10.onnx"
            rows.append(measure(path, row, calibration, test))
            if not options.json:
                print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
