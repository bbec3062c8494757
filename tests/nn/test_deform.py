"""Deformable convolution: a plain one where nothing is shifted, derivatives, whole shifts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

import spikec
from spikec.errors import DataError, UnsupportedModel, UsageError
from spikec.ir import Array, Stage
from spikec.ir.dims import Sizes
from spikec.nn import DeformConv2d


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": (2, 1), "padding": (0, 2), "dilation": (2, 1), "groups": 2},
        {"groups": 2, "offset_groups": 4, "bias": False},
    ],
)
def test_without_shifts_it_is_a_convolution(options: dict[str, Any]) -> None:
    conv, x = DeformConv2d(4, 6, (3, 2), **options).double(), drawn(2, 4, 9, 8)
    known = {k: v for k, v in options.items() if k not in ("offset_groups", "bias")}
    wanted = F.conv2d(x, conv.weight, conv.bias, **known)
    groups = options.get("offset_groups", 1)
    offset = torch.zeros(2, 12 * groups, *wanted.shape[-2:], dtype=torch.float64)
    torch.testing.assert_close(conv(x, offset), wanted)
    half = torch.full_like(offset[:, : 6 * groups], 0.5)
    bias = 0 if conv.bias is None else conv.bias.reshape(-1, 1, 1)
    torch.testing.assert_close(conv(x, offset, half), (wanted - bias) / 2 + bias)


def test_whole_shifts_move_the_image() -> None:
    conv, x = DeformConv2d(2, 3, 1).double(), drawn(1, 2, 6, 5)
    offset = torch.zeros(1, 2, 6, 5, dtype=torch.float64)
    offset[:, 0], offset[:, 1] = 1, -2
    moved = F.pad(x, (2, 0, 0, 1))[..., 1:, :-2]
    torch.testing.assert_close(conv(x, offset), F.conv2d(moved, conv.weight, conv.bias))


def test_derivatives_are_those_of_differences() -> None:
    conv, x = DeformConv2d(2, 3, 3, padding=1, offset_groups=2).double(), drawn(1, 2, 4, 5)
    offset, mask = drawn(1, 36, 4, 5, seed=1) * 2, drawn(1, 18, 4, 5, seed=2)
    given = tuple(t.requires_grad_() for t in (x, offset, mask))
    assert torch.autograd.gradcheck(conv, given)


def test_shifts_that_begin_at_0_have_a_derivative() -> None:
    """To the right, as any other place between two pixels."""
    conv, x = DeformConv2d(2, 3, 3, padding=1).double(), drawn(1, 2, 5, 5)
    offset = torch.zeros(1, 18, 5, 5, dtype=torch.float64, requires_grad=True)
    conv(x, offset).square().sum().backward()
    step = 1e-6
    moved = torch.zeros_like(offset)
    moved.data[0, 4, 2, 3] = step
    with torch.no_grad():
        change = conv(x, moved).square().sum() - conv(x, torch.zeros_like(moved)).square().sum()
    assert offset.grad is not None
    assert float(offset.grad[0, 4, 2, 3]) == pytest.approx(float(change / step), rel=1e-3)


@pytest.mark.parametrize("groups", [{"groups": 3}, {"offset_groups": 3}])
def test_channels_that_groups_do_not_divide_are_refused(groups: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="channels that the groups divide"):
        DeformConv2d(4, 6, 3, **groups)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"groups": 0}, "0 groups"),
        ({"kernel": 0}, r"a kernel of \[0, 0\]"),
        ({"stride": 0}, r"a stride of \[0, 0\]"),
        ({"padding": -1}, r"a padding of \[-1, -1\]"),
    ],
)
def test_convolutions_that_are_none_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        DeformConv2d(4, 4, **{"kernel": 3, **options})


def test_offsets_of_other_places_are_refused() -> None:
    layer, x = DeformConv2d(4, 4, 3, padding=1), torch.zeros(2, 4, 5, 5)
    with pytest.raises(DataError, match=r"offsets of shape \[2, 18, 7, 9\]"):
        layer(x, torch.zeros(2, 18, 7, 9))
    with pytest.raises(DataError, match=r"a mask of shape \[2, 9, 7, 9\]"):
        layer(x, torch.zeros(2, 18, 5, 5), torch.zeros(2, 9, 7, 9))
    assert layer(x[:0], torch.zeros(0, 18, 5, 5)).shape == (0, 4, 5, 5)


@pytest.mark.parametrize("far", [np.nan, np.inf, -np.inf, 1e30])
def test_offsets_that_are_no_places_do_not_crash(far: float) -> None:
    torch.manual_seed(0)
    layer = DeformConv2d(2, 3, 1, bias=False)
    x, offset = torch.randn(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    offset[0, 0, 1, 2] = far
    op = replace(layer.op, weight=Array(layer.weight.detach().numpy()))
    with torch.no_grad():
        found = layer(x, offset).numpy()
    with np.errstate(invalid="ignore"):
        (wanted,) = op.run((x.numpy(), offset.numpy()), Sizes(1, 1))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    plain = torch.einsum("nchw,oc->nohw", x, layer.weight[:, :, 0, 0]).detach().numpy()
    there = np.ones((4, 4), bool)
    there[1, 2] = False
    np.testing.assert_allclose(found[..., there], plain[..., there], rtol=1e-5)


def test_an_analog_network_with_them_stays_one() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shifts, self.layer = nn.Conv2d(2, 18, 3, padding=1), DeformConv2d(2, 3, 3, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.layer(x, self.shifts(x)))

    x = torch.randn(2, 2, 5, 5)
    graph = spikec.import_model(Net(), x)
    assert graph.stage is Stage.ANALOG
    with pytest.raises(UnsupportedModel, match="DeformConv"):
        spikec.convert(graph, x, 8, "rate")
