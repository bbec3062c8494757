"""Derivatives of a graph are those of the same network in PyTorch, or of the clipped line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import spikec
from spikec.errors import UnsupportedModel
from spikec.ir import Array, B, Editor, Graph, TensorType, ops
from spikec.runtime.gradient import Parameters, check_gradients, forward
from tests.passes.helpers import random_net
from tests.pipeline.kinds_of_nets import KINDS


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3, padding=1, stride=2), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 4, 3, padding=1, groups=2), nn.LeakyReLU(0.1), nn.Flatten()),
        nn.Linear(16, 5),
    )


class Erf(nn.Module):
    """torch has no module of it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply it."""
        return torch.erf(x)


def curved() -> nn.Module:
    """Give a network of smooth functions."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(2, 3, 3, stride=3), nn.GELU(), nn.Flatten(), nn.Linear(12, 5)),
        *(nn.GELU(approximate="tanh"), nn.Linear(5, 5), Erf(), nn.Linear(5, 3), nn.Sigmoid()),
    )


def learned(graph: Graph) -> Parameters:
    affine = [n.op for n in graph if isinstance(n.op, ops.Linear | ops.Conv)]
    return Parameters(a for op in affine for a in (op.weight, op.bias) if a is not None)


@pytest.mark.parametrize("build", [network, curved])
def test_derivatives_are_those_of_pytorch(build: Callable[[], nn.Module]) -> None:
    net, x = build(), 3 * torch.randn(7, 2, 8, 8)  # where both GELUs differ
    graph = spikec.import_model(net, x)
    parameters = learned(graph)
    found = forward(graph, {graph.inputs[0].name: x}, parameters)
    (found[graph.outputs[0].inputs[0]] ** 2).sum().backward()  # type: ignore[no-untyped-call]  # torch declares none
    (net(x) ** 2).sum().backward()
    pairs = list(zip(parameters.learned, net.parameters(), strict=True))
    assert len(pairs) >= 6
    for (_, ours), theirs in pairs:
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_values_are_those_of_the_engines(seed: int) -> None:
    graph = random_net(seed)
    check_runs(graph)


@pytest.mark.parametrize("build", KINDS.values(), ids=KINDS.keys())
def test_values_of_other_kinds_too(build: object) -> None:
    assert callable(build)
    check_runs(build())


def check_runs(graph: Graph) -> None:
    inputs = spikec.testing.random_inputs(graph, batch=3, seed=1)
    check_gradients(graph)
    found = forward(graph, {n: torch.from_numpy(x) for n, x in inputs.items()}, learned(graph))
    wanted = spikec.runtime.run(graph, inputs, "reference")
    arrays = wanted if isinstance(wanted, tuple) else (wanted,)
    for node, array in zip(graph.outputs, arrays, strict=True):
        np.testing.assert_allclose(
            found[node.inputs[0]].detach().numpy(), array, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("low", [0, -3])
def test_a_quantiser_has_the_derivative_of_its_clipped_line(low: int) -> None:
    step = Array(np.float32(0.5))
    edit = Editor(Graph("quantiser"), by="test")
    y = edit.add(ops.QuantReLU(step, 4, None, low), edit.input("x", TensorType((B,))))
    edit.output("y", y)
    x = torch.tensor([-9.0, -0.7, 0.3, 1.1, 1.9, 9.0], requires_grad=True)
    parameters = Parameters([step])
    result = forward(edit.graph, {"x": x}, parameters)[y]
    counts = np.clip(np.floor(x.detach().numpy() / 0.5 + 0.5), low, 4)
    np.testing.assert_array_equal(result.detach().numpy(), 0.5 * counts)
    result.sum().backward()  # type: ignore[no-untyped-call]  # torch declares none
    inside = (x.detach() / 0.5 >= low) & (x.detach() / 0.5 <= 4)
    torch.testing.assert_close(x.grad, inside.float())
    wanted = torch.where(inside, torch.from_numpy(counts) - x.detach() / 0.5, torch.tensor(counts))
    torch.testing.assert_close(parameters.learned[0][1].grad, wanted.sum().float())


def test_what_has_no_derivative_is_named() -> None:
    edit = Editor(Graph("odd"), by="test")
    x = edit.input("x", TensorType((B, 3)))
    edit.output("y", edit.add(ops.Round(), edit.add(ops.Floor(), x)))
    with pytest.raises(UnsupportedModel, match=r"Floor has no derivative(.|\n)*Round has no"):
        check_gradients(edit.graph)
