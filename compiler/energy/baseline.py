"""The network that a program stands for, run once on numbers: what the program is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, log2
from typing import Any

from spikec.energy.catalog import load_profile
from spikec.energy.count import Row
from spikec.energy.counts import Counts, total
from spikec.energy.price import price
from spikec.energy.profile import Figure, Operations, Profile
from spikec.ir import Graph, Spikes, ops

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
    layers: Mapping[str, float] = field(default_factory=dict)
    """pJ by node"""

    def ratio(self, energy_pj: float) -> float:
        """Give an energy as a share of this one; not a number where this one is 0."""
        return energy_pj / self.total_pj if self.total_pj else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Give everything for machines."""
        return {
            "name": self.name,
            "about": self.about,
            "total_pj": self.total_pj,
            "mac_pj": self.mac_pj,
            "counts": self.counts.to_json(),
            "layers": dict(self.layers),
        }


def baselines(rows: tuple[Row, ...], levels: int, profile: Profile) -> tuple[Baseline, ...]:
    """Give the network at float32, 8 bits, the bits of the program, and at the profile's prices."""
    bits = bits_of(levels)
    found = [
        _priced(rows, load_profile(FP32), "ann-fp32", "the network in float32, arithmetic alone"),
        _priced(rows, load_profile(INT8), "ann-int8", "the network in 8 bits, arithmetic alone"),
        _priced(
            rows,
            few_bits(bits),
            f"ann-{bits}bit",
            f"equally quantised: weights of 8 bits, activations of {bits} ({levels} levels and 0);"
            " its multiplication is interpolated",
        ),
    ]
    if profile.operations.mac is not None and profile.name not in (FP32, INT8):
        told = f"the network at the prices of {profile.name}"
        found.append(_priced(rows, profile, f"ann-{profile.name}", told))
    return tuple(found)


def _priced(rows: tuple[Row, ...], profile: Profile, name: str, about: str) -> Baseline:
    layers = {r.node.name: float(price(r.work, profile).total) for r in rows}
    mac, counts = profile.operations.mac, total(row.work.counts for row in rows)
    return Baseline(
        name, about, counts, sum(layers.values()), 0.0 if mac is None else mac.value, layers
    )


def few_bits(bits: int) -> Profile:
    """Give prices of arithmetic with weights of 8 bits and activations of ``bits``.

    MAC: 0.2 · bits / 8 + 0.03 pJ.  Multipliers grow with the product of both widths (8 and 32 bits
    take 0.2 and 3.1, Horowitz 2014: 15.5 times for 16 times the product); no figure is published.

    >>> few_bits(8).operations.mac.value == 0.23, round(few_bits(4).operations.mac.value, 3)
    (True, 0.13)
    """
    source = f"Horowitz, ISSCC 2014: 45 nm: 0.2 pJ * {bits}/8 + 0.03, interpolated"
    mac = Figure(MULTIPLY_8 * bits / 8 + ADD_8, source, "memory, wires, control")
    add = Figure(ADD_8, "Horowitz, ISSCC 2014: 45 nm: addition of 8 bits", "memory, wires, control")
    about = f"45 nm arithmetic: weights of 8 bits, activations of {bits}"
    return Profile(f"horowitz45-{bits}bit", about, "memory", Operations(add, mac=mac, add=add))


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


LEVELS: Mapping[type, Callable[[Any, int], int]] = {
    ops.BipolarIF: _bipolar,
    ops.SigmaDelta: _bipolar,
    ops.PhasedFire: _phased,
    ops.FewSpikes: _few,
    ops.Neuron: _rate,
}
