"""Neurons as torch modules, in multi-step form: [T, B, ...] in, [T, B, ...] out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.ir import Array, ops
from spikec.ir.ops import Comparison, Decision, Leak, Negative, Reset
from spikec.nn.library import Call
from spikec.runtime.surrogate import surrogate_from

DCT_SNN = "triangle{gamma=0.3}"
ONE = Array(1.0)
_MEAN = Call(ops.MeanReadout())


class Firing(nn.Module):
    """Integrate, compare, fire, reset; see :class:`spikec.ir.ops.IntegrateFire`.

    h = charge(v, x[t]); s[t] = [h > θ] (``above``) or [h >= θ]; soft reset v = h - θ s, hard reset
    v = ``v_reset`` where s = 1, else h; v(0) = ``v0``.  ``ternary`` also sends -1 where -h passes
    ``negative_threshold`` (θ, if none), and adds that back.  ``delay=1`` decides about step t
    before its input, from the potential that step t - 1 left (the code of DCT-SNN), ``delay=0``
    behind it.

    Backwards ∂s/∂h = g(h / θ - 1) / θ with the ``surrogate`` g, and through the reset as well,
    unless that is ``detached``.  ``learn_threshold`` makes θ a parameter.  A threshold may be a
    tensor that broadcasts against trailing axes: [C, 1, 1] has one per channel.
    """

    threshold: Tensor
    negative_threshold: Tensor

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        reset: str = "soft",
        v_reset: float = 0.0,
        v0: float | Tensor = 0.0,
        ternary: bool = False,
        negative_threshold: float | Tensor | None = None,
        above: bool = False,
        delay: int = 0,
        surrogate: str = DCT_SNN,
        detached: bool = False,
        learn_threshold: bool = False,
    ) -> None:
        super().__init__()
        surrogate_from(surrogate)
        _check(delay in (0, 1), f"delay={delay!r}", "0 or 1")
        _check(reset in ("soft", "hard"), f"reset={reset!r}", "soft or hard")
        _check(ternary or negative_threshold is None, "a negative threshold", "ternary=True")
        _check(math.isfinite(v_reset), f"v_reset={v_reset}", "a finite number")
        self.surrogate, self.detached = surrogate, detached
        hard = reset == "hard"
        back = Array(float(v_reset)) if hard and v_reset else None
        op = ops.IntegrateFire(
            ONE,
            amplitude=ONE,
            v0=ONE,
            reset=Reset.HARD if hard else Reset.SOFT,
            reset_potential=back,
            negative=Negative.FREE if ternary else Negative.NONE,
            negative_threshold=None if negative_threshold is None else ONE,
            comparison=Comparison.ABOVE if above else Comparison.AT_LEAST,
            decision=Decision.BEFORE_INPUT if delay else Decision.AFTER_INPUT,
        )
        self.call = Call(op)
        self._hold("threshold", positive(threshold, "threshold"), learn_threshold)
        start = torch.as_tensor(v0, dtype=torch.float32)
        _check(start.is_meta or bool(start.isfinite().all()), f"v0 {v0}", "finite numbers")
        self._hold("v0", start)
        self._hold("amplitude", torch.ones(()))
        if back is not None:
            self._hold("reset_potential", torch.tensor(float(v_reset)))
        if negative_threshold is not None:
            self._hold("negative_threshold", positive(negative_threshold, "negative_threshold"))

    def _hold(self, name: str, value: Tensor, learned: bool = False) -> None:
        if learned:
            self.register_parameter(name, nn.Parameter(value.clone()))
        else:
            self.register_buffer(name, value.clone())

    @property
    def op(self) -> ops.IntegrateFire:
        """The op of the IR that it is."""
        assert isinstance(self.call.op, ops.IntegrateFire)
        return self.call.op

    def tensors(self) -> dict[str, Tensor]:
        """Give what stands for the arrays of the op."""
        return {name: getattr(self, name) for name in self.call.arrays}

    def forward(self, x: Tensor) -> Tensor:
        """Fire along the first axis."""
        return self.call(x, self.tensors(), surrogate=self.surrogate, detached=self.detached)

    def extra_repr(self) -> str:
        op = self.op
        told = [f"reset={op.reset.value}", f"surrogate={self.surrogate}"]
        told += [f"leak={op.leak.value}"] if op.leak is not Leak.NONE else []
        told += ["ternary"] if op.negative is Negative.FREE else []
        return ", ".join(told)


class IF(Firing):
    """Integrate-and-fire without a leak: h = v + x[t]."""


class LIF(Firing):
    """Leaky: h = λ v + x[t] with ``leak`` λ, or h = v + (x[t] - v) / τ with ``tau``.

    ``decay_input=False`` with ``tau`` is h = (1 - 1/τ) v + x[t].  A rest potential is not needed:
    subtract it from potentials and thresholds.
    """

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        leak: float | None = None,
        tau: float | None = None,
        decay_input: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(threshold, **options)
        self._leaks(*_leak(leak, tau, decay_input))

    def _leaks(self, kind: Leak, constant: float) -> None:
        self.call = Call(replace(self.op, leak=kind, leak_constant=ONE))
        self._hold("leak_constant", torch.tensor(constant))


class PLIF(LIF):
    """Leaky, and the leak is learned: λ = 1 / (1 + exp(-w)), or τ = 1 + exp(w)."""

    w: Tensor

    def _leaks(self, kind: Leak, constant: float) -> None:
        self.call = Call(replace(self.op, leak=kind, leak_constant=ONE))
        self.by_tau = by_tau = kind is Leak.DECAY_INPUT
        name, low, high = ("tau", 1.0, math.inf) if by_tau else ("leak", 0.0, 1.0)
        told = "a finite number above 1" if by_tau else "above 0, below 1"
        _check(low < constant < high, f"a learned {name} that begins at {constant}", told)
        w = math.log(constant - 1) if by_tau else math.log(constant / (1 - constant))
        self._hold("w", torch.tensor(w), learned=True)

    def tensors(self) -> dict[str, Tensor]:
        k = 1 + self.w.exp() if self.by_tau else torch.sigmoid(self.w)
        return {n: k if n == "leak_constant" else getattr(self, n) for n in self.call.arrays}


class Accumulator(nn.Module):
    """v[t] = v[t-1] + x[t], or λ v[t-1] + x[t]: integrates and never fires; gives v[t]."""

    def __init__(self, leak: float | None = None, tau: float | None = None) -> None:
        super().__init__()
        op = ops.Accumulator()
        if leak is not None or tau is not None:
            kind, constant = _leak(leak, tau, decay_input=True)
            op = ops.Accumulator(leak=kind, leak_constant=ONE)
            self.register_buffer("leak_constant", torch.tensor(constant))
        self.call = Call(op)

    def forward(self, x: Tensor) -> Tensor:
        """Integrate along the first axis."""
        return self.call(x, {name: getattr(self, name) for name in self.call.arrays})


class MeanReadout(nn.Module):
    """y[t] = (x[1] + … + x[t]) / t: what an output accumulator holds, by the steps so far.

    The last step of it is what DCT-SNN trains on, u[T] / T; all of them are a program's estimates
    by step.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Average along the first axis."""
        return _MEAN(x)


def _leak(leak: float | None, tau: float | None, decay_input: bool) -> tuple[Leak, float]:
    """Give the kind of a leak and its constant."""
    _check((leak is None) != (tau is None), f"leak={leak}, tau={tau}", "one of both")
    if leak is not None:
        _check(0 < leak <= 1, f"leak={leak}", "above 0, at most 1")
        return Leak.DECAY, float(leak)
    assert tau is not None  # one of both
    _check(tau >= 1, f"tau={tau}", "1 or more")
    if decay_input:
        return Leak.DECAY_INPUT, float(tau)
    _check(tau > 1, f"tau={tau} without decay_input", "above 1")
    return Leak.DECAY, 1 - 1 / tau


def positive(value: float | Tensor, name: str) -> Tensor:
    """Give a tensor of finite numbers above 0, and refuse others; a meta tensor holds none."""
    tensor = torch.as_tensor(value, dtype=torch.float32)
    fine = tensor.is_meta or bool((tensor.isfinite() & (tensor > 0)).all())
    _check(fine, f"{name} {value}", "finite numbers above 0")
    return tensor


def _check(fine: bool, what: str, expected: str) -> None:
    if not fine:
        raise UsageError(what, expected=expected)
