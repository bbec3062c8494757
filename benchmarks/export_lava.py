"""Compares exports to Lava with the runtime, event by event, and accuracies with the network's.

    python -m benchmarks.export_lava [--images 50] [--steps 16] [--nets lenet mlp residual]

Each network is converted three times: by recipe `rate` in floating point; the same with weights of
8 and inputs of 4 bits, which runs in fixed point too; and with hard reset and one threshold per
layer, in these bits, which NetX holds where there are no branches.  Accuracies are of all test
images, by the layerwise engine.  Lava is found as `spikec lava-setup` says; data as
`benchmarks/mnist_nets.py`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import spikec
from benchmarks import mnist_nets
from spikec.data import Data, read_data

CALIBRATION = 512
NETS = {"lenet": mnist_nets.lenet, "mlp": mnist_nets.mlp, "residual": mnist_nets.residual}
HARD = "balanced{reset=hard,per=layer,alpha=0.5}"
"""half of the largest current as threshold: a hard reset loses what is above it"""
PROGRAMS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "rate": ("rate", {}),
    "rate, 8 bits": ("rate", {"weight_bits": 8, "input_bits": 4}),
    "hard reset, 8 bits": (
        HARD,
        {"weight_bits": 8, "input_bits": 4, "weight_options": "per=layer"},
    ),
}


def main() -> None:
    """Convert, export, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50, help="images whose events are compared")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--nets", nargs="*", default=list(NETS), choices=list(NETS))
    parser.add_argument("--programs", nargs="*", default=list(PROGRAMS), choices=list(PROGRAMS))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    split = mnist_nets.data()
    test = read_data((split.test_x, split.test_y))
    for name in chosen.nets:
        for label in chosen.programs:
            recipe, options = PROGRAMS[label]
            example = torch.zeros(1, 1, 28, 28)
            program = spikec.convert(
                NETS[name](),
                split.train_x[:CALIBRATION],
                chosen.steps,
                recipe,
                example_input=example,
                **options,
            )
            report(f"{name}, {label}", program, test, chosen.images)


def report(title: str, program: spikec.Program, test: Data, images: int) -> None:
    """Print what one program does."""
    found = program.evaluate(test)
    print(
        f"{title}: accuracy {found.accuracy:.2%} of {found.samples:,} images; the network's is "
        f"{found.reference_accuracy:.2%}"
    )
    with tempfile.TemporaryDirectory() as folder:
        artifact = program.export("lava_net", Path(folder) / "net")
        for way, why in artifact.manifest["reasons"].items():
            print(f"  not as {way}: {why[0]}" + (f" (and {len(why) - 1} more)" if why[1:] else ""))
        start = time.perf_counter()
        checks = program.verify("lava_net", test.first(images), artifact).checks
        seconds = time.perf_counter() - start
    events = sum(np.count_nonzero(t) for t in program.run(test.first(images)).spikes.values())
    for check in checks:
        print(f"  {'equal' if check.ok else 'DIFFERENT'}: {check}")
    print(
        f"  {events:,} events; {seconds:.0f} s for {len(checks)} ways, the engine's runs included"
    )


if __name__ == "__main__":
    main()
