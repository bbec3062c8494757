"""Eager, compiled, exported and imported: the same events and the same gradients."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikec
from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Stage
from spikec.nn import IF, Direct, GivesTime, Stepwise, steps
from spikec.nn.library import OPERATORS
from spikec.runtime import trace
from spikec.runtime.bptt import Network
from spikec.runtime.bptt.neurons import Setting
from spikec.runtime.gradient import Parameters
from spikec.runtime.surrogate import surrogate_from
from tests.nn.modules import ENCODERS, EVERY, STEPS, Convolved, example, operators


def backward(run: Callable[[Tensor], Tensor], model: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, and gradients of the input and of every parameter."""
    x = x.clone().requires_grad_()
    model.zero_grad()
    y = run(x)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    if y.requires_grad:
        (y * weights).sum().backward()  # type: ignore[no-untyped-call]
    inputs = [x, *model.parameters()]
    grads = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in inputs]
    return [y.detach(), *grads]


@pytest.mark.parametrize("name", EVERY)
def test_compiled_equals_eager(name: str) -> None:
    model = Convolved(name).double().eval()
    x = example(name, torch.float64)
    eager = backward(model, model, x)
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for ours, theirs in zip(backward(compiled, model, x), eager, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", EVERY)
def test_exported_equals_eager(name: str) -> None:
    model = Convolved(name).double().eval()
    x = example(name, torch.float64)
    program = torch.export.export(model, (x,))
    assert operators(program)
    exported = program.module()
    for ours, theirs in zip(
        backward(exported, exported, x), backward(model, model, x), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("count", [STEPS, 12])
@pytest.mark.parametrize("name", EVERY)
def test_imported_equals_eager(name: str, count: int) -> None:
    model = Convolved(name).double().eval()
    x = example(name, torch.float64)
    still = name in ENCODERS
    graph = spikec.import_model(model, x, time_axis=None if still else 0)
    assert graph.stage is Stage.SPIKING
    more = x if still else x.repeat(count // STEPS, 1, 1, 1, 1)
    with steps(model, count), torch.no_grad():
        wanted = model(more).numpy()
    for engine in ("reference", "layerwise"):
        given = trace(graph, more.numpy(), engine, dtype="float64", steps=count if still else None)
        np.testing.assert_allclose(given.outputs[0], wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [n for n in EVERY if n not in ENCODERS and n != "delta"])
def test_the_gradients_of_an_imported_graph_are_those_of_the_module(name: str) -> None:
    model = Convolved(name).double().eval()
    x = example(name, torch.float64)
    graph = spikec.import_model(model, x, time_axis=0)
    surrogate = surrogate_from(getattr(model.inner, "surrogate", "triangle"))
    detached = getattr(model.inner, "detached", False)
    constants = Parameters(dtype=np.dtype(np.float64))
    network = Network(graph, Setting(constants, surrogate, detached))
    (key,) = (node.name for node in graph.inputs)
    ours = backward(lambda x: network.outputs({key: x}, len(x)), model, x)[:2]
    for a, b in zip(ours, backward(model, model, x)[:2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_every_operator_is_reached() -> None:
    reached: set[str] = set()
    for name in EVERY:
        model = Convolved(name).eval()
        reached |= operators(torch.export.export(model, (example(name),)))
    assert reached == {f"spikec.{one.name}.default" for one in OPERATORS.values()}


@pytest.mark.parametrize("name", ["plif", "dct", "poisson", "delta", "phase"])
def test_torch_finds_nothing_wrong(name: str) -> None:
    """``opcheck``: schema, fake kernel, autograd registration, ahead-of-time dispatch."""
    model = Convolved(name).eval()
    x = example(name)
    program = torch.export.export(model, (x,))
    calls: list[tuple[Any, tuple[Any, ...]]] = []

    class Caught(torch.fx.Interpreter):
        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if "spikec" in str(target):
                calls.append((target, args))
            return super().call_function(target, args, kwargs)

    module = program.module()
    assert isinstance(module, torch.fx.GraphModule)
    with torch.no_grad():
        Caught(module).run(x)
    assert calls
    for target, args in calls:
        copies = tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in args)
        torch.library.opcheck(target, copies)


@pytest.mark.parametrize("name", EVERY)
def test_modules_are_copied_and_pickled(name: str) -> None:
    model, x = Convolved(name).eval(), example(name)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x), model(x))
        with torch.no_grad():
            other.scale.add_(1)
        assert not torch.equal(other.scale, model.scale)


def test_steps_of_an_encoder_are_those_asked_for() -> None:
    x = torch.zeros(2, 3)
    encoder = Direct(4)
    assert encoder(x).shape[0] == 4
    with steps(encoder, 9):
        assert encoder(x).shape[0] == 9
    assert encoder(x).shape[0] == 4


def test_a_module_is_as_it_was_behind_an_import() -> None:
    model = Convolved("direct").eval()
    before = model.forward
    spikec.import_model(model, example("direct"))
    assert model.forward == before
    assert isinstance(model.inner, GivesTime)
    assert model(example("direct")).shape[0] == STEPS


def test_a_program_with_a_fixed_number_of_steps_is_refused() -> None:
    program = torch.export.export(Convolved("direct").eval(), (example("direct"),))
    with pytest.raises(UnsupportedModel, match="makes 6 steps, whatever"):
        spikec.import_model(program)


def test_a_second_axis_that_varies_names_time() -> None:
    x = example("if")
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time")
    model = Convolved("if").eval()
    program = torch.export.export(model, (x,), dynamic_shapes=({0: time, 1: batch},))
    with pytest.raises(UnsupportedModel, match="time_axis=0"):
        spikec.import_model(program)
    assert spikec.import_model(program, time_axis=0).stage is Stage.SPIKING


class Reduced(nn.Module):
    """A reduction over time behind neurons."""

    def __init__(self, how: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = nn.Sequential(Direct(4), Stepwise(nn.Linear(3, 5)), IF(0.3))
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        return self.how(self.layers(x))


@pytest.mark.parametrize(
    ("how", "op"),
    [
        (lambda y: y.mean(0), "MeanOverTime"),
        (lambda y: y.sum(dim=0), "SumOverTime"),
        (lambda y: y[-1], "LastStep"),
        (lambda y: y.mean(0, keepdim=True)[0], "ReduceMean"),
        (lambda y: y.amax(0), "ReduceMax"),
        (lambda y: y.mean((0, 2)), "ReduceMean"),
    ],
)
def test_reductions_over_time(how: Callable[[Tensor], Tensor], op: str) -> None:
    model = Reduced(how).double().eval()
    x = torch.randn(6, 3, dtype=torch.float64)
    graph = spikec.import_model(model, x)
    assert op in {type(node.op).__name__ for node in graph}
    with steps(model, 7), torch.no_grad():
        wanted = model(x).numpy()
    given = trace(graph, x.numpy(), "layerwise", dtype="float64", steps=7).outputs[0]
    np.testing.assert_allclose(given, wanted, rtol=1e-12, atol=1e-14)
    program = spikec.convert(graph, x.numpy().astype(np.float32), 7)
    last = program.run(x.numpy().astype(np.float32)).output
    np.testing.assert_allclose(last.reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda y: y[0], "whose size T is the number of steps"),
        (lambda y: y * y.shape[0], "computes with the number of steps"),
        (lambda y: y[1:].sum(0), "a size that is 2 at 2, 4 at 3"),
    ],
)
def test_what_depends_on_the_number_of_steps_is_refused(
    how: Callable[[Tensor], Tensor], told: str
) -> None:
    with pytest.raises(UnsupportedModel, match=told):
        spikec.import_model(Reduced(how).eval(), torch.randn(6, 3))


def test_places_are_in_the_users_source() -> None:
    graph = spikec.import_model(Reduced(lambda y: y[-1]).eval(), torch.randn(6, 3))
    neuron = next(node for node in graph if node.fires)
    assert "layers.2" in str(neuron.location)
    assert "test_operators.py" in str(neuron.location)
    assert not any("spikec/nn" in str(node.location) for node in graph)


def test_layers_of_trained_networks_are_not_diagnosed() -> None:
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    program = spikec.convert(Reduced(lambda y: y[-1]).eval(), x, 5)
    with pytest.raises(UsageError, match="trained spiking has no analog"):
        program.diagnose(x)
