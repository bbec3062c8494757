"""Surrogate derivatives: what takes the place of the derivative of a spike.

A spike is s = [z >= 0] with z = u - 1, u = potential / threshold, whose derivative is 0 almost
everywhere.  Backwards, ds/dz := g(z), an even function with its peak at z = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite, pi
from typing import Any

import torch
from torch import Tensor

from spikec.errors import UsageError


@dataclass(frozen=True)
class Surrogate:
    """A function g(z); its options are numbers above 0."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and isfinite(value) and value > 0):
                raise UsageError(
                    f"{item.name} of {type(self).__name__} is {value!r}",
                    expected="a number above 0",
                )

    def slope(self, z: Tensor) -> Tensor:
        """Give g(z)."""
        raise NotImplementedError

    def spike(self, z: Tensor) -> Tensor:
        """Give [z >= 0] with the derivative g(z)."""
        spikes: Tensor = _Spike.apply(z, self)  # type: ignore[no-untyped-call]
        return spikes


@dataclass(frozen=True)
class Triangle(Surrogate):
    """g(z) = gamma max(0, 1 - |z|): the linear surrogate of DCT-SNN (gamma 0.3)."""

    gamma: float = 0.3

    def slope(self, z: Tensor) -> Tensor:
        return z.abs().neg_().add_(1).clamp_(min=0).mul_(self.gamma)


@dataclass(frozen=True)
class ATan(Surrogate):
    """g(z) = (alpha / 2) / (1 + (pi alpha z / 2)^2): derivative of an arc tangent's step."""

    alpha: float = 2.0

    def slope(self, z: Tensor) -> Tensor:
        return (z * (pi * self.alpha / 2)).square_().add_(1).reciprocal_().mul_(self.alpha / 2)


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """g(z) = alpha s (1 - s), s = 1 / (1 + exp(-alpha z))."""

    alpha: float = 4.0

    def slope(self, z: Tensor) -> Tensor:
        s = torch.sigmoid(z * self.alpha)
        return (1 - s).mul_(s).mul_(self.alpha)


@dataclass(frozen=True)
class Rectangle(Surrogate):
    """g(z) = 1 / width where |z| < width / 2, else 0."""

    width: float = 1.0

    def slope(self, z: Tensor) -> Tensor:
        return (z.abs() < self.width / 2).to(z.dtype).div_(self.width)


SURROGATES: Mapping[str, type[Surrogate]] = {
    "triangle": Triangle,
    "atan": ATan,
    "sigmoid": Sigmoid,
    "rectangle": Rectangle,
}


def surrogate_from(text: str) -> Surrogate:
    """Read `NAME` or `NAME{option=number}`.

    >>> surrogate_from("triangle{gamma=0.5}")
    Triangle(gamma=0.5)
    """
    name, _, rest = text.strip().partition("{")
    known = ", ".join(SURROGATES)
    if name not in SURROGATES:
        raise UsageError(f"unknown surrogate {name!r}", expected=f"one of {known}")
    kind = SURROGATES[name]
    if not rest:
        return kind()
    (option,) = fields(kind)
    key, equals, value = rest.removesuffix("}").partition("=")
    try:
        if key.strip() != option.name or not equals or not rest.endswith("}"):
            raise ValueError
        return kind(**{key.strip(): float(value)})
    except ValueError:
        raise UsageError(
            f"surrogate {text!r}", expected=f"{name}{{{option.name}=NUMBER}}, or {name} alone"
        ) from None


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(z)
        ctx.surrogate = surrogate
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        return ctx.surrogate.slope(z) * gradients[0], None
