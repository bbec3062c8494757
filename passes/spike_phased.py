"""Layer windows: each layer fires when it has seen the whole window of the layer before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikec.ir import Array, Editor, Op, Stage, ops
from spikec.ir.edit import copied
from spikec.ir.ops import PhasedFire, PhaseScale, Repeat, WindowReadout
from spikec.pipeline import Context, Exactly, Promise, check_option
from spikec.pipeline.spiking import Around, SpikingRewrite


@dataclass(frozen=True)
class SpikePhased(SpikingRewrite):
    """QuantReLU(step s, N levels) becomes a neuron that fires in windows of K = N steps, θ = K s.

    Window w answers for the input of window w - 1 with exactly clip(round(z / s), 0, N) events,
    however that input is spread: the program equals its quantised network, up to rounding.
    """

    window: int = 7
    """K, the steps of one layer's window"""

    name: ClassVar[str] = "spike-phased"
    promise: ClassVar[Promise] = Exactly(1e-3)

    def __post_init__(self) -> None:
        check_option(f"{self.name}.window", self.window, 1, 100_000)

    def apply(self, edit: Editor, context: Context) -> None:
        if edit.graph.stage is Stage.ANALOG:
            context.quantised = copied(edit.graph)
        super().apply(edit, context)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        threshold = site.step.data.astype(np.float64) * self.window
        return PhasedFire(
            threshold=Array(threshold, "float32"),
            window=self.window,
            v0=Array(threshold / 2, "float32"),
        )

    def around(self, homogeneous: bool) -> Around:
        """Let f of a window's mean (or sum) come in the last step of that window.

        Sums over all windows would not do: those of the first windows are wrong.
        """
        share = 1 if homogeneous else self.window
        weights = np.full(self.window, 1 / share)
        pulse = np.eye(self.window)[-1] * share
        return (WindowReadout(Array(weights, "float32")),), (PhaseScale(Array(pulse, "float32")),)

    def source(self) -> Op:
        return Repeat()

    def readout(self, context: Context) -> Op:
        return WindowReadout(Array(np.full(self.window, 1 / self.window), "float32"))
