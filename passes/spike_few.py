"""Bit-serial windows: each layer sends the binary digits of its activations, the highest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import UsageError
from spikec.ir import Array, Editor, Op, Stage, ops
from spikec.ir.edit import copied
from spikec.ir.ops import FewSpikes, PhaseScale, Repeat, WindowReadout
from spikec.pipeline import Context, Exactly, Promise, check_option
from spikec.pipeline.spiking import Around, SpikingRewrite


@dataclass(frozen=True)
class SpikeFew(SpikingRewrite):
    """QuantReLU(step s, N = 2^K - 1 levels) becomes an FS neuron: K binary digits in K steps.

    An event at step p = 1..K of a window counts w[p] = 2^(K-p); the receiver multiplies what
    arrives by w[p], and a window stands for Σ_p w[p] x[p] / N, so that a constant at every step
    stands for itself.  Window w answers for the input of window w - 1 with exactly
    s clip(round(z / s), 0, N): the program equals its quantised network, up to rounding, where N s
    is exact (pass short-steps).

    ::

        %a = QuantReLU(%x; step=s, levels=63)  ->  %w = PhaseScale(%x; weights=(32, 16, 8, 4, 2, 1))
                                                   %a = FewSpikes(%w; amplitude=63 s, v0=63 s / 2)
    """

    bits: int = 6
    """K, the steps of one layer's window"""

    name: ClassVar[str] = "spike-few"
    promise: ClassVar[Promise] = Exactly(1e-3)

    def __post_init__(self) -> None:
        check_option(f"{self.name}.bits", self.bits, 1, 16)

    def apply(self, edit: Editor, context: Context) -> None:
        if edit.graph.stage is Stage.ANALOG:
            context.quantised = copied(edit.graph)
        super().apply(edit, context)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        if site.levels != self._levels:
            raise UsageError(
                f"{site.levels} levels", expected=f"{self._levels} = 2^{self.bits} - 1"
            )
        full = site.step.data.astype(np.float64) * self._levels
        weights = Array(self._weights, "float32")
        return FewSpikes(Array(full, "float32"), weights, weights, Array(full / 2, "float32"))

    def arriving(self) -> tuple[Op, ...]:
        """Let a current count as its phase says."""
        return (PhaseScale(Array(self._weights, "float32")),)

    def around(self, homogeneous: bool) -> Around:
        """Let f of what a window stands for come in its last step, which counts 1 of N."""
        pulse = np.eye(self.bits)[-1] * self._levels
        return (self._decoder,), (PhaseScale(Array(pulse, "float32")),)

    def source(self) -> Op:
        return Repeat()

    def readout(self, context: Context) -> Op:
        return self._decoder

    @property
    def _levels(self) -> int:
        return (1 << self.bits) - 1

    @property
    def _weights(self) -> NDArray[Any]:
        return 2.0 ** np.arange(self.bits - 1, -1, -1)

    @property
    def _decoder(self) -> WindowReadout:
        return WindowReadout(Array(self._weights / self._levels, "float32"))
