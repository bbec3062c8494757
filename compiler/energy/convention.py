"""The convention of the literature, by its own names, so that figures of papers can be matched.

SOP_l = R_l · T · FLOPs_l, with R_l the mean firing rate of what enters layer l, FLOPs_l its
multiplications of one step, padding included;  E = 0.9 pJ · Σ SOP_l + 4.6 pJ · FLOPs(first).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

E_AC, E_MAC = 0.9, 4.6
"""pJ of a float32 addition, and of a multiplication and addition, at 45 nm (Horowitz 2014)"""


@dataclass(frozen=True)
class Entry:
    """One layer with weights."""

    name: str
    rate: float
    """events per element and step of what enters: one event each, whatever its quanta"""
    steps: float
    flops: float

    @property
    def sop(self) -> float:
        """R · T · FLOPs."""
        return self.rate * self.steps * self.flops


@dataclass(frozen=True)
class Convention:
    """The sum over a network."""

    layers: tuple[Entry, ...]
    first_flops: float
    """of layers that take numbers, not events; once, or at every step where these change"""

    @property
    def sop(self) -> float:
        """Σ SOP."""
        return sum(layer.sop for layer in self.layers)

    @property
    def total_pj(self) -> float:
        """E = 0.9 Σ SOP + 4.6 FLOPs(first)."""
        return E_AC * self.sop + E_MAC * self.first_flops

    def ratio(self, energy_pj: float) -> float:
        """Give an energy as a share of this one; not a number where this one is 0."""
        return energy_pj / self.total_pj if self.total_pj else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        rows = [{**asdict(layer), "sop": layer.sop} for layer in self.layers]
        return {
            "equation": "E = 0.9 * sum(SOP) + 4.6 * FLOPs(first), SOP = rate * T * FLOPs; in pJ",
            "sop": self.sop,
            "first_flops": self.first_flops,
            "total_pj": self.total_pj,
            "layers": rows,
        }


def convention(layers: Iterable[Entry], first_flops: float) -> Convention:
    """Apply the convention to figures, measured ones or those of a paper.

    >>> round(convention([Entry("all", 1.0, 1, 6.5175e9)], 0.3473e9).total_pj / 1e9, 4)
    7.4633
    """
    return Convention(tuple(layers), first_flops)
