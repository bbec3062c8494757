"""Recipe `auto` on the pretrained CIFAR-10 ResNets: what it chooses, and how that does in the test.

    python -m benchmarks.auto [--networks resnet20 resnet44] [--max-drop 0.5]

It searches on the first 2,048 training images, a quarter of which judges; the test images are
looked at once.  Data: see :mod:`benchmarks.conversion_accuracy`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import spikec
from benchmarks.conversion_accuracy import PREPROCESS
from spikec.data import read_data

SEARCHED = 2048


def main() -> None:
    """Print one line per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet44"])
    parser.add_argument("--max-drop", type=float, default=0.5)
    options = parser.parse_args()
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    source = str(root / "data" / "cifar10_exact.npz")
    train, test = read_data(f"{source}:train").first(SEARCHED), read_data(f"{source}:test")
    for name in options.networks:
        path = str(root / "models" / f"{name}_cifar10.onnx")
        program = spikec.convert(path, train, max_drop=options.max_drop, preprocess=PREPROCESS)
        found = program.evaluate(test)
        print(
            f"| {name} | `{program.recipe}` | {program.steps} | {found.drop:+.2f} "
            f"| {found.events_per_neuron:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
