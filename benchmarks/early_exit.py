"""Early exit on the pretrained CIFAR-10 ResNets: steps and events at nearly equal accuracy.

    python -m benchmarks.early_exit [--networks resnet20] [--rows rate@32 rate@64]

Thresholds are fitted on 2,048 training images behind the first 1,024, which calibrate; the test
images are looked at once.  Data: see :mod:`benchmarks.conversion_accuracy`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import spikec
from benchmarks.conversion_accuracy import CALIBRATION, PREPROCESS
from spikec.data import Data, read_data
from spikec.search.search import neurons_of

FITTED = 2048


def rows(path: Path, row: str, train: Data, test: Data, drop: float) -> None:
    """Print the program at all steps, then with both criteria."""
    recipe, _, steps = row.rpartition("@")
    calibration = train.first(CALIBRATION)
    program = spikec.convert(str(path), calibration, int(steps), recipe, preprocess=PREPROCESS)
    assert train.labels is not None
    behind = slice(CALIBRATION, CALIBRATION + FITTED)
    fit = Data({name: x[behind] for name, x in train.inputs.items()}, train.labels[behind])
    plain = program.evaluate(test)
    events = plain.events_per_neuron * neurons_of(program)
    print(
        f"| {path.stem} | `{recipe}` | {steps} | all steps | {100 * plain.accuracy:.2f} "
        f"| {steps} | {events:,.0f} | |",
        flush=True,
    )
    for criterion in ("margin", "entropy"):
        found = program.evaluate_early(test, program.fit_exit(fit, criterion, drop))
        print(
            f"| {path.stem} | `{recipe}` | {steps} | {criterion} | {100 * found.accuracy:.2f} "
            f"| {found.mean_steps:.2f} | {found.events:,.0f} | {found.simulated:.1f} |",
            flush=True,
        )


def main() -> None:
    """Print three lines per network and row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet20"])
    parser.add_argument("--rows", nargs="+", default=["rate@32", "rate@64"])
    parser.add_argument("--drop", type=float, default=0.5)
    options = parser.parse_args()
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    source = str(root / "data" / "cifar10_exact.npz")
    train, test = read_data(f"{source}:train"), read_data(f"{source}:test")
    for name in options.networks:
        for row in options.rows:
            rows(root / "models" / f"{name}_cifar10.onnx", row, train, test, options.drop)


if __name__ == "__main__":
    main()
