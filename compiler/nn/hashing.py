"""Binary codes of spikes: a bit is 1 where a neuron fires at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.nn.checks import check_whole
from spikec.nn.hard_lif import TAU, HardLIF
from spikec.nn.layers import Stepwise
from spikec.nn.sequence import and_over_time

GRADIENTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "product": and_over_time,
    "min": lambda spikes: spikes.amin(0),
}
"""the same values, with other derivatives"""


class HashLayer(nn.Module):
    """z[t] = SN(W x[t] + b); code = z[1] ∧ … ∧ z[T]: [T, B, features] -> [B, bits] of 0 and 1.

    One silent step clears a bit.  b begins at τ θ, the current from which a neuron fires at every
    step, so that bits begin undecided instead of all 0.

    Backwards ``gradient`` is that of the ``min`` over steps, shared by all that are silent (by all,
    where none is), or that of the ``product`` of all steps, which is 0 where two are silent.
    """

    def __init__(
        self,
        features: int,
        bits: int,
        *,
        threshold: float = 1.0,
        tau: float = TAU,
        gradient: str = "min",
    ) -> None:
        super().__init__()
        if gradient not in GRADIENTS:
            raise UsageError(f"gradient {gradient!r}", expected=" or ".join(GRADIENTS))
        self.bits, self.tau, self.gradient = check_whole(bits, "codes of {} bits"), tau, gradient
        linear = nn.Linear(features, bits)
        nn.init.constant_(linear.bias, tau * threshold)
        self.project = Stepwise(linear)
        self.neuron = HardLIF(threshold, tau)

    def forward(self, x: Tensor) -> Tensor:
        """Give the codes."""
        return self._all(self.neuron(self.project(x)))

    def with_potentials(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give the codes, and the mean over time of the potentials h[t] that were compared.

        h[t] = v[t-1] + (W x[t] + b - v[t-1]) / τ, v[t] = (1 - z[t]) h[t]; without derivatives.
        """
        currents = self.project(x)
        spikes = self.neuron(currents)
        return self._all(spikes), self._potentials(currents.detach(), spikes.detach())

    def _all(self, spikes: Tensor) -> Tensor:
        if self.training and not torch.compiler.is_exporting():
            return GRADIENTS[self.gradient](spikes)
        return and_over_time(spikes)

    def _potentials(self, currents: Tensor, spikes: Tensor) -> Tensor:
        left, total = torch.zeros_like(currents[0]), torch.zeros_like(currents[0])
        for current, fired in zip(currents, spikes, strict=True):
            reached = left + (current - left) / self.tau
            total, left = total + reached, reached * (1 - fired)
        return total / currents.shape[0]

    def extra_repr(self) -> str:
        return f"bits={self.bits}"
