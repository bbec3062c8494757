"""DCT-SNN: networks that see an image frequency by frequency, and their analog twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.nn import (
    LIF,
    Accumulator,
    Blocks,
    Burst,
    DctEncoder,
    Direct,
    GivesTime,
    Latency,
    MeanReadout,
    Phase,
    Poisson,
    YCbCr,
)
from spikec.nn.clock import check_steps
from spikec.zoo.plans import PLANS, Plan, Shape, analog_layers, draw_weights, spiking_layers

LEAK = 0.9901
"""λ of DCT-SNN"""
COLOURS = 3


class Signed(nn.Module):
    """sign(x) times the code of |x|: codes that know no sign, for images centred on 0."""

    def __init__(self, encoder: GivesTime) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        """Encode."""
        return self.encoder(x.abs()) * x.sign()  # type: ignore[no-any-return]


CODES: Mapping[str, Callable[[int], nn.Module]] = {
    "direct": Direct,
    "poisson": lambda steps: Poisson(steps, signed=True),
    "phase": lambda steps: Signed(Phase(steps, bits=min(8, steps))),
    "burst": lambda steps: Signed(Burst(steps)),
    "latency": lambda steps: Signed(Latency(steps)),
}
"""what DCT-SNN is compared with: each shows the same image in blocks"""
DCT = "dct"
READOUTS: Mapping[str, Callable[[], nn.Module]] = {"sum": Accumulator, "mean": MeanReadout}
"""what becomes of the last layer's currents"""


class DctAnalog(nn.Module):
    """The network before its conversion: ReLUs, on images in blocks."""

    def __init__(
        self,
        plan: Plan,
        shape: Shape,
        *,
        block: int = 4,
        stride: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.colours = _colours(shape)
        self.blocks = Blocks(shape.size, block, stride)
        self.layers = analog_layers(plan, _in_blocks(shape, self.blocks))
        draw_weights(self.layers, seed)

    def forward(self, x: Tensor) -> Tensor:
        """Give scores [B, classes] of images [B, C, H, W] in [-1, 1]."""
        return self.layers(self.blocks(self.colours(x)))  # type: ignore[no-any-return]


class DctNet(nn.Module):
    """LIF neurons with soft reset behind an encoder; gives u[t] = u[t-1] + W s[t], by step.

    With ``readout="mean"`` it gives u[t] / t, which a host can do where a tool cannot integrate.

    ``code`` is ``dct``, or one of those that DCT-SNN is compared with; ``options`` are those of
    :class:`spikec.nn.DctEncoder` (frequencies, order).
    """

    def __init__(
        self,
        plan: Plan,
        shape: Shape,
        steps: int,
        *,
        block: int = 4,
        stride: int | None = None,
        code: str = DCT,
        leak: float = LEAK,
        delay: int = 1,
        readout: str = "sum",
        **options: Any,
    ) -> None:
        super().__init__()
        check_steps(steps)
        if readout not in READOUTS:
            raise UsageError(f"readout {readout!r}", expected=" or ".join(READOUTS))
        if code != DCT and (code not in CODES or options):
            known = ", ".join((DCT, *CODES))
            told = f"{code!r} with {', '.join(options)}" if options else repr(code)
            raise UsageError(
                f"code {told}", expected=f"one of {known}; options are those of {DCT} alone"
            )
        self.colours = _colours(shape)
        blocks = Blocks(shape.size, block, stride)
        if code == DCT:
            self.blocks: nn.Module = nn.Identity()
            self.encoder: nn.Module = DctEncoder(
                steps, shape.size, block=block, stride=stride, **options
            )
        else:
            self.blocks, self.encoder = blocks, CODES[code](steps)
        shape = _in_blocks(shape, blocks)
        self.layers = spiking_layers(plan, shape, lambda: LIF(leak=leak, delay=delay))
        self.readout = READOUTS[readout]()

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Set the encoder's thresholds by images, where it has any."""
        if isinstance(self.encoder, DctEncoder):
            self.encoder.calibrate(self.colours(x))

    def forward(self, x: Tensor) -> Tensor:
        """Give scores [T, B, classes] of images [B, C, H, W] in [-1, 1]."""
        spikes = self.encoder(self.blocks(self.colours(x)))
        return self.readout(self.layers(spikes))  # type: ignore[no-any-return]


def _colours(shape: Shape) -> nn.Module:
    return YCbCr() if shape.channels == COLOURS else nn.Identity()


def _in_blocks(shape: Shape, blocks: Blocks) -> Shape:
    return Shape(shape.channels, blocks.out_size, shape.classes, shape.width, shape.dropout)


def dct_net(
    name: str,
    *,
    size: tuple[int, int],
    channels: int = 1,
    classes: int = 10,
    width: float = 1.0,
    dropout: float = 0.2,
    steps: int | None = None,
    **options: Any,
) -> DctNet | DctAnalog:
    """Build a network of a plan by name: spiking with ``steps``, without them its analog twin."""
    shape = Shape(channels, size, classes, width, dropout)
    if steps is None:
        return DctAnalog(PLANS[name], shape, **options)
    return DctNet(PLANS[name], shape, steps, **options)
