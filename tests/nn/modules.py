"""Modules of spikec.nn with inputs: every operator, every option."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spikec.ir import ops
from spikec.nn import (
    IF,
    LIF,
    PLIF,
    Accumulator,
    Burst,
    DctEncoder,
    DeformConv2d,
    Delta,
    Direct,
    Firing,
    Latency,
    MeanReadout,
    Phase,
    Poisson,
    StepWeights,
    TimeMix,
    and_over_time,
    haar,
    haar_inverse,
)
from spikec.nn.clock import GivesTime
from spikec.nn.library import OPERATORS, Call

STEPS, SAMPLES, CHANNELS, SIDE = 6, 4, 3, 5
SHAPE = (SAMPLES, CHANNELS, SIDE, SIDE)


def dct_encoder() -> nn.Module:
    encoder = DctEncoder(STEPS, (SIDE, SIDE), block=3, stride=2, frequencies=3)
    encoder.calibrate(torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)))
    return encoder


class Impulse(GivesTime):
    """An op without a module of its own."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps)
        self.call = Call(ops.Impulse(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x, all_steps=self.steps)


class Wavelet(nn.Module):
    """There and back along an axis, the bands changed on the way."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis, self.steps_multiple = axis, 2 if axis == 0 else 1

    def forward(self, x: Tensor) -> Tensor:
        low, high = haar(x, self.axis)
        return haar_inverse(low * 2, high * low, self.axis)


class Bits(nn.Module):
    """Neurons, and what all of their steps agree on."""

    def __init__(self) -> None:
        super().__init__()
        self.neuron = IF(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return and_over_time(self.neuron(x))


class Deformed(nn.Module):
    """Offsets and mask that depend on the input."""

    def __init__(self, *, masked: bool, **options: Any) -> None:
        super().__init__()
        groups = options.get("offset_groups", 1)
        self.deform = DeformConv2d(CHANNELS, 6, 3, padding=1, **options)
        self.offset = nn.Conv2d(CHANNELS, 18 * groups, 3, padding=1)
        self.mask = nn.Conv2d(CHANNELS, 9 * groups, 3, padding=1)
        self.masked = masked

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, 1)
        mask = self.mask(flat).sigmoid() if self.masked else None
        y: Tensor = self.deform(flat, self.offset(flat), mask)
        return y.reshape(*x.shape[:2], *y.shape[1:])


def weighted(*shape: int) -> StepWeights:
    weights = StepWeights(4, shape)
    nn.init.normal_(weights.weight, generator=torch.Generator().manual_seed(2))
    return weights


NEURONS: Mapping[str, Callable[[], Firing]] = {
    "if": IF,
    "if hard": lambda: IF(0.8, reset="hard"),
    "if hard to": lambda: IF(0.8, reset="hard", v_reset=-0.2, v0=0.1),
    "if above": lambda: IF(0.8, above=True, detached=True),
    "if before": lambda: IF(0.8, delay=1),
    "if channels": lambda: IF(torch.tensor([0.5, 0.8, 1.1]).reshape(3, 1, 1)),
    "if ternary": lambda: IF(0.8, ternary=True, negative_threshold=0.6, above=True),
    "if learned": lambda: IF(0.8, learn_threshold=True),
    "lif": lambda: LIF(0.8, leak=0.9),
    "lif before": lambda: LIF(0.8, leak=0.9901, delay=1, learn_threshold=True),
    "lif tau": lambda: LIF(0.8, tau=2.0, surrogate="sigmoid{alpha=4}"),
    "lif tau undecayed": lambda: LIF(0.8, tau=2.0, decay_input=False, surrogate="rectangle"),
    "lif hard before": lambda: LIF(0.8, leak=0.9, reset="hard", delay=1, surrogate="atan"),
    "plif": lambda: PLIF(0.8, leak=0.9, learn_threshold=True),
    "plif tau": lambda: PLIF(0.8, tau=2.0, surrogate="atan{alpha=1.5}"),
}
"""from currents [T, B, C, H, W]"""
OVER_TIME: Mapping[str, Callable[[], nn.Module]] = {
    **NEURONS,
    "accumulator": Accumulator,
    "accumulator leak": lambda: Accumulator(leak=0.9),
    "accumulator tau": lambda: Accumulator(tau=2.0),
    "mean": MeanReadout,
    "delta": lambda: Delta(0.1, levels=3, deadband=2),
    "wavelet over time": lambda: Wavelet(0),
    "wavelet over rows": lambda: Wavelet(3),
    "bits": Bits,
    "weights by step": weighted,
    "weights by step and element": lambda: weighted(CHANNELS, 1, SIDE),
    "mixed steps": lambda: TimeMix(3),
    "mixed steps, fewer": lambda: TimeMix(3, 2),
    "deformed": lambda: Deformed(masked=True),
    "deformed in groups": lambda: Deformed(masked=False, groups=3, offset_groups=3, bias=False),
}
ENCODERS: Mapping[str, Callable[[], nn.Module]] = {
    "direct": lambda: Direct(STEPS),
    "poisson": lambda: Poisson(STEPS, scale=2.0, seed=3),
    "poisson signed": lambda: Poisson(STEPS, signed=True),
    "latency": lambda: Latency(STEPS, scale=2.0),
    "latency window": lambda: Latency(STEPS, window=4),
    "phase": lambda: Phase(STEPS, bits=4),
    "burst": lambda: Burst(STEPS, threshold=0.1, doublings=2),
    "dct": dct_encoder,
    "impulse": lambda: Impulse(STEPS),
}
"""from still values [B, C, H, W]"""
EVERY = {**OVER_TIME, **ENCODERS}


class Convolved(nn.Module):
    """A module between two that know no time, as it stands in a network."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.inner = EVERY[name]()
        self.still = name in ENCODERS
        self.scale = nn.Parameter(torch.tensor(1.25))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(x * self.scale)
        return y * 0.5


def example(name: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    shape = SHAPE if name in ENCODERS else (STEPS, *SHAPE)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype) * 0.8 + 0.3


def operators(program: Any) -> set[str]:
    """Names of the operators of ours in an exported program."""
    names = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    known = {f"spikec.{one.name}.default" for one in OPERATORS.values()}
    return names & known
