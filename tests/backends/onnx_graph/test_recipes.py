"""Programs of every recipe do in onnxruntime what they do in the runtime, event by event."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnx
import pytest

import spikec
from spikec.backends.onnx_graph.models import models_of
from spikec.backends.onnx_graph.scope import OPSET
from spikec.ir import Sizes, ops
from spikec.runtime.feed import held
from tests.backends.onnx_graph.running_helpers import outputs_of, stepped
from tests.passes.helpers import calibration, random_net
from tests.recipes import SPIKING

STEPS = {
    "percentile": 12,
    "balanced": 12,
    "rate": 8,
    "signed": 8,
    "phased": 4,
    "graded": 4,
    "lossless": 12,
    "few-spikes": 6,
    "differential": 8,
    "sigma-delta": 4,
}
SEEDS = (0, 3)


@functools.cache
def program_of(recipe: str, seed: int) -> spikec.Program:
    graph = random_net(seed)
    return spikec.convert(graph, calibration(graph), STEPS[recipe], recipe)


def test_every_recipe_is_tried() -> None:
    assert set(STEPS) == set(SPIKING)


@pytest.mark.parametrize("recipe", STEPS)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_is_that_of_the_runtime(recipe: str, seed: int) -> None:
    program = program_of(recipe, seed)
    x = calibration(program.reference, 5, seed=3)
    found = program.verify("onnx_graph", x)
    assert found.ok, str(found)
    assert [check.way for check in found.checks] == ["sequence", "step"]
    neurons = program.run(x).spikes
    for compared in found.compared:
        assert compared.samples == 5
        assert compared.layers == len(neurons)
        assert compared.entries == sum(train.size for train in neurons.values())


@pytest.mark.parametrize("recipe", STEPS)
def test_steps_one_by_one_equal_the_sequence_exactly(recipe: str) -> None:
    program = program_of(recipe, 0)
    models = models_of(program.graph, program.steps, {}, one_step=True).protos
    for batch in (1, 4):
        still = program.inputs(calibration(program.reference, batch, seed=5))
        x = held(program.graph, still, program.steps)
        whole = outputs_of(models["sequence"], x)
        by_step = stepped(models, program.graph, x, Sizes(batch, program.steps))
        for name, array in by_step.items():
            assert np.array_equal(array, whole[f"{name}_by_step"])
            assert np.array_equal(array[-1], whole[name])


def test_the_batch_is_free_and_the_models_pass_the_checker_in_full(tmp_path: Path) -> None:
    program = program_of("graded", 0)
    artifact = program.export("onnx_graph", tmp_path / "out")
    x = program.inputs(calibration(program.reference, 7))
    models = {file.stem: onnx.load(file) for file in artifact.files if file.suffix == ".onnx"}
    assert set(models) == {"sequence", "start", "step"}
    for model in models.values():
        onnx.checker.check_model(model, full_check=True)
    everything = outputs_of(models["sequence"], x)
    for i in range(7):
        alone = outputs_of(models["sequence"], {k: v[i : i + 1] for k, v in x.items()})
        for name, array in alone.items():
            assert np.allclose(array, np.take(everything[name], [i], axis=array.ndim - 2))


def test_only_standard_operators_and_one_box_per_layer_of_neurons() -> None:
    program = program_of("signed", 0)
    models = models_of(program.graph, program.steps, {}, one_step=True).protos
    for model in models.values():
        functions = {function.name: function for function in model.functions}
        calls = [node.op_type for node in model.graph.node if node.domain == "spikec"]
        assert set(calls) <= set(functions)
        inside = [node for function in functions.values() for node in function.node]
        for node in (*model.graph.node, *inside):
            standard = onnx.defs.has(node.op_type, OPSET)
            assert node.op_type in functions if node.domain else standard
    names = {"sequence": "IntegrateFire", "step": "IntegrateFireStep"}
    for model_name, wanted in names.items():
        calls = [n.op_type for n in models[model_name].graph.node if n.op_type.startswith(wanted)]
        assert len(calls) == len(program.neurons)


def test_preprocessing_and_provenance_stand_in_the_model(tmp_path: Path) -> None:
    graph = random_net(1)
    settings = spikec.Preprocess(scale=0.5, mean=(0.1, 0.2), std=(2.0, 1.0))
    program = spikec.convert(graph, calibration(graph), 4, "graded", preprocess=settings)
    artifact = program.export("onnx_graph", tmp_path / "out", step=False)
    assert artifact.ways == ("sequence",)
    model = onnx.load(tmp_path / "out" / "sequence.onnx")
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["spikec.version"] == spikec.__version__
    assert (told["spikec.recipe"], told["spikec.steps"]) == (program.recipe, "4")
    assert '"mean": [0.1, 0.2]' in told["spikec.preprocess"]
    assert '"std": [2.0, 1.0]' in told["spikec.preprocess"]
    assert '"scale": 0.5' in told["spikec.preprocess"]


def test_the_same_program_gives_the_same_bytes(tmp_path: Path) -> None:
    artifacts = [program_of("rate", 0).export("onnx_graph", tmp_path / n) for n in ("a", "b")]
    contents = [{f.name: f.read_bytes() for f in artifact.files} for artifact in artifacts]
    assert contents[0] == contents[1]
    assert artifacts[0].manifest == artifacts[1].manifest


def test_whole_weights_are_stored_in_8_bits_and_change_nothing() -> None:
    program = program_of("lossless", 0)
    model = models_of(program.graph, program.steps, {}, one_step=False).protos["sequence"]
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    weights = [kind for name, kind in stored.items() if "weight" in name]
    layers = [n for n in program.graph if isinstance(n.op, ops.Conv | ops.Linear)]
    whole = [
        n
        for n in layers
        if np.array_equal(np.rint(n.op.arrays["weight"].data), n.op.arrays["weight"].data)
    ]
    assert len(whole) >= 3
    assert weights.count(onnx.TensorProto.INT8) == len(whole)
    x = program.inputs(calibration(program.reference, 3))
    found = outputs_of(model, x)
    assert np.array_equal(found[program.graph.outputs[0].name], program.run(x).output)


def test_the_readme_s_loop_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_of("rate", 0)
    program.export("onnx_graph", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    (code,) = text.split("```python\n")[1:]
    x = calibration(program.reference, 3)["x"]
    scope: dict[str, object] = {"x": x}
    monkeypatch.chdir(tmp_path / "out")
    exec(code.partition("```")[0], scope)
    now = scope["now"]
    assert isinstance(now, dict)
    first = program.graph.outputs[0].name
    assert np.allclose(now[first][0], program.run(x).output, atol=1e-5)
