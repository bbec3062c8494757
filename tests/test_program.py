"""From a model to a program, on digits: every recipe, saved and loaded, measured, and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from torch import nn

import spikec
from spikec.errors import BadFile, DataError, SpikecError, UnsupportedModel, UsageError
from spikec.ir import Array, B, Editor, Graph, TensorType, ops, store
from tests.passes.helpers import Net, mlp
from tests.recipes import SPIKING

STEPS = {
    "percentile": 64,
    "balanced": 64,
    "rate": 16,
    "signed": 16,
    "phased": 8,
    "graded": 4,
    "lossless": 24,
    "few-spikes": 6,
    "differential": 8,
    "sigma-delta": 4,
    "quantised": 1,
}
WORST = {"percentile": 5.0}
"""points that a recipe may lose here; 1.5 where nothing is said"""


@pytest.fixture(scope="module")
def digits() -> tuple[Graph, np.ndarray, np.ndarray]:
    """A network that knows digits, with pixels of 0..16."""
    x, y = load_digits(return_X_y=True)
    net = MLPClassifier((32, 24), random_state=0, max_iter=60, tol=1e-2, n_iter_no_change=60)
    with np.errstate(all="ignore"), pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        net.fit(x[:1200] / 16, y[:1200])
    edit = Editor(Graph("digits"), by="test")
    value = edit.input("image", TensorType((B, 64)))
    for i, (weight, bias) in enumerate(zip(net.coefs_, net.intercepts_, strict=True)):
        value = edit.add(ops.ReLU(), value) if i else value
        linear = ops.Linear(Array(weight.T.copy(), "float32"), Array(bias, "float32"))
        value = edit.add(linear, value)
    edit.output("logits", value)
    return edit.graph, x.astype(np.float32), y


def program_of(digits: tuple[Graph, np.ndarray, np.ndarray], recipe: str) -> spikec.Program:
    graph, x, _ = digits
    settings = spikec.Preprocess(scale=1 / 16)
    return spikec.convert(graph, x[:300], STEPS[recipe], recipe, preprocess=settings)


def test_every_recipe_is_tried() -> None:
    assert set(STEPS) == set(spikec.recipes())


@pytest.mark.parametrize("recipe", STEPS)
def test_every_recipe_keeps_the_accuracy(
    digits: tuple[Graph, np.ndarray, np.ndarray], recipe: str
) -> None:
    before = str(digits[0])
    program = program_of(digits, recipe)
    found = program.evaluate((digits[1][1200:], digits[2][1200:]))
    assert str(digits[0]) == before
    assert found.reference_accuracy > 0.85
    assert found.drop <= WORST.get(recipe, 1.5)
    assert len(found.accuracy_by_step) == program.steps
    assert (found.events_per_neuron > 0) == (recipe in SPIKING)
    assert found.events_per_neuron < 2 * program.steps
    assert list(found.rates) == list(program.neurons)


@pytest.mark.parametrize("recipe", ["rate", "graded"])
def test_saved_and_loaded_it_is_the_same(
    digits: tuple[Graph, np.ndarray, np.ndarray], tmp_path: Path, recipe: str
) -> None:
    program = program_of(digits, recipe)
    program.save(tmp_path / "a.spk")
    again = spikec.load(tmp_path / "a.spk")
    assert (again.graph, again.reference) == (program.graph, program.reference)
    assert (again.steps, again.recipe) == (program.steps, program.recipe)
    assert again.preprocess == spikec.Preprocess(scale=1 / 16)
    assert again.record == json.loads(json.dumps(program.record))
    again.save(tmp_path / "b.spk")
    assert (tmp_path / "a.spk").read_bytes() == (tmp_path / "b.spk").read_bytes()
    program_of(digits, recipe).save(tmp_path / "c.spk")
    assert (tmp_path / "a.spk").read_bytes() == (tmp_path / "c.spk").read_bytes()


def test_the_numbers_of_an_evaluation_are_those_of_a_count_by_hand(
    digits: tuple[Graph, np.ndarray, np.ndarray],
) -> None:
    program = program_of(digits, "rate")
    x, y = digits[1][1200:1330], digits[2][1200:1330]
    found = program.evaluate((x, y), steps=6)
    run = program.run(x, steps=6)
    wanted = np.asarray(spikec.runtime.run(program.reference, x / 16)).argmax(axis=1)
    chosen = run.output_by_step.argmax(axis=-1)
    assert np.array_equal(run.output, run.output_by_step[-1])
    assert found.samples == 130
    assert found.accuracy_by_step == pytest.approx((chosen == y).mean(axis=1))
    assert found.reference_accuracy == pytest.approx((wanted == y).mean())
    assert found.agreement == pytest.approx((chosen[-1] == wanted).mean())
    counts = {name: np.count_nonzero(train) for name, train in run.spikes.items()}
    assert run.events == sum(counts.values())
    assert found.events_per_neuron == pytest.approx(run.events / 130 / (32 + 24))
    sizes = dict(zip(program.neurons, (32, 24), strict=True))
    assert found.rates == pytest.approx({n: counts[n] / 130 / sizes[n] for n in counts})
    assert found.accuracy == found.accuracy_by_step[-1]
    assert found.drop == pytest.approx(100 * (found.reference_accuracy - found.accuracy))
    assert json.loads(json.dumps(found.to_json()))["drop_points"] == pytest.approx(found.drop)


def test_a_memory_bound_changes_no_number(digits: tuple[Graph, np.ndarray, np.ndarray]) -> None:
    program = program_of(digits, "graded")
    data = digits[1][1200:1300], digits[2][1200:1300]
    assert program.evaluate(data, memory=20_000) == program.evaluate(data)


def test_progress_reaches_all_samples(digits: tuple[Graph, np.ndarray, np.ndarray]) -> None:
    seen: list[tuple[int, int]] = []
    program = program_of(digits, "graded")
    data = digits[1][:200], digits[2][:200]
    program.evaluate(data, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (200, 200)


X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
NAN = np.where(np.arange(24).reshape(8, 3) == 5, np.nan, X)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"calibration": NAN}, DataError, "1 of 24 numbers are NaN"),
        ({"calibration": X[:, :2]}, DataError, "size 2"),
        ({"calibration": X[:, 0]}, DataError, "1 axes"),
        ({"calibration": X.astype(complex)}, DataError, "complex128"),
        ({"calibration": X.astype(str)}, DataError, "not numbers"),
        ({"calibration": X[:0]}, DataError, "the data are empty"),
        ({"calibration": np.zeros((8, 3), np.float32)}, DataError, "one number only"),
        ({"calibration": np.zeros((1, 3), np.float32)}, DataError, "one number only"),
        ({"calibration": {"a": X, "b": X}}, DataError, "one array for each input: x"),
        ({"steps": 0}, UsageError, "steps = 0"),
        ({"steps": -3}, UsageError, "steps = -3"),
        ({"steps": 2.5}, UsageError, "steps = 2.5"),
        ({"steps": "8"}, UsageError, "steps = '8'"),
        ({"steps": True}, UsageError, "steps = True"),
        ({"steps": None}, UsageError, "steps = None"),
        ({"recipe": "garded"}, UsageError, "did you mean graded?"),
        ({"recipe": ""}, UsageError, "one recipe"),
        ({"recipe": "rate,graded"}, UsageError, "one recipe"),
        ({"recipe": "rate{sampels=3}"}, UsageError, "did you mean samples?"),
        ({"recipe": "rate{samples=few}"}, UsageError, "a whole number"),
        ({"recipe": "rate{samples=0}"}, UsageError, "samples = 0"),
        ({"recipe": "rate{samples"}, UsageError, "cannot read"),
        ({"recipe": "graded{n=0}"}, UsageError, "= 0"),
        ({"recipe": "percentile{p=101}"}, UsageError, "p = 101"),
        ({"recipe": "percentile{per=chanel}"}, UsageError, "did you mean channel?"),
    ],
)
def test_what_cannot_be_converted_is_told(
    change: dict[str, Any], error: type[SpikecError], told: str
) -> None:
    call: dict[str, Any] = {"calibration": X, "steps": 4, "recipe": "graded", **change}
    with pytest.raises(error) as caught:
        spikec.convert(mlp(3, 4, 2), **call)
    assert told in str(caught.value)


def test_one_sample_is_enough() -> None:
    steps: Any = np.int64(4)
    program = spikec.convert(mlp(3, 4, 2), X[:1], steps, "graded")
    assert program.run(X).output.shape == (8, 2)


def test_a_torch_module_needs_no_example_but_the_data() -> None:
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    for count in (1, 8):
        program = spikec.convert(net.eval(), X[:count], 4, "graded")
        assert program.run(X).output.shape == (8, 2)


def test_recipes_are_for_networks_of_one_stage() -> None:
    program = spikec.convert(mlp(3, 4, 2), X, 4, "graded")
    with pytest.raises(
        UsageError, match="'graded' is for analog networks, and this one is spiking"
    ):
        spikec.convert(program.graph, X, 4, "graded")
    with pytest.raises(
        UsageError, match="'trained' is for spiking networks, and this one is analog"
    ):
        spikec.convert(mlp(3, 4, 2), X, 4, "trained")
    with pytest.raises(UsageError, match="max_drop for a network that was trained"):
        spikec.convert(program.graph, X, 4, max_drop=1.0)
    with pytest.raises(UsageError, match="steps = None"):
        spikec.convert(program.graph, X)
    same = spikec.convert(program.graph, X, 4)
    np.testing.assert_array_equal(same.run(X).output, program.run(X).output)


def test_all_that_is_not_supported_is_told_at_once() -> None:
    net = Net(3)
    y = net.edit.add(ops.GELU(), net.linear(net.x, 4))
    y = net.edit.add(ops.Softmax(-1, False), net.linear(y, 4))
    with pytest.raises(UnsupportedModel) as caught:
        spikec.convert(net.done(net.linear(y, 2)), X, 4, "graded")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("steps", [0, -1, 1.5])
def test_a_run_of_no_steps_is_refused(steps: Any) -> None:
    program = spikec.convert(mlp(3, 4, 2), X, 4, "graded")
    with pytest.raises(UsageError, match="steps = "):
        program.run(X, steps=steps)
    with pytest.raises(UsageError, match="steps = "):
        program.evaluate((X, np.zeros(8, int)), steps=steps)


def test_evaluation_wants_class_scores_and_labels() -> None:
    program = spikec.convert(mlp(3, 4, 2), X, 4, "graded")
    with pytest.raises(DataError, match="no labels"):
        program.evaluate(X)
    with pytest.raises(DataError, match="labels from 0 to 2"):
        program.evaluate((X, np.arange(8) % 3))
    single = spikec.convert(mlp(3, 4, 1), X, 4, "graded")
    with pytest.raises(DataError, match="no class scores"):
        single.evaluate((X, np.zeros(8, int)))


def test_a_network_without_activations_runs_and_has_no_events() -> None:
    x, y = load_digits(return_X_y=True)
    fitted = LogisticRegression(max_iter=2000).fit(x / 16, y)
    edit = Editor(Graph("linear"), by="test")
    linear = ops.Linear(Array(fitted.coef_, "float32"), Array(fitted.intercept_, "float32"))
    edit.output("y", edit.add(linear, edit.input("x", TensorType((B, 64)))))
    program = spikec.convert(edit.graph, x[:50] / 16, 4, "rate")
    found = program.evaluate((x / 16, y))
    assert found.drop == 0
    assert (found.events_per_neuron, dict(found.rates)) == (0, {})


def test_a_bare_graph_is_no_program(tmp_path: Path) -> None:
    store.save(mlp(3, 4, 2), tmp_path / "net.spk")
    with pytest.raises(BadFile, match="a graph, but no program"):
        spikec.load(tmp_path / "net.spk")


class TwoResults(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = torch.relu(self.first(x))
        return {"scores": self.second(hidden), "hidden": hidden}


def test_all_results_are_there_by_name() -> None:
    torch.manual_seed(0)
    net, x = TwoResults().eval(), torch.randn(5, 4)
    run = spikec.convert(net, x, 64, "rate").run(x)
    assert list(run.outputs) == ["scores", "hidden"]
    np.testing.assert_array_equal(run.outputs["scores"], run.output)
    with torch.no_grad():
        wanted = net(x)["hidden"].numpy()
    np.testing.assert_allclose(run.outputs["hidden"], wanted, atol=0.1)
