"""Steps and samples stand apart, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import spikec
from spikec.ir import B, Editor, Graph, Stage, T, TensorType, ops
from spikec.nn import IF, LIF, Direct, MeanReadout, Stepwise, TdBatchNorm
from spikec.passes.split_time import MERGED, is_merged
from spikec.runtime import run
from tests.passes.helpers import applied


class Net(nn.Module):
    """Layers of several kinds, each step alone."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = Direct(4)
        self.first = Stepwise(nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.AvgPool2d(2))
        self.norm, self.fire = TdBatchNorm(4), LIF(0.5, leak=0.9)
        self.second = Stepwise(nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Flatten(), nn.ReLU())
        self.third, self.again = Stepwise(nn.Linear(16, 5)), IF(0.3)
        self.read = MeanReadout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.fire(self.norm(self.first(self.encode(x))))
        y = self.again(self.third(self.second(y)))
        z: torch.Tensor = self.read(y)
        return z


def merged_values(graph: Graph) -> list[str]:
    return [v.name for node in graph for v in node.outputs if is_merged(v.type.dims)]


@pytest.fixture(scope="module")
def graph() -> Graph:
    torch.manual_seed(0)
    net = Net().train()
    x = torch.randn(6, 2, 8, 8)
    net(x)  # statistics of the normalisation
    return spikec.import_model(net.eval(), x)


def test_nothing_stays_merged(graph: Graph) -> None:
    assert merged_values(graph)
    split = applied("split-time", graph)
    assert merged_values(split) == []
    assert not any(isinstance(n.op, ops.Reshape) and n.op.dims[0] == MERGED for n in split)
    x = np.random.default_rng(0).normal(size=(3, 2, 8, 8)).astype(np.float32)
    for steps in (1, 7):
        before, after = (run(g, x, steps=steps) for g in (graph, split))
        np.testing.assert_array_equal(after, before)


def test_its_result_stays_what_it_is(graph: Graph) -> None:
    once = applied("split-time", graph)
    twice = applied("split-time", once)
    assert [n.name for n in once] == [n.name for n in twice]


def test_normalisation_folds_behind_it(graph: Graph) -> None:
    program = spikec.convert(graph, None, 5)
    kinds = {type(node.op).__name__ for node in program.graph}
    assert "BatchNorm" not in kinds
    assert merged_values(program.graph) == []


def test_what_needs_them_merged_keeps_them() -> None:
    """A sum over steps and samples is none of each step."""
    edit = Editor(Graph("net", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 3)))
    flat = edit.add(ops.Reshape((T * B, 3)), x)
    back = edit.add(ops.Reshape((T, B, 3)), edit.add(ops.Softmax(-2), flat))
    edit.output("y", back)
    graph = edit.graph
    x_ = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    split = applied("split-time", graph)
    np.testing.assert_array_equal(run(split, x_), run(graph, x_))
