"""Programs that are lowered for chips, run by other tools: equal events in Lava and onnxruntime.

    python -m benchmarks.export_lowered [--images 3] [--steps 16] [--backends onnx_graph lava_net]

Three networks for MNIST are converted by recipe `rate` into whole numbers as Loihi stores them,
lowered for each target, exported and verified.  Lava is found as `spikec lava-setup` says; data as
in `benchmarks/mnist_nets.py`.
"""

from __future__ import annotations

import argparse

import torch

import spikec
from benchmarks import mnist_nets
from spikec.data import read_data

CALIBRATION = 512
OPTIONS = "sign=mixed-even,shortcuts=true,accumulator=18,threshold=17"
TARGETS = ("loihi1", "loihi2", "sanafe-loihi")


def main() -> None:
    """Print one line per network, target and way to run an export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--backends", nargs="+", default=["onnx_graph", "lava_net"])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    split = mnist_nets.data()
    test = read_data((split.test_x, split.test_y))
    for net in (mnist_nets.mlp, mnist_nets.lenet, mnist_nets.residual):
        program = spikec.convert(
            net(),
            split.train_x[:CALIBRATION],
            chosen.steps,
            "rate",
            example_input=torch.zeros(1, 1, 28, 28),
            weight_bits=8,
            weight_options=OPTIONS,
            input_bits=4,
        )
        found = program.evaluate(test)
        print(f"{net.__name__}: {found.accuracy:.2%} (network {found.reference_accuracy:.2%})")
        for target in TARGETS:
            lowered = spikec.lower(program, target)
            for backend in chosen.backends:
                for check in lowered.verify(backend, test.first(chosen.images)).checks:
                    word = "equal" if check.ok else "DIFFERENT"
                    print(f"  {target}: {word}: {check}", flush=True)


if __name__ == "__main__":
    main()
