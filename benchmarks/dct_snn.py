"""DCT-SNN on small data: the paper's tables, with every figure that it needs.

    python -m benchmarks.dct_snn mlp        # MNIST, 784-100-10, 16, 5 and 2 steps
    python -m benchmarks.dct_snn vgg5       # MNIST, a narrow VGG5: analog, converted, fine-tuned
    python -m benchmarks.dct_snn codes      # digits: codes x steps x contrast, three seeds
    python -m benchmarks.dct_snn orders     # digits: orders and numbers of frequencies
    python -m benchmarks.dct_snn cifar      # CIFAR-10 sample: a narrow VGG9 at 48 steps

Test images are looked at once per row; which epoch is kept is chosen by held-out training images.
MNIST and CIFAR-10 samples: ``$SPIKEC_DATA/data`` (see :mod:`benchmarks.conversion_accuracy`).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from examples.dct_snn.images import DIGITS, Images, load_images
from examples.dct_snn.making import Settings, converted, trained_analog, tuned
from spikec.zoo import CODES

SEEDS = (0, 1, 2)
STEPS = (4, 8, 16, 32, 48)
SMALL = Settings("dct_mlp", delay=0, ann_epochs=20, epochs=6, rate=1e-3)
"""of digits, enlarged to 16 x 16: 256-100-10"""
Row = tuple[Any, ...]


@dataclass
class Bench:
    """Analog networks are trained once per data and seed."""

    analog: dict[tuple[Any, ...], nn.Module]

    def row(self, settings: Settings, images: Images, key: str) -> tuple[float, float, float]:
        """Give analog, converted and fine-tuned accuracy, in per cent."""
        shape = (key, settings.network, settings.width, settings.block, settings.stride)
        known = (*shape, settings.seed)
        if known not in self.analog:
            self.analog[known] = trained_analog(settings, images)
        program = converted(settings, images, self.analog[known])
        before = program.evaluate(images.test)
        after = tuned(settings, images, program).evaluate(images.test)
        return (
            100 * before.reference_accuracy,
            100 * before.accuracy,
            100 * after.accuracy,
        )

    def seeds(self, settings: Settings, images: Images, key: str) -> str:
        """Give mean and range over the seeds: fine-tuned, and (converted)."""
        rows = np.array([self.row(replace(settings, seed=s), images, key) for s in SEEDS])
        mean, low, high = rows.mean(0), rows.min(0), rows.max(0)
        return f"{mean[2]:.1f} [{low[2]:.1f}–{high[2]:.1f}] ({mean[1]:.1f})"


def mnist() -> Images:
    """The first 8,000 images learn, 2,000 test."""
    return load_images(str(data() / "mnist10k.npz"))


def data() -> Path:
    """The folder of data."""
    return Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared")) / "data"


def mlp(bench: Bench) -> Iterator[Row]:
    """784-100-10: the paper has 98.54, 97.3 and 86.7 % with 60,000 images."""
    yield "steps", "decides", "analog %", "converted %", "fine-tuned %"
    images = mnist()
    for delay, when in ((1, "before the input"), (0, "behind it")):
        for steps in (16, 5, 2):
            settings = Settings("dct_mlp", steps, delay=delay, rate=1e-3, epochs=15)
            yield steps, when, *bench.row(settings, images, "mnist")


def vgg5(bench: Bench) -> Iterator[Row]:
    """A quarter of all channels."""
    yield "network", "steps", "analog %", "converted %", "fine-tuned %"
    images = mnist()
    for steps in (4, 8, 16):
        settings = Settings("dct_vgg5", steps, width=1 / 4, delay=0, rate=5e-4, epochs=3)
        settings = replace(settings, ann_epochs=10)
        yield "VGG5, width 1/4", steps, *bench.row(settings, images, "mnist")


def codes(bench: Bench) -> Iterator[Row]:
    """Every code after equal fine-tuning."""
    yield "contrast", "code", *(f"{steps} steps" for steps in STEPS)
    for contrast in (1.0, 0.3):
        images = load_images(DIGITS, contrast)
        for code in ("dct", *CODES):
            rows = (replace(SMALL, code=code, steps=steps) for steps in STEPS)
            yield contrast, code, *(bench.seeds(row, images, f"digits {contrast}") for row in rows)


def orders(bench: Bench) -> Iterator[Row]:
    """Orders of frequencies, and how many of them."""
    yield "frequencies", "order", "steps", "contrast 1", "contrast 0.3"
    cases: list[tuple[str, dict[str, Any], int]] = [
        ("16", {"order": "cyclic"}, 32),
        ("16", {"order": "interleaved"}, 32),
        ("16", {"order": "reversed"}, 32),
        ("16", {"order": "cyclic"}, 16),
        ("16", {"order": "reversed"}, 16),
        ("lowest 8", {"order": "cyclic", "frequencies": 8}, 16),
        ("lowest 8", {"order": "interleaved", "frequencies": 8}, 16),
        ("8 of 16", {"order": "intermittent"}, 16),
    ]
    both = {contrast: load_images(DIGITS, contrast) for contrast in (1.0, 0.3)}
    for count, options, steps in cases:
        row = replace(SMALL, options=options, steps=steps)
        found = (bench.seeds(row, images, f"digits {c}") for c, images in both.items())
        yield count, options["order"], steps, *found


def cifar(bench: Bench) -> Iterator[Row]:
    """An eighth of all channels, blocks every 2 pixels: frames of 60 x 60."""
    yield "network", "steps", "analog %", "converted %", "fine-tuned %"
    images = load_images(str(data() / "cifar10_exact.npz"))
    settings = Settings("dct_vgg9", 48, width=1 / 8, stride=2, readout="mean", rate=5e-4, epochs=4)
    settings = replace(settings, ann_epochs=30, ann_rate=0.05)
    yield "VGG9, width 1/8", 48, *bench.row(settings, images, "cifar")


TABLES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    one.__name__: one for one in (mlp, vgg5, codes, orders, cifar)
}


def main() -> None:
    """Print tables, row by row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []])
    bench = Bench({})
    for name in parser.parse_args().tables or TABLES:
        for index, row in enumerate(TABLES[name](bench)):
            cells = (f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row)
            print(f"| {' | '.join(cells)} |", flush=True)
            if index == 0:
                print("|" + "---|" * len(row), flush=True)


if __name__ == "__main__":
    main()
