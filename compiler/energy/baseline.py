"""The network that a program stands for, run once on numbers: what the program is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

from spikec.energy.catalog import load_profile
from spikec.energy.count import Row
from spikec.energy.counts import Counts, total
from spikec.energy.price import price
from spikec.energy.profile import Profile
from spikec.ir import Graph, Op, Spikes, ops

FP32, INT8 = "horowitz45-fp32", "horowitz45-int8"
MULTIPLY_8 = 0.2
"""pJ of a multiplication of 8 bits by 8 bits at 45 nm (Horowitz 2014)"""
ADD_8 = 0.03
"""pJ of an addition of 8 bits"""


@dataclass(frozen=True)
class Baseline:
    """The analog network at some precision."""

    name: str
    about: str
    counts: Counts
    total_pj: float
    mac_pj: float
    """what one MAC takes"""
    ratio: float = 0.0
    """energy of the program divided by this"""

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        return {
            "name": self.name,
            "about": self.about,
            "total_pj": self.total_pj,
            "mac_pj": self.mac_pj,
            "ratio": self.ratio,
            "counts": self.counts.to_json(),
        }


def baselines(rows: tuple[Row, ...], levels: int, profile: Profile) -> tuple[Baseline, ...]:
    """Give the network at float32, 8 bits, the bits of the program, and at the profile's prices."""
    counts = total(row.work.counts for row in rows)
    bits = bits_of(levels)
    fp32, int8 = load_profile(FP32), load_profile(INT8)
    few = mac_of(bits)
    found = [
        _priced(rows, fp32, "ann-fp32", "the network in float32, arithmetic alone"),
        _priced(rows, int8, "ann-int8", "the network in 8 bits, arithmetic alone"),
        Baseline(
            f"ann-{bits}bit",
            f"equally quantised: weights of 8 bits, activations of {bits} ({levels} levels and 0);"
            " its multiplication is interpolated",
            counts,
            few * float(counts.macs) + ADD_8 * float(counts.adds),
            few,
        ),
    ]
    if profile.operations.mac is not None and profile.name not in (FP32, INT8):
        told = f"the network at the prices of {profile.name}"
        found.append(_priced(rows, profile, f"ann-{profile.name}", told))
    return tuple(found)


def _priced(rows: tuple[Row, ...], profile: Profile, name: str, about: str) -> Baseline:
    energy = sum(float(price(type(r.node.op), r.work, profile).total) for r in rows)
    mac = profile.operations.mac
    counts = total(row.work.counts for row in rows)
    return Baseline(name, about, counts, energy, 0.0 if mac is None else mac.value)


def mac_of(bits: int) -> float:
    """Give pJ of a MAC of weights of 8 bits and activations of ``bits``.

    0.2 · bits / 8 + 0.03: multipliers grow with the product of both widths (8 and 32 bits take
    0.2 and 3.1, Horowitz 2014: 15.5 times for 16 times the product); no figure is published.

    >>> mac_of(8) == 0.23, round(mac_of(4), 3)
    (True, 0.13)
    """
    return MULTIPLY_8 * bits / 8 + ADD_8


def bits_of(levels: int) -> int:
    """Give the bits of numbers from 0 to ``levels``: ⌈log2(levels + 1)⌉.

    >>> [bits_of(n) for n in (1, 8, 15)]
    [1, 4, 4]
    """
    return max(1, ceil(log2(levels + 1)))


def levels_of(graph: Graph, steps: int) -> int:
    """Give the most values other than 0 that the events of a neuron can stand for."""
    found = [1]
    for node in graph:
        rule = next((LEVELS[kind] for kind in type(node.op).__mro__ if kind in LEVELS), None)
        if rule is not None:
            found.append(rule(node.op, steps))
    return max(found)


def _bipolar(op: Any, steps: int) -> int:
    return int(op.high - op.low)


def _phased(op: Any, steps: int) -> int:
    return int(op.window * op.levels)


def _few(op: Any, steps: int) -> int:
    return int(2**op.window - 1)


def _rate(op: Any, steps: int) -> int:
    """As many as quanta may be sent in all steps."""
    signal = op.signal
    return signal.levels * steps if isinstance(signal, Spikes) else 1


LEVELS: Mapping[type[Op], Callable[[Any, int], int]] = {
    ops.BipolarIF: _bipolar,
    ops.SigmaDelta: _bipolar,
    ops.PhasedFire: _phased,
    ops.FewSpikes: _few,
    ops.Neuron: _rate,
}
