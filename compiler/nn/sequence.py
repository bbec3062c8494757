"""What takes steps together: wavelets along any axis, AND over time, weights by step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.ir import Array, ops
from spikec.nn.clock import check_multiple, check_steps
from spikec.nn.library import Call

_AXES = range(-8, 0)
_ONE = Array([[1.0]])
# made here, since torch.compile cannot look into how they are made
_SCALE = Call(ops.StepScale(Array(1.0)))
_HAAR = {axis: Call(ops.Haar(axis)) for axis in _AXES}
_INVERSE = {axis: Call(ops.HaarInverse(axis)) for axis in _AXES}
_AND = {axis: Call(ops.AndOverTime(axis)) for axis in _AXES}
_MIX = {axis: Call(ops.TimeMix(_ONE, axis)) for axis in _AXES}


def haar(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Give the low and the high band of one level of the Haar wavelet along an axis.

    low[i] = (x[2i] + x[2i+1]) / √2, high[i] = (x[2i] - x[2i+1]) / √2; an odd axis repeats its last
    element.  Along time (axis 0) the number of steps has to be even: see ``steps_multiple`` in
    :mod:`spikec.nn.clock`.
    """
    low, high = _HAAR[_from_end(axis, x)].results(x)
    return low, high


def haar_inverse(low: Tensor, high: Tensor, axis: int) -> Tensor:
    """x[2i] = (low[i] + high[i]) / √2, x[2i+1] = (low[i] - high[i]) / √2: the way back."""
    return _INVERSE[_from_end(axis, low)](low, others=(high,))


def and_over_time(spikes: Tensor) -> Tensor:
    """Give s[1] ∧ … ∧ s[T] = Π_t s[t] of events 0 and 1 that come straight from neurons.

    The derivative is that of the product, ∂y / ∂s[t] = Π_{τ ≠ t} s[τ]: nothing flows back where
    two steps or more are silent.
    """
    return _AND[_from_end(0, spikes)](spikes)


class StepWeights(nn.Module):
    """y[t] = W[(t - 1) mod K] ⊙ x[t] with a learned W [K, …], … as the last axes of one step."""

    def __init__(self, steps: int, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(check_steps(steps), *shape))

    def forward(self, x: Tensor) -> Tensor:
        """Weigh [T, ...]."""
        inner = self.weight.shape[1:]
        behind = zip(inner, x.shape[x.dim() - len(inner) :], strict=True)
        if x.dim() <= len(inner) or any(own not in (1, size) for own, size in behind):
            raise DataError(
                f"an input of shape {list(x.shape)}",
                expected=f"[steps, ..., {', '.join(map(str, inner))}]",
            )
        return _SCALE(x, {"weights": self.weight})

    def extra_repr(self) -> str:
        return f"weights={list(self.weight.shape)}"


class TimeMix(nn.Module):
    """y[n L + i] = Σ_j W[i, j] x[n K + j]: steps meet in windows of K, as L steps each.

    W [L, K] is learned; with L = K = T it is a matrix over time.
    """

    def __init__(self, steps: int, out_steps: int | None = None) -> None:
        super().__init__()
        self.steps_multiple = check_steps(steps)
        out = steps if out_steps is None else check_steps(out_steps)
        self.weight = nn.Parameter(torch.empty(out, steps))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the steps of [T, ...]."""
        check_multiple(x.shape[0], self.steps_multiple)
        return _MIX[_from_end(0, x)](x, {"weight": self.weight})

    def extra_repr(self) -> str:
        out, steps = self.weight.shape
        return f"{steps} steps -> {out}"


def _from_end(axis: int, x: Tensor) -> int:
    if not -x.dim() <= axis < x.dim() or x.dim() > len(_AXES):
        raise UsageError(f"axis {axis} of a value of {x.dim()} axes", expected="one of up to 8")
    return axis if axis < 0 else axis - x.dim()
