"""Several binary neurons that get the same current, written as one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.op import expect
from spikec.ir.ops.neuron import IntegrateFire, Numbers
from spikec.ir.ops.neuron_rules import (
    Comparison,
    Decision,
    Leak,
    Negative,
    Reset,
    check_parameter,
    number,
    quanta,
)
from spikec.ir.types import TensorType


@dataclass(frozen=True, kw_only=True)
class Population(IntegrateFire):
    """k = ``members`` binary integrate-and-fire neurons with one current; n counts their events.

    With θ, v0 as given, member m = 1..k has the threshold k θ, the initial potential
    v0 + (m - 1) θ, and sends θ.  All together they are one neuron of threshold θ that sends up to k
    events per step, n = clip(floor(h / θ), 0, k), v = h - θ n: so this op computes them, and so
    :meth:`binary` writes them out.

    Proof: with Q = floor((Σ x + v0) / θ) and N events sent so far, those members are one event
    ahead whose potential began highest, N mod k of them.  Member m fires where
    Q >= k (N_m + 1) - m + 1, which holds for clip(Q - N, 0, k) of them, again the highest ones.
    """

    members: Array
    """k, a scalar or per channel as the threshold"""

    def check(self, x: TensorType) -> None:
        super().check(x)
        check_parameter(self.members, x, "members", positive=True)
        whole = self.members.dtype.kind in "iu"
        expect(whole, f"members {self.members}", "whole numbers")
        most = int(self.members.data.max()) if whole and self.members.size else 0
        expect(self.levels == most, f"{self.levels} levels of {most} members", "as many levels")
        simple = (
            (self.reset, Reset.SOFT),
            (self.leak, Leak.NONE),
            (self.negative, Negative.NONE),
            (self.comparison, Comparison.AT_LEAST),
            (self.decision, Decision.AFTER_INPUT),
        )
        others = [found.value for found, wanted in simple if found is not wanted]
        expect(not others, f"a population with {', '.join(others)}", "soft reset, no leak, no sign")

    def _fired(self, h: Numbers, sent: Numbers) -> tuple[Numbers, Numbers]:
        theta = number(self.threshold, h.dtype)
        up = np.minimum(
            quanta(h, theta, self.levels, self.comparison), number(self.members, h.dtype)
        )
        return up, np.zeros_like(h)

    def binary(self, channels: int) -> tuple[NDArray[np.int64], IntegrateFire]:
        """Give the channel of each member, and the members as one layer of binary neurons."""
        count = self.members.ndim
        shape = (-1, *(1,) * (max(count, self.threshold.ndim) - 1))
        k = np.broadcast_to(self.members.data.reshape(-1), (channels,))
        channel = np.repeat(np.arange(channels), k)
        place = np.arange(len(channel)) - np.repeat(np.cumsum(k) - k, k)

        def each(array: Array | None) -> NDArray[np.float64]:
            values = np.zeros(1) if array is None else array.data.astype(np.float64).reshape(-1)
            return np.asarray(np.broadcast_to(values, (channels,))[channel])

        def wide(values: NDArray[np.float64]) -> Array:
            return Array(values.reshape(shape), "float32")

        theta = each(self.threshold)
        sends = theta if self.amplitude is None else each(self.amplitude)
        return channel, IntegrateFire(
            threshold=wide(k[channel] * theta),
            amplitude=wide(sends),
            v0=wide(each(self.v0) + place * theta),
            code=self.code,
        )

    def of(self, members: NDArray[np.int64]) -> Population:
        """Give the same neurons in populations of other sizes."""
        return replace(self, members=Array(members), levels=int(members.max()))
