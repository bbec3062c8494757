"""Surrogates: their derivative is the one that is written down."""

from __future__ import annotations

from math import pi

import pytest
import torch

from spikec.errors import UsageError
from spikec.runtime.surrogate import (
    SURROGATES,
    ATan,
    Rectangle,
    Sigmoid,
    Surrogate,
    Triangle,
    surrogate_from,
)

Z = torch.linspace(-2.5, 2.5, 101, dtype=torch.float64)
FORMULAS = [
    (Triangle(0.3), 0.3 * torch.clamp(1 - Z.abs(), min=0)),
    (ATan(2.0), 1 / (1 + (pi * Z) ** 2)),
    (ATan(0.5), 0.25 / (1 + (pi * 0.25 * Z) ** 2)),
    (Sigmoid(4.0), 4 * torch.sigmoid(4 * Z) * (1 - torch.sigmoid(4 * Z))),
    (Rectangle(1.0), ((Z > -0.5) & (Z < 0.5)).double()),
    (Rectangle(2.0), 0.5 * ((Z > -1) & (Z < 1)).double()),
]


@pytest.mark.parametrize(("surrogate", "expected"), FORMULAS, ids=str)
def test_backwards_a_spike_has_the_slope(surrogate: Surrogate, expected: torch.Tensor) -> None:
    z = Z.clone().requires_grad_()
    s = surrogate.spike(z)
    assert torch.equal(s, (Z >= 0).double())
    weights = torch.rand(len(Z), dtype=torch.float64)
    (s * weights).sum().backward()  # type: ignore[no-untyped-call]  # torch declares none
    torch.testing.assert_close(z.grad, expected * weights)


def test_names_are_read() -> None:
    assert surrogate_from("atan") == ATan()
    assert surrogate_from(" rectangle{width=0.5}") == Rectangle(0.5)
    assert {type(surrogate_from(name)) for name in SURROGATES} == set(SURROGATES.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step", "one of triangle, atan, sigmoid, rectangle"),
        ("triangle{alpha=1}", "triangle{gamma=NUMBER}"),
        ("triangle{gamma=x}", "triangle{gamma=NUMBER}"),
        ("triangle{gamma=1", "triangle{gamma=NUMBER}"),
        ("triangle{gamma=-1}", "a number above 0"),
        ("triangle{gamma=nan}", "a number above 0"),
    ],
)
def test_what_is_no_surrogate_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        surrogate_from(text)
