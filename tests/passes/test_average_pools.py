"""average-pools puts means in the place of maxima, where somebody asks for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import spikec
from spikec.ir import Op, ops
from spikec.pipeline import Approximately
from spikec.pipeline.recipes import RECIPES
from spikec.runtime import run
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, applied, calibration, kinds, passes

POOL = ops.MaxPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1))


def test_golden(golden: Golden) -> None:
    net = Net(1, 4, 4)
    graph = net.done(net.edit.add(POOL, net.relu(net.x)))
    golden("average_pools", graph, applied("average-pools", graph))


@pytest.mark.parametrize(
    ("pool", "twin"),
    [
        (nn.MaxPool2d(2), nn.AvgPool2d(2)),
        (nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
        (
            nn.MaxPool2d(3, 2, 1, ceil_mode=True),
            nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        ),
        (nn.AdaptiveMaxPool2d((2, 3)), nn.AdaptiveAvgPool2d((2, 3))),
    ],
    ids=["plain", "padded", "ceil", "adaptive"],
)
def test_the_result_is_pytorch_s_average_pool(pool: nn.Module, twin: nn.Module) -> None:
    x = torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    graph = applied("average-pools", spikec.import_model(nn.Sequential(nn.ReLU(), pool), x))
    wanted = twin(torch.relu(x)).numpy()
    assert np.allclose(np.asarray(run(graph, x.numpy())), wanted, rtol=1e-6, atol=1e-6)


def test_a_dilated_window_is_averaged_where_it_looks() -> None:
    net = Net(1, 5, 5)
    graph = net.done(net.edit.add(ops.MaxPool((2, 2), (1, 1), ((0, 0),) * 2, (2, 2)), net.x))
    x = calibration(graph, 3)["x"]
    corners = [x[..., i : i + 3, j : j + 3] for i in (0, 2) for j in (0, 2)]
    found = np.asarray(run(applied("average-pools", graph), x))
    assert np.allclose(found, np.mean(corners, axis=0), atol=1e-6)


@pytest.mark.parametrize("op", [ops.ReduceMax((-3,), True), ops.ReLU()])
def test_other_maxima_stay(op: Op) -> None:
    net = Net(2, 4, 4)
    graph = net.done(net.edit.add(op, net.x))
    assert applied("average-pools", graph) == graph


def test_it_says_that_it_changes_the_results() -> None:
    (one,) = passes("average-pools")
    assert isinstance(one.promise, Approximately)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_average_on_request_only(name: str) -> None:
    recipe = RECIPES[name]
    assert "average-pools" not in recipe().pipeline(8)
    asked = recipe(average_pools=True).pipeline(8)
    assert asked.index("keep-reference") < asked.index("average-pools") < asked.index("thresholds")
    assert "pool-before-activation" not in asked


def test_a_program_is_compared_with_the_network_as_it_was() -> None:
    torch.manual_seed(0)
    layers = (nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))
    model = nn.Sequential(*layers).eval()
    x = np.random.default_rng(0).normal(size=(64, 2, 6, 6)).astype(np.float32)
    program = spikec.convert(model, x, 8, "graded{average-pools=true}")
    assert "AvgPool" in kinds(program.graph)
    assert "CumulativeSum" not in kinds(program.graph)
    wanted = model(torch.from_numpy(x)).detach().numpy()
    assert np.allclose(np.asarray(run(program.reference, x)), wanted, atol=1e-5)
    (drift,) = [p["deviation"] for p in program.record["passes"] if p["text"] == "average-pools"]
    assert drift > 0.01  # and what it costs is on record
