"""The analog twin of a spiking network does the same layers once, on numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import spikec
from spikec.energy.count import count_static
from spikec.energy.counts import total
from spikec.energy.twin import analog_twin
from spikec.errors import UnsupportedModel
from spikec.ir import B, Editor, Graph, Stage, T, TensorType, ops
from spikec.nn import IF, Direct, MeanReadout, Stepwise
from spikec.runtime import run
from spikec.zoo import build


def test_an_analog_graph_is_its_own_twin() -> None:
    graph = spikec.import_model(nn.Linear(3, 2), torch.zeros(2, 3))
    assert analog_twin(graph) is graph


def test_the_twin_of_dct_snn_is_the_network_that_it_came_of() -> None:
    options = {"size": (12, 12), "width": 1 / 16, "classes": 4}
    x = torch.randn(4, 1, 12, 12)
    net, analog = build("dct_vgg5", **options, steps=4), build("dct_vgg5", **options).eval()
    net.calibrate(x)  # type: ignore[operator]
    program = spikec.convert(net.eval(), x, 4)
    ours = total(row.work.counts for row in count_static(analog_twin(program.reference)))
    theirs = total(row.work.counts for row in count_static(spikec.import_model(analog, x)))
    assert ours.macs == theirs.macs > 0


def test_it_computes_what_the_layers_do_without_time() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(1, 3, 3), nn.Linear(12, 4)
    net = nn.Sequential(
        *(Direct(3), Stepwise(first), IF(), Stepwise(nn.Flatten(), second), MeanReadout())
    )
    x = torch.randn(5, 1, 4, 4)
    twin = analog_twin(spikec.convert(net.eval(), x, 3).graph)
    with torch.no_grad():
        wanted = second(torch.relu(first(x)).flatten(1)).numpy()
    np.testing.assert_allclose(run(twin, x), wanted, rtol=1e-5, atol=1e-6)
    assert twin.stage is Stage.ANALOG


def test_what_has_no_twin_is_named() -> None:
    edit = Editor(Graph("net", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 4)))
    low, high = edit.add_node(ops.Haar(-3), (x,), name="wave").outputs
    edit.output("low", low)
    edit.output("high", high)
    with pytest.raises(UnsupportedModel, match="%wave = Haar"):
        analog_twin(edit.graph)
