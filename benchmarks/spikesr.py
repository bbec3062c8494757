"""SpikeSR on small data: what each part adds, beside cubic interpolation.

    python -m benchmarks.spikesr ablation     # one part left out at a time
    python -m benchmarks.spikesr shortcuts    # nothing analog around blocks and groups
    python -m benchmarks.spikesr longer       # parts left out, three times as long

A narrow SpikeSR (16 channels, two groups of one block, patches of 8 x 8, 4 steps), scale 2, learned
on crops of 24 x 24 at batch 4 (Adam 2e-3 along a cosine), on top of the bicubic enlargement.  PSNR
of all RGB pixels but a border of 2, on images that nothing was learned from: the right-hand parts
of photographs, and patterns that repeat with small warps.  Shortcuts are the analog sums around
blocks, groups and all groups: without them, all that a network knows goes through its branches
(three times as long, for they learn slowly, and without both attentions: the gates of HDA begin at
1/2, and what they pass stays below the thresholds for long).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from examples.spikesr.images import SKIMAGE, TEXTURES, Images, Sizes, load_images
from examples.spikesr.making import Settings, by_bicubic, enlarged, trained
from spikec.metrics import psnr

SCALE, BORDER = 2, 2
NO_CNN, NO_SNN = {"cnn_branch": False}, {"snn_branch": False}
BARE: dict[str, Any] = dict.fromkeys(("shortcut", "similarity", "hybrid"), False)
Variants = dict[str, dict[str, Any]]
PARTS: Variants = {
    "full": {},
    "no CNN branch": NO_CNN,
    "no SNN branch": NO_SNN,
    "no HDA": {"hybrid": False},
    "no DSA": {"similarity": False},
    "no deformable convolution": {"deformable": False},
}
ABLATION: Variants = {**PARTS, "no shortcuts": {"shortcut": False}}
SHORTCUTS: Variants = {
    "both branches": BARE,
    "no CNN branch": BARE | NO_CNN,
    "no SNN branch": BARE | NO_SNN,
    "with HDA": BARE | {"hybrid": True},
}
TABLES: dict[str, tuple[Variants, int]] = {
    "ablation": (ABLATION, 1),
    "shortcuts": (SHORTCUTS, 3),
    "longer": (PARTS, 3),
}
"""variants, and by how much longer they learn"""
Row = tuple[Any, ...]


def table(variants: Variants, settings: Settings, seeds: list[int]) -> Iterator[Row]:
    """Give PSNR on both kinds of images, all variants of a seed before the next seed."""
    yield "seed", "images", "variant", "PSNR dB", "beyond bicubic dB", "seconds"
    known = {name: load_images(name, Sizes(SCALE, 48, 48)) for name in (SKIMAGE, TEXTURES)}
    for seed in seeds:
        for name, images in known.items():
            plain = score(by_bicubic(images.test.small, SCALE), images)
            yield seed, name, "bicubic", plain, 0.0, 0.0
            for variant, options in variants.items():
                one = replace(settings, seed=seed, options=options)
                began = time.perf_counter()
                found = enlarged(trained(one, images.train), images.test.small)
                value = score(found, images)
                yield seed, name, variant, value, value - plain, time.perf_counter() - began


def score(found: Any, images: Images) -> float:
    """Give the mean PSNR of the test images."""
    return float(psnr(found, images.test.large, border=BORDER).mean())


def main() -> None:
    """Print tables, row by row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []])
    parser.add_argument("--iterations", type=int, default=Settings().iterations)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    for name in given.tables or TABLES:
        variants, longer = TABLES[name]
        settings = Settings(scale=SCALE, iterations=longer * given.iterations)
        for index, row in enumerate(table(variants, settings, given.seeds)):
            cells = (f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row)
            print(f"| {' | '.join(cells)} |", flush=True)
            if index == 0:
                print("|" + "---|" * len(row), flush=True)


if __name__ == "__main__":
    main()
