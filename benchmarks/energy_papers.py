"""Published energies from their own numbers, by the convention of the literature.

    python -m benchmarks.energy_papers

Spikinghash (arXiv 2501.06786) gives energies, and E = 0.9 pJ ΣSOP + 4.6 pJ FLOPs(first); its
FLOPs follow from its layers.  Its firing rates are not published by layer: the means here are those
that its own figures imply, so that these rows check the arithmetic and the definition of the first
layer (at every step), and no more.  Spikingformer and its CML variant give MACs and ACs outright.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from spikec.energy.convention import Entry, convention

ROUNDING = 0.01
"""share by which means of three digits may be off"""


@dataclass(frozen=True)
class Paper:
    """What is known of a network."""

    name: str
    first: float
    """MACs of the layers that read numbers, in one step"""
    rest: float
    """MACs of all others, in one step"""
    steps: int
    rate: float
    """events per element and step"""
    published_mj: float

    @property
    def energy_mj(self) -> float:
        """E = 0.9 pJ · rate · T · rest + 4.6 pJ · T · first."""
        entry = Entry(self.name, self.rate, self.steps, self.rest)
        return convention([entry], self.steps * self.first).total_pj / 1e9


PAPERS = (
    Paper("Spikinghash-S, CIFAR-10", 1.33e6, 1.345e9, 4, 0.111, 0.56),
    Paper("Spikinghash-M, CIFAR-10", 1.33e6, 2.201e9, 4, 0.080, 0.66),
    Paper("CML-4-384, CIFAR-10", 1.33e6, 0.926e9, 4, 0.170, 0.59),
    Paper("Spikinghash-L, UCF101-DVS", 18.9e6, 5.56e9, 8, 0.236, 10.12),
    Paper("Spikinghash-L, HMDB51-DVS", 18.9e6, 5.56e9, 8, 0.206, 8.93),
    Paper("Spikinghash-XL, UCF101-DVS", 18.9e6, 6.37e9, 8, 0.253, 12.31),
    Paper("CML-4-512, UCF101-DVS", 18.9e6, 1.88e9, 8, 0.624, 9.13),
    Paper("CML-4-512, HMDB51-DVS", 18.9e6, 1.88e9, 8, 0.533, 7.90),
    Paper("Spikinghash-M, UCF101-DVS", 3.5e6, 8.80e9, 8, 0.054, 3.56),
    Paper("Spikinghash-M, HMDB51-DVS", 3.5e6, 8.80e9, 8, 0.037, 2.47),
    Paper("Spikingformer-8-512, ImageNet", 0.3473e9, 6.5175e9, 1, 1.0, 7.4635),
    Paper("Spikingformer-CML-8-768, ImageNet", 0.520993768e9, 15.4551298e9, 1, 1.0, 16.3062),
)


def main() -> int:
    """Print a row a network; 1 where one is further off than rounding explains."""
    print("| network | first, MACs a step | rest, MACs a step | T | rate | published | here |")
    print("|---|---|---|---|---|---|---|")
    worst = 0.0
    for row in PAPERS:
        worst = max(worst, abs(row.energy_mj / row.published_mj - 1))
        print(
            f"| {row.name} | {row.first / 1e6:,.4g} M | {row.rest / 1e9:,.5g} G | {row.steps} | "
            f"{row.rate:g} | {row.published_mj:g} mJ | {row.energy_mj:.4f} mJ |"
        )
    print(f"largest difference {worst:.2%}, rounding explains {ROUNDING:.0%}")
    return int(worst > ROUNDING)


if __name__ == "__main__":
    sys.exit(main())
