"""A verification finds one wrong event, tells ties from differences, and names the place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikec
from spikec.artifact import Recorded
from spikec.errors import UsageError
from spikec.ir import Array, Editor, Graph, Stage, TensorType, ops
from spikec.ir.dims import B
from spikec.nn import IF, Direct, haar
from spikec.runtime import trace
from spikec.verification import Case, Check, compare, severed
from tests.passes.helpers import calibration, random_net

LABEL = ("toy", "one")


@pytest.fixture(scope="module")
def case() -> Case:
    graph = random_net(3)
    program = spikec.convert(graph, calibration(graph), 8, "rate")
    return Case(program.graph, program.inputs(calibration(graph, 4, seed=1)), 8, 4)


def recorded(case: Case, dtype: str = "float32") -> Recorded:
    names = [node.name for node in case.neurons]
    seen = trace(case.graph, case.inputs, "reference", record=names, steps=8, dtype=dtype)
    outputs = dict(zip((n.name for n in case.graph.outputs), seen.outputs, strict=True))
    return Recorded(outputs, seen.values, "the reference engine")


def changed(case: Case, change: Callable[[np.ndarray], None], layer: int) -> Check:
    """Compare a record with one layer's train changed."""
    run = recorded(case)
    name = case.neurons[layer].name
    train = run.spikes[name].copy()
    change(train)
    return compare(case, replace(run, spikes={**run.spikes, name: train}), LABEL)


def test_equal_runs_are_equal(case: Case) -> None:
    found = compare(case, recorded(case), LABEL)
    assert found.ok
    assert (found.compared.unequal, found.compared.ties) == (0, 0)
    assert found.compared.entries == sum(t.size for t in recorded(case).spikes.values())
    assert (found.compared.samples, found.compared.steps) == (4, 8)


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_one_wrong_event_is_found_where_it_is(case: Case, layer: int) -> None:
    def flip(train: np.ndarray) -> None:
        train[5, 2].flat[7 % train[5, 2].size] = 40.0  # no neuron here sends that

    found = changed(case, flip, layer)
    assert not found.ok
    first = found.first_difference
    assert first is not None
    assert (first.step, first.layer, first.neuron[0]) == (6, case.neurons[layer].name, 2)
    assert first.found == 40.0
    assert first.layer in str(found)


def test_a_missing_train_of_a_whole_layer_is_found(case: Case) -> None:
    found = changed(case, lambda train: train.fill(0.0), 0)
    assert not found.ok
    assert found.first_difference is not None
    assert found.first_difference.layer == case.neurons[0].name


def test_a_wrong_output_is_found(case: Case) -> None:
    run = recorded(case)
    name = case.graph.outputs[0].name
    output = run.outputs[name].copy()
    output[3, 1, 2] += 1.0
    found = compare(case, replace(run, outputs={**run.outputs, name: output}), LABEL)
    assert found.first_difference is not None
    assert (found.first_difference.step, found.first_difference.layer) == (4, name)
    assert found.first_difference.neuron == (1, 2)


def on_the_edge(start: float, offset: float) -> tuple[Case, Recorded]:
    """Inputs of ``start`` against a threshold of 1; in the record they are moved by ``offset``."""
    edit = Editor(Graph("edge", Stage.SPIKING), by="test")
    current = edit.add(ops.Repeat(), edit.input("x", TensorType((B, 2))))
    one = Array(np.float32(1))
    events = edit.add(ops.IntegrateFire(one), current, name="first")
    behind = edit.add(ops.Linear(Array(np.array([[0.7, 0.1]], np.float32))), events)
    last = edit.add(ops.IntegrateFire(one), behind, name="second")
    edit.output("y", edit.add(ops.MeanReadout(), last))
    x = np.array([[start, 0.3]], np.float32)
    case = Case(edit.graph, {"x": x}, 8, len(x))
    moved = Case(edit.graph, {"x": x + np.float32(offset)}, 8, len(x))
    return case, recorded(moved)


def test_a_tie_and_all_that_follows_from_it_is_no_difference() -> None:
    case, run = on_the_edge(0.5, -1e-6)
    found = compare(case, run, LABEL)
    assert found.compared.unequal > found.compared.ties > 0
    assert found.ok
    assert "ties within 0.0001 thresholds" in str(found)


def test_what_is_farther_from_the_threshold_than_a_tie_is_a_difference() -> None:
    case, run = on_the_edge(0.499, 1e-3)
    found = compare(case, run, LABEL)
    assert not found.ok
    assert found.first_difference is not None
    assert (found.first_difference.step, found.first_difference.layer) == (2, "first")
    assert (found.first_difference.expected, found.first_difference.found) == (0.0, 1.0)


def test_a_graph_cut_at_its_neurons_gives_their_currents(case: Case) -> None:
    run = recorded(case)
    cut, names = severed(case.graph)
    given = {**case.inputs, **run.spikes}
    seen = trace(cut, given, "reference", record=(), steps=8)
    values = dict(zip((node.name for node in cut.outputs), seen.outputs, strict=True))
    operands = [node.inputs[0].name for node in case.neurons]
    whole = trace(case.graph, case.inputs, "reference", record=operands, steps=8).values
    for node, operand in zip(case.neurons, operands, strict=True):
        assert np.array_equal(values[names[node.name]], whole[operand])


def test_an_export_of_another_program_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    graph = random_net(3)
    data = calibration(graph)
    made = [spikec.convert(graph, data, steps, "graded") for steps in (2, 4)]
    artifact = made[0].export("onnx_graph", tmp_path_factory.mktemp("out") / "net")
    with pytest.raises(UsageError, match="in 2 steps"):
        made[1].verify("onnx_graph", data, artifact)


class Halving(nn.Module):
    """Neurons at all steps, at half of them, and at a quarter."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.first, self.second, self.third = Direct(8), IF(0.7), IF(0.8), IF(0.6)

    def forward(self, x: Tensor) -> Tensor:
        low, _ = haar(self.first(self.encoder(x)), 0)
        low, _ = haar(self.second(low), 0)
        y: Tensor = self.third(low).mean(0)
        return y


@pytest.mark.parametrize(("layer", "step"), [(0, 5), (1, 3), (2, 1)])
def test_wrong_events_of_any_rate_are_found(layer: int, step: int) -> None:
    x = np.random.default_rng(0).random((6, 5)).astype(np.float32)
    program = spikec.convert(spikec.import_model(Halving(), torch.from_numpy(x)), x, 8)
    case = Case.of(program.graph, {"x": x}, 8)

    def flip(train: np.ndarray) -> None:
        train[step, 4, 2] = 9.0

    found = changed(case, flip, layer)
    assert found.compared.unequal == 1
    assert found.first_difference is not None
    name = case.neurons[layer].name
    assert (found.first_difference.layer, found.first_difference.step) == (name, step + 1)
