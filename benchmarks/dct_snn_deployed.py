"""The trained MLP of DCT-SNN in the tools that it is deployed to, compared event by event.

    python -m benchmarks.dct_snn_deployed [--images 512] [--steps 16] [--ways onnx lava norse …]

The network of ``python -m benchmarks.dct_snn mlp``: 784-100-10, trained on 8,000 images of MNIST.
onnxruntime and lava-nc run it as in the authors' code (neurons decide before the step's input,
the read-out integrates); NIR's frameworks have no such neurons and nothing that integrates, so
they run one whose neurons decide behind the input and whose read-out is a mean.  The encoder
stays on the host but for ONNX.  Lava is found as `spikec lava-setup` says, frameworks stand in
environments of their own (`nir_environments`); data as :mod:`benchmarks.dct_snn`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import spikec
from benchmarks.dct_snn import mnist
from benchmarks.peers_nir import EXPORTS, TOLD, exported
from examples.dct_snn.making import Settings, converted, trained_analog, tuned

FEW = 32
"""images for Lava, which takes a second for each"""
Row = tuple[Any, ...]


@cache
def program(steps: int, delay: int, readout: str) -> spikec.Program:
    """Train one; each is trained once."""
    settings = Settings("dct_mlp", steps, delay=delay, readout=readout, rate=1e-3, epochs=15)
    images = mnist()
    made = converted(settings, images, trained_analog(settings, images))
    return tuned(settings, images, made)


def verified(backend: str, most: int) -> Callable[[int, int], Iterator[Row]]:
    """Give rows of an export that spikec verifies itself."""

    def rows(images: int, steps: int) -> Iterator[Row]:
        made = program(steps, 1, "sum")
        for check in made.verify(backend, mnist().test[0][: min(images, most)]).checks:
            yield (str(check),)

    return rows


def nir_in(framework: str) -> Callable[[int, int], Iterator[Row]]:
    """Give the row of a framework that reads NIR, told of resets by the file's metadata."""

    def rows(images: int, steps: int) -> Iterator[Row]:
        made = program(steps, 0, "mean")
        for peer in EXPORTS:
            if peer.key.startswith(framework) and peer.semantics == TOLD:
                yield "nir_graph", *exported(made, peer, mnist().test[0][:images])

    return rows


WAYS = {
    "onnx": verified("onnx_graph", 10**9),
    "lava": verified("lava_net", FEW),
    "norse": nir_in("norse"),
    "spikingjelly": nir_in("SpikingJelly"),
}


def main() -> None:
    """Print a line per tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    chosen = parser.parse_args()
    for way in chosen.ways:
        for row in WAYS[way](chosen.images, chosen.steps):
            print(" | ".join(map(str, row)), flush=True)


if __name__ == "__main__":
    main()
