"""Encoders: what they do in training, and layers that stand between neurons."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from spikec.errors import UsageError
from spikec.nn import (
    Burst,
    Delta,
    Direct,
    Latency,
    Phase,
    Poisson,
    Stepwise,
    TdBatchNorm,
    TimeDropout,
)
from tests.nn.modules import example


def test_poisson_draws_anew_in_training_and_the_same_in_evaluation() -> None:
    x = torch.rand(2, 50, generator=torch.Generator().manual_seed(0))
    encoder = Poisson(400)
    torch.manual_seed(0)
    assert not torch.equal(encoder(x), encoder(x))
    assert (encoder(x).mean(0) - x).abs().max() < 0.15
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))
    assert (encoder(x).mean(0) - x).abs().max() < 0.15


def test_signed_poisson_keeps_the_sign() -> None:
    x = torch.tensor([[-0.5, 0.25]])
    for encoder in (Poisson(600, signed=True).train(), Poisson(600, signed=True).eval()):
        y = encoder(x)
        assert (y[..., 0] <= 0).all()
        assert (y[..., 1] >= 0).all()
        torch.testing.assert_close(y.mean(0), x, atol=0.08, rtol=0)


def test_phase_writes_binary_digits() -> None:
    y = Phase(4, bits=4)(torch.tensor([[0.8125]]))  # 0.1101 in binary
    assert y.flatten().tolist() == [0.5, 0.25, 0.0, 0.0625]


def test_latency_sends_large_values_first() -> None:
    y = Latency(5)(torch.tensor([[1.0, 0.5, 0.001, 0.0]]))
    assert y.argmax(0).tolist() == [[0, 2, 4, 0]]
    assert y.sum(0).tolist() == [[1, 1, 1, 0]]


def test_bursts_double() -> None:
    y = Burst(4, threshold=0.1, doublings=2)(torch.tensor([[0.4]]))
    torch.testing.assert_close(y.flatten(), torch.tensor([0.1, 0.2, 0.4, 0.4]))


def test_delta_sends_changes() -> None:
    x = torch.tensor([0.0, 0.3, 0.3, 0.1]).reshape(4, 1, 1)
    y = Delta(0.1, levels=9)(x)
    torch.testing.assert_close(y.cumsum(0), x)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Poisson(4, scale=0), "scale 0.0\n.*finite numbers above 0"),
        (lambda: Poisson(4, scale=-1), "scale -1.0"),
        (lambda: Poisson(4, seed=-1), "seed -1"),
        (lambda: Poisson(4, seed=2**64), "seed 18446744073709551616"),
        (lambda: Latency(4, scale=0), "scale 0.0"),
        (lambda: Latency(4, window=0), "a window of 0 steps"),
        (lambda: Phase(4, scale=math.inf), "scale inf"),
        (lambda: Phase(4, scale=1e-60), "scale 1e-60"),
        (lambda: Phase(4, bits=0), "0 bits\n.*a whole number from 1 to 24"),
        (lambda: Phase(4, bits=25), "25 bits"),
        (lambda: Burst(4, threshold=0), "threshold 0.0"),
        (lambda: Burst(4, doublings=17), "17 doublings"),
        (lambda: Delta(0.0), "step_size 0.0"),
        (lambda: Delta(math.nan), "step_size nan"),
        (lambda: Delta(0.1, levels=0), "0 levels"),
        (lambda: Delta(0.1, levels=3, deadband=4), "a deadband of 4\n.*from 1 to 3"),
    ],
)
def test_options_that_send_nothing_are_refused(make: Callable[[], object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make()


def test_encoders_of_the_widest_options_are_built() -> None:
    x = torch.tensor([[0.75]])
    assert Phase(2, bits=1)(x).flatten().tolist() == [0.5, 0.5]
    assert Phase(24, bits=24)(x).sum() == x
    assert Burst(2, threshold=0.25, doublings=0)(x).flatten().tolist() == [0.25, 0.25]
    assert Poisson(3, seed=2**64 - 1).eval()(torch.ones(1, 2)).flatten().tolist() == [1.0] * 6
    assert Delta(0.25, levels=3, deadband=3)(x[None]).item() == 0.75


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, "4"])
def test_steps_are_whole_numbers(steps: object) -> None:
    with pytest.raises(UsageError, match="steps"):
        Direct(steps)  # type: ignore[arg-type]


def test_layers_stepwise_are_the_layers_of_each_step() -> None:
    layer = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    x = example("if")
    y = Stepwise(*layer)(x)
    torch.testing.assert_close(y, torch.stack([layer(now) for now in x]))


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4, 3, 6), (5, 4, 3, 6, 2)])
def test_tdbn_follows_its_equation(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    norm = TdBatchNorm(3, threshold=0.8, alpha=0.5).double()
    others = [axis for axis in range(x.dim()) if axis != 2]
    mean = x.mean(others, keepdim=True)
    variance = x.var(others, unbiased=False, keepdim=True)
    torch.testing.assert_close(norm(x), 0.4 * (x - mean) / (variance + 1e-5).sqrt())
    norm.eval()
    running = [
        t.reshape(1, 1, 3, *(1,) * (x.dim() - 3))
        for t in (norm.norm.running_mean, norm.norm.running_var)
        if t is not None
    ]
    torch.testing.assert_close(norm(x), 0.4 * (x - running[0]) / (running[1] + 1e-5).sqrt())


def test_dropout_holds_its_mask_over_time() -> None:
    x = torch.ones(6, 40, 50)
    dropout = TimeDropout(0.25)
    torch.manual_seed(0)
    y = dropout(x)
    assert (y == y[0]).all()
    assert y.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert y[0].count_nonzero().item() / y[0].numel() == pytest.approx(0.75, abs=0.04)
    assert torch.equal(dropout.eval()(x), x)


@pytest.mark.parametrize("p", [1.0, -0.1, float("nan"), "half"])
def test_a_share_below_one_is_dropped(p: float) -> None:
    with pytest.raises(UsageError, match="dropout"):
        TimeDropout(p)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"threshold": 0.0}, "above 0"),
        ({"threshold": math.inf}, "threshold=inf"),
        ({"alpha": -1.0}, "above 0"),
        ({"alpha": math.nan}, "alpha=nan"),
        ({"channels": 0}, "0 channels"),
        ({"affine": False}, r"affine=False\n.*\n.*requires_grad_\(False\)"),
    ],
)
def test_tdbn_refuses(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        TdBatchNorm(**{"channels": 3, **options})
