"""Fine-tuning of the pretrained CIFAR-10 ResNets as spiking programs: accuracy before and after.

    python -m benchmarks.finetune [--networks resnet20] [--steps 8 4] [--epochs 3]

`rate` programs, calibrated on the first 1,024 training images, are fine-tuned on all 5,085 of them
(a tenth of which chooses the epoch) and measured once on the 1,017 test images.  Where the data are
looked for: see :mod:`benchmarks.conversion_accuracy`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

import spikec
from benchmarks.conversion_accuracy import CALIBRATION, PREPROCESS
from spikec.data import Data, read_data

Row = dict[str, Any]


def measure(path: Path, steps: int, options: argparse.Namespace, data: tuple[Data, Data]) -> Row:
    """Convert, fine-tune, and evaluate before and after."""
    train, test = data
    recipe = options.recipe
    calibration = train.first(CALIBRATION)
    program = spikec.convert(str(path), calibration, steps, recipe, preprocess=PREPROCESS)
    before = program.evaluate(test)
    start = time.perf_counter()
    tuned = spikec.finetune(
        program, train, epochs=options.epochs, seed=options.seed, on_epoch=show_epoch
    )
    seconds = time.perf_counter() - start
    after = tuned.evaluate(test)
    return {
        "network": path.stem,
        "recipe": recipe,
        "steps": steps,
        "epochs": options.epochs,
        "reference": before.reference_accuracy,
        "drop_before": before.drop,
        "drop_after": after.drop,
        "events_before": before.events_per_neuron,
        "events_after": after.events_per_neuron,
        "seconds": seconds,
    }


def show_epoch(history: list[dict[str, float]]) -> None:
    """Tell how it goes."""
    print(history[-1], file=sys.stderr, flush=True)


def line(row: Row) -> str:
    """Show one row for people."""
    return (
        f"| {row['network']} | `{row['recipe']}` | {row['steps']} | {row['epochs']} "
        f"| {100 * row['reference']:.2f} | {row['drop_before']:+.2f} | {row['drop_after']:+.2f} "
        f"| {row['events_before']:.2f} | {row['events_after']:.2f} | {row['seconds']:.0f} |"
    )


def main() -> None:
    """Print one line per network and number of steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet20"])
    parser.add_argument("--steps", nargs="+", type=int, default=[8])
    parser.add_argument("--recipe", default="rate")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    source = str(root / "data" / "cifar10_exact.npz")
    data = read_data(f"{source}:train"), read_data(f"{source}:test")
    rows = []
    for name in options.networks:
        for steps in options.steps:
            path = root / "models" / f"{name}_cifar10.onnx"
            rows.append(measure(path, steps, options, data))
            if not options.json:
                print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
