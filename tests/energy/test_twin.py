"""The analog twin of a spiking network does the same layers once, on numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikec
from spikec.energy.count import count_static
from spikec.energy.counts import total
from spikec.energy.twin import analog_twin
from spikec.errors import UnsupportedModel
from spikec.ir import B, Editor, Graph, Stage, T, TensorType, ops
from spikec.nn import IF, Direct, MeanReadout, Stepwise, and_over_time, haar, haar_inverse
from spikec.runtime import run
from spikec.zoo import build

FIRE = IF(0.4)


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


class Wavelet(nn.Module):
    """Neurons around a wavelet over time, and bits at the end."""

    steps_multiple = 2

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.first, self.second = Direct(4), nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor, fire: Callable[[Tensor], Tensor] = FIRE) -> Tensor:
        low, high = haar(fire(self.first(self.encoder(x))), 0)
        y = fire(self.second(haar_inverse(low, high * 2, 0)))
        return and_over_time(y) if fire is FIRE else y.amin(0)


def test_layers_that_mix_steps_have_a_twin_with_all_steps() -> None:
    torch.manual_seed(0)
    net, x = Wavelet(), torch.randn(6, 3)
    program = spikec.convert(net.eval(), x, 4)
    twin = analog_twin(program.graph)
    with torch.no_grad():
        wanted = net(x, torch.relu).numpy()
    np.testing.assert_allclose(run(twin, x, steps=4), wanted, rtol=1e-5, atol=1e-6)
    counts = total(row.work.counts for row in count_static(twin, 4))
    wavelets = 2 * 4 * 5
    assert counts.macs == 4 * (3 * 5 + 5 * 2) + wavelets + 4 * 5 // 2  # and the factor of a band
    theirs = program.energy(x).baselines[0].counts
    assert theirs.macs == counts.macs


def test_what_has_no_twin_is_named() -> None:
    edit = Editor(Graph("net", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 4)))
    edit.output("y", edit.add(ops.Permute((-2, -3, -1)), x, name="turned"))
    with pytest.raises(UnsupportedModel, match="%turned = Permute"):
        analog_twin(edit.graph)
