"""Neurons against plain loops in float64, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spikec.errors import UsageError
from spikec.ir import Array
from spikec.nn import IF, LIF, PLIF, Accumulator, MeanReadout
from spikec.runtime.surrogate import surrogate_from
from tests.nn.modules import NEURONS, example
from tests.runtime.plain_loop import plain_loop

SURROGATES = ("triangle{gamma=0.3}", "atan{alpha=1.5}", "sigmoid{alpha=4}", "rectangle{width=1.2}")


def by_plain_loop(neuron: Any, x: Tensor) -> Tensor:
    """The same with the op's equations, one term at a time."""
    arrays = {name: Array(0.5) for name in neuron.op.arrays}  # to tell one tensor from another
    tensors = {id(array): neuron.tensors()[name] for name, array in arrays.items()}
    options = (surrogate_from(neuron.surrogate), neuron.detached)
    return plain_loop(replace(neuron.op, **arrays), x, lambda array: tensors[id(array)], options)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("name", NEURONS)
def test_events_and_gradients_are_those_of_a_plain_loop(name: str, surrogate: str) -> None:
    found = []
    ways: list[Callable[[Any, Tensor], Tensor]] = [lambda n, x: n(x), by_plain_loop]
    for way in ways:
        neuron = NEURONS[name]().double()
        neuron.surrogate = surrogate
        x = example(name, torch.float64).requires_grad_()
        y = way(neuron, x)
        weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
        (y * weights).sum().backward()  # type: ignore[no-untyped-call]
        found.append([y.detach(), x.grad, *(p.grad for p in neuron.parameters())])
    for ours, theirs in zip(*found, strict=True):
        assert ours is not None
        assert ours.count_nonzero() > 0
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_a_learned_leak_begins_where_it_is_told() -> None:
    assert PLIF(leak=0.9).tensors()["leak_constant"].item() == pytest.approx(0.9)
    assert PLIF(tau=2.5).tensors()["leak_constant"].item() == pytest.approx(2.5)
    assert [name for name, _ in PLIF(tau=2.0).named_parameters()] == ["w"]


def test_a_rate_neuron_sends_what_it_gets() -> None:
    x = torch.full((100, 1, 1), 0.37)
    assert IF(1.0)(x).mean().item() == pytest.approx(0.37, abs=0.01)


def test_dct_snn_decides_before_the_input_of_the_step() -> None:
    x = torch.tensor([1.5, 0.0, 0.0]).reshape(3, 1, 1)
    assert LIF(1.0, leak=1.0)(x).flatten().tolist() == [1, 0, 0]
    assert LIF(1.0, leak=1.0, delay=1)(x).flatten().tolist() == [0, 1, 0]


def test_readouts_follow_their_equations() -> None:
    x = example("mean", torch.float64)
    torch.testing.assert_close(Accumulator()(x), x.cumsum(0))
    counts = torch.arange(1, len(x) + 1).reshape(-1, 1, 1, 1, 1)
    torch.testing.assert_close(MeanReadout()(x), x.cumsum(0) / counts)
    leaky, v = Accumulator(leak=0.9).double()(x), torch.zeros_like(x[0])
    for now, ours in zip(x, leaky, strict=True):
        v = float(np.float32(0.9)) * v + now
        torch.testing.assert_close(ours, v)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: IF(0.0), "threshold 0.0"),
        (lambda: IF(float("nan")), "threshold nan"),
        (lambda: IF(torch.tensor([1.0, -1.0])), "threshold"),
        (lambda: IF(reset="medium"), "reset='medium'"),
        (lambda: IF(delay=2), "delay=2"),
        (lambda: IF(negative_threshold=1.0), "ternary=True"),
        (lambda: IF(surrogate="triangel"), "triangel"),
        (lambda: IF(surrogate="triangle{gama=1}"), "gama"),
        (lambda: LIF(), "leak=None, tau=None"),
        (lambda: LIF(leak=0.5, tau=2.0), "one of both"),
        (lambda: LIF(leak=1.5), "leak=1.5"),
        (lambda: LIF(leak=math.nan), "leak=nan"),
        (lambda: LIF(tau=0.5), "tau=0.5"),
        (lambda: LIF(tau=1.0, decay_input=False), "above 1"),
        (lambda: PLIF(leak=1.0), "a learned leak that begins at 1.0\n.*above 0, below 1"),
        (lambda: PLIF(tau=1.0), "a learned tau that begins at 1.0\n.*a finite number above 1"),
        (lambda: IF(v0=math.nan), "v0 nan"),
        (lambda: LIF(v0=torch.tensor([0.0, math.inf]), leak=0.9), "v0 tensor"),
        (lambda: IF(reset="hard", v_reset=math.nan), "v_reset=nan"),
        (lambda: Accumulator(leak=0.0), "leak=0.0"),
    ],
)
def test_bad_options_are_named(make: Callable[[], object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make()
