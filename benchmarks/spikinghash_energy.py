"""Energies of Spikinghash from the graphs of its networks, by the convention of the literature.

    python -m benchmarks.spikinghash_energy [--networks s m l xl]

FLOPs are those of the imported graphs, layer by layer; E = 0.9 pJ · R · Σ T_l FLOPs_l + 4.6 pJ · T
FLOPs(first).  The rate R is the mean that the published energy implies (`energy_papers`): the
papers do not give rates by layer, so that a row checks FLOPs and arithmetic and no more.  The last
column is the rate at which our FLOPs give the published figure exactly.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import spikec
from spikec.energy.convention import Entry, convention
from spikec.energy.count import count_static
from spikec.energy.estimate import WEIGHTED
from spikec.energy.twin import analog_twin
from spikec.ir import ops


@dataclass(frozen=True)
class Published:
    """A network, how it is built, and what is printed of it."""

    about: str
    rate: float
    mj: float
    options: dict[str, Any] = field(default_factory=dict)


CIFAR = {"size": (32, 32), "steps": 4}
CLIPS = {"size": (128, 128), "steps": 8, "recordings": True, "classes": 101}
NETWORKS = {
    "s": Published("S, CIFAR-10", 0.111, 0.56, CIFAR),
    "m": Published("M, CIFAR-10", 0.080, 0.66, CIFAR),
    "m_clips": Published("M, UCF101-DVS, 64 x 64", 0.054, 3.56, {**CLIPS, "size": (64, 64)}),
    "l": Published("L, UCF101-DVS, 128 x 128", 0.236, 10.12, CLIPS),
    "xl": Published("XL, UCF101-DVS, 128 x 128", 0.253, 12.31, CLIPS),
}


def work(name: str, options: dict[str, Any]) -> tuple[float, float]:
    """Give MACs of the first layer and of all others, over all steps."""
    model = spikec.zoo.build(f"spikinghash_{name.partition('_')[0]}", **options).eval()
    recordings, steps = options.get("recordings", False), options["steps"]
    shape = (2, 2 if recordings else 3, *options["size"])
    x = torch.zeros((steps, *shape) if recordings else shape)
    graph = spikec.import_model(model, x, time_axis=0 if recordings else None)
    rows = count_static(analog_twin(graph), steps)
    first, *others = (
        row.work.flops * row.work.runs for row in rows if isinstance(row.node.op, WEIGHTED)
    )
    products = (row.work.counts.macs for row in rows if isinstance(row.node.op, ops.Matmul))
    return float(first), float(sum(others) + sum(map(np.mean, products)))


def main() -> None:
    """Print a row a network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    print("| network | first, MACs | rest, MACs | rate | here, mJ | published, mJ | rate for it |")
    print("|---|---|---|---|---|---|---|")
    for name in parser.parse_args().networks:
        one = NETWORKS[name]
        first, rest = work(name, one.options)
        total = convention([Entry(name, one.rate, 1, rest)], first).total_pj / 1e9
        fitting = (one.mj - 4.6e-9 * first) / (0.9e-9 * rest)
        print(
            f"| {one.about} | {first / 1e6:.2f} M | {rest / 1e9:.3f} G | {one.rate} | "
            f"{total:.3f} | {one.mj} | {fitting:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
