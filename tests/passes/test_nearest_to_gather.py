"""nearest-to-gather: the same pixels, by moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import spikec
from spikec.ir import ops
from spikec.runtime import run
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, applied, calibration, kinds

MODES = {
    "twice": nn.Upsample(scale_factor=2, mode="nearest"),
    "uneven": nn.Upsample(size=(7, 9), mode="nearest"),
    "smaller": nn.Upsample(size=(2, 3), mode="nearest"),
    "exact": nn.Upsample(size=(7, 5), mode="nearest-exact"),
}


def imported(module: nn.Module) -> spikec.ir.Graph:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), module, nn.Conv2d(3, 2, 2), nn.Flatten())
    return spikec.import_model(net.eval(), torch.zeros(2, 2, 5, 6))


def test_golden(golden: Golden) -> None:
    net = Net(1, 2, 2)
    up = ops.Resize((4, 2), (2.0, 1.0), ops.resize.Interpolation.NEAREST)
    graph = net.done(net.edit.add(up, net.x))
    golden("nearest_to_gather", graph, applied("nearest-to-gather", graph))


@pytest.mark.parametrize("mode", MODES)
def test_every_pixel_stays_where_it_was(mode: str) -> None:
    graph = imported(MODES[mode])
    moved = applied("nearest-to-gather", graph)
    assert "Resize" not in kinds(moved)
    data = calibration(graph, 5)
    assert np.array_equal(np.asarray(run(graph, data)), np.asarray(run(moved, data)))


def test_interpolation_stays() -> None:
    graph = imported(nn.Upsample(scale_factor=2, mode="bilinear"))
    assert "Resize" in kinds(applied("nearest-to-gather", graph))


@pytest.mark.parametrize("mode", MODES)
def test_lossless_equals_its_quantised_network_behind_it(mode: str) -> None:
    graph = imported(MODES[mode])
    program = spikec.convert(graph, calibration(graph, 32), 16, "lossless")
    data = calibration(graph, 8)
    assert program.quantised is not None
    wanted = np.asarray(run(program.quantised, data))
    assert np.array_equal(np.asarray(run(program.graph, data, steps=16))[-1], wanted)
