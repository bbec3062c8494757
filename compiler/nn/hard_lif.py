"""The neuron of spiking transformers: leaky, reset to zero."""

from __future__ import annotations

from spikec.errors import UsageError
from spikec.nn.neurons import LIF

SLOPE = 4.0
"""of the sigmoid surrogate, by the distance from the threshold"""
TAU = 2.0


class HardLIF(LIF):
    """h = v + (x[t] - v) / τ; s[t] = [h >= θ]; v = (1 - s[t]) h.

    Backwards ∂s/∂h = α σ(α (h - θ)) (1 - σ(α (h - θ))), α = 4, and not through the reset.  A
    constant input makes it fire at every step from τ θ on.
    """

    def __init__(self, threshold: float = 1.0, tau: float = TAU) -> None:
        if not threshold > 0:
            raise UsageError(f"threshold {threshold}", expected="a number above 0")
        super().__init__(
            threshold,
            tau=tau,
            reset="hard",
            detached=True,
            surrogate=f"sigmoid{{alpha={SLOPE * threshold}}}",  # its argument is h / θ - 1
        )
