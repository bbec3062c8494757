"""Encoders: a still value [B, ...] becomes one over time [T, B, ...].

None of them but :class:`Direct` has a derivative.  How many steps they make is their own ``steps``,
unless ``spikec.nn.steps`` holds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikec.ir import Array, Op, ops
from spikec.nn.checks import check_whole
from spikec.nn.clock import GivesTime
from spikec.nn.library import Call
from spikec.nn.neurons import positive

_REPEAT = Call(ops.Repeat())
_PHASE_SCALE = Call(ops.PhaseScale(Array(1.0)))


class Direct(GivesTime):
    """y[t] = x: the value itself at every step; what follows turns it into spikes."""

    def forward(self, x: Tensor) -> Tensor:
        """Repeat."""
        return _REPEAT(x, steps=self.steps)


class Encoder(Direct):
    """Repeats a value, and encodes what it has become by an op of the IR."""

    def __init__(self, steps: int, op: Op, **tensors: float) -> None:
        super().__init__(steps)
        self.call = Call(op)
        for name, value in tensors.items():
            positive(float(value), name)
            self.register_buffer(name, torch.tensor(float(value)))

    def forward(self, x: Tensor) -> Tensor:
        """Encode."""
        return self.encode(super().forward(x))

    def encode(self, x: Tensor) -> Tensor:
        """Encode what has steps already: [T, B, ...]."""
        return self.call(x, {name: getattr(self, name) for name in self.call.arrays})

    def extra_repr(self) -> str:
        return f"steps={self.steps}, {self.call.op!r}"


class Poisson(Encoder):
    """y[t] = scale [u[t] < x / scale], u uniform in [0, 1); signed: u < |x| / scale, sign of x.

    In training u is drawn anew each time.  In evaluation, exported and imported it is a function of
    ``seed``, t and the element's place (:class:`spikec.ir.ops.Poisson`): the same for all samples.
    """

    scale: Tensor

    def __init__(
        self, steps: int, *, scale: float = 1.0, signed: bool = False, seed: int = 0
    ) -> None:
        check_whole(seed, "seed {}", 0, 2**64 - 1)
        super().__init__(steps, ops.Poisson(seed, Array(1.0), signed), scale=scale)
        self.signed = signed

    def encode(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().encode(x)
        chance = (x.abs() if self.signed else x) / self.scale
        fired = (torch.rand_like(x) < chance).to(x.dtype) * self.scale
        return fired * x.sign() if self.signed else fired


class Latency(Encoder):
    """Time to first spike: one event per window, early for large values.

    a = min(x / scale, 1), p = (t - 1) mod K: y[t] = scale [x > 0 and p = ⌊(1 - a) (K - 1) + 1/2⌋],
    K = ``window``, all steps if none is given.
    """

    def __init__(self, steps: int, *, window: int | None = None, scale: float = 1.0) -> None:
        length = steps if window is None else check_whole(window, "a window of {} steps")
        super().__init__(steps, ops.Latency(length, Array(1.0)), scale=scale)


class Phase(Encoder):
    """Binary digits, the highest first, in windows of K = ``bits`` steps, weighted by their phase.

    b = clip(⌊2^K x / scale⌋, 0, 2^K - 1), y[t] = scale · bit K - 1 - p of b · 2^-(p + 1),
    p = (t - 1) mod K.
    """

    weights: Tensor

    def __init__(self, steps: int, *, bits: int = 8, scale: float = 1.0) -> None:
        check_whole(bits, "{} bits", 1, 24)
        super().__init__(steps, ops.Phase(bits, Array(1.0)), scale=scale)
        self.bits = bits
        self.register_buffer("weights", 0.5 ** torch.arange(1.0, bits + 1))

    def encode(self, x: Tensor) -> Tensor:
        return _PHASE_SCALE(super().encode(x), {"weights": self.weights})


class Burst(Encoder):
    """Events that double while they follow one another, up to 2^doublings thresholds.

    v += x; y[t] = g θ [v >= g θ]; v -= y; g = min(2 g, 2^doublings) behind an event, else 1.
    """

    def __init__(self, steps: int, *, threshold: float = 0.125, doublings: int = 4) -> None:
        check_whole(doublings, "{} doublings", 0, 16)
        super().__init__(steps, ops.Burst(Array(1.0), doublings), threshold=threshold)


class Delta(nn.Module):
    """Changes of a sequence [T, B, ...], in steps s = ``step_size``; the rest is sent later.

    e = clip(⌊(x[t] - b) / s + 1/2⌋, -levels, levels), 0 where |e| < ``deadband``; y[t] = s e;
    b += y; b(0) = 0.
    """

    step_size: Tensor

    def __init__(self, step_size: float, *, levels: int = 1, deadband: int = 1) -> None:
        super().__init__()
        check_whole(levels, "{} levels")
        check_whole(deadband, "a deadband of {}", 1, levels)
        self.call = Call(ops.DeltaEncode(Array(1.0), levels, deadband))
        positive(float(step_size), "step_size")
        self.register_buffer("step_size", torch.tensor(float(step_size)))

    def forward(self, x: Tensor) -> Tensor:
        """Encode along the first axis."""
        return self.call(x, {"step_size": self.step_size})
