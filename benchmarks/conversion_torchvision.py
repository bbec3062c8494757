"""How close spiking torchvision networks come to their originals, step by step, as a table.

    python -m benchmarks.conversion_torchvision [--networks resnet18 ...] [--recipes graded ...]

Weights are random (seed 0); batch normalisations have the statistics of random images, so that no
activation vanishes, and shifts around 1: with shifts around 0 such networks are chaotic, as trained
ones are not (ResNet-50 then makes 65 times more of a small change of its input).  Images are random
too: smooth noise of several scales.  The error is |spiking - original| / |original| in the 2-norm
over the outputs of the test images, after T steps.
torchvision comes with the `bench` extra.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import spikec
from benchmarks.models import torchvision_models
from spikec.errors import SpikecError

SIZES = {
    "resnet18": 64,
    "resnet50": 64,
    "vgg16_bn": 64,
    "mobilenet_v2": 64,
    "densenet121": 64,
    "squeezenet1_1": 64,
    "shufflenet_v2_x1_0": 64,
    "googlenet": 64,
    "inception_v3": 96,
    "regnet_x_400mf": 64,
}
"""pixels per side of the images that each network sees"""
STEPS = (2, 4, 8, 16)
CALIBRATION, TEST = 32, 16
ONE_PROGRAM = ("lossless",)
"""recipes whose program does not depend on T: converted once"""
Images = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One network and recipe."""

    network: str
    recipe: str
    errors: dict[int, float]
    """by T"""
    settled: int
    """samples whose outputs equal those of the whole-number network exactly; -1: there is none"""
    sites: int
    seconds: float
    failure: str = ""


def images(count: int, size: int, seed: int) -> Images:
    """Draw noise at four scales, so that images differ and have edges and areas."""
    rng = torch.Generator().manual_seed(seed)
    total = torch.zeros(count, 3, size, size)
    for cells in (2, 5, 12, size):
        noise = torch.randn(count, 3, cells, cells, generator=rng)
        total += nn.functional.interpolate(noise, (size, size), mode="bilinear")
    return np.asarray((total / 2).numpy(), np.float32)


def build(name: str) -> nn.Module:
    """Build a network with random weights that passes signals of usual size through."""
    torch.manual_seed(0)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model: nn.Module = getattr(torchvision_models(), name)(weights=None, **options).eval()
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(0.6, 1.4)
            norm.bias.normal_(1, 0.3)
            norm.momentum = None  # averages over all batches
            norm.train()
        model(torch.from_numpy(images(64, SIZES[name], seed=1)))
    return model.eval()


def measure(name: str, recipe: str, steps: Sequence[int]) -> Row:
    """Convert for each number of steps, or once, and compare."""
    model, size = build(name), SIZES[name]
    calibration, test = images(CALIBRATION, size, seed=2), images(TEST, size, seed=3)
    with torch.no_grad():
        wanted = model(torch.from_numpy(test)).numpy()
    start, settled, sites = time.perf_counter(), -1, 0
    errors: dict[int, float] = {}
    once = recipe.partition("{")[0] in ONE_PROGRAM
    try:
        for count in [max(steps)] if once else steps:
            program = spikec.convert(model, calibration, count, recipe)
            found = program.run(test).output_by_step
            sites = len(program.neurons)
            errors |= {t: relative(found[t - 1], wanted) for t in (steps if once else [count])}
            if program.quantised is not None:
                whole = spikec.runtime.run(program.quantised, program.inputs(test), "layerwise")
                settled = int((found[-1] == whole).all(axis=1).sum())
    except SpikecError as error:
        return Row(name, recipe, errors, settled, sites, time.perf_counter() - start, str(error))
    return Row(name, recipe, errors, settled, sites, time.perf_counter() - start)


def relative(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """|found - wanted| / |wanted|."""
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def line(row: Row, steps: Sequence[int]) -> str:
    """Show one row for people."""
    errors = " | ".join(f"{row.errors[t]:.4f}" if t in row.errors else "-" for t in steps)
    settled = "" if row.settled < 0 else f"{row.settled}/{TEST}"
    text = (
        f"| {row.network} | {row.recipe} | {errors} | {settled} | {row.sites} | {row.seconds:.0f} |"
    )
    return f"{text}\n{row.failure}" if row.failure else text


def main() -> int:
    """Print one line per network and recipe; 1 if one could not be converted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--recipes", nargs="+", default=["graded", "lossless"])
    parser.add_argument("--steps", nargs="+", type=int, default=list(STEPS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    if not options.json:
        print(f"| network | recipe |{''.join(f' T={t} |' for t in options.steps)}", end="")
        print(f" equal | sites | s |\n|{'---|' * (len(options.steps) + 5)}")
    for name in options.networks:
        for recipe in options.recipes:
            rows.append(measure(name, recipe, options.steps))
            if not options.json:
                print(line(rows[-1], options.steps), flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    return int(any(row.failure for row in rows))


if __name__ == "__main__":
    sys.exit(main())
