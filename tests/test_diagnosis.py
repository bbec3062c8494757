"""A layer's error is decomposed without remainder, and each cause told from the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spikec
from spikec.diagnosis import CAUSES, LayerDiagnosis
from spikec.diagnosis.parts import Answers
from spikec.errors import DataError, UsageError
from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, ops
from spikec.ir.ops import IntegrateFire, LastStep, PhaseScale, Repeat
from spikec.pipeline.roles import is_activation
from tests.passes.chained_nets import chained_net
from tests.passes.helpers import calibration, mlp, random_net
from tests.recipes import SPIKING

STEPS = {"lossless": 24, "phased": 7}
RECIPES = [
    *((name, None) for name in SPIKING),
    *((name, 8) for name in ("rate", "signed", "phased", "graded")),
]


def converted(graph: Graph, recipe: str, bits: int | None = None) -> spikec.Program:
    steps = STEPS.get(recipe, 8)
    return spikec.convert(graph, calibration(graph), steps, recipe, weight_bits=bits)


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=5, max_size=5), min_size=1, max_size=9))
def test_the_causes_add_up_to_the_total_element_by_element(rows: list[list[float]]) -> None:
    parts = Answers(*np.array(rows).T).parts()
    assert set(parts) == {*CAUSES, "total"}
    np.testing.assert_allclose(sum(parts[c] for c in CAUSES), parts["total"], atol=1e-11)


@pytest.mark.parametrize(("recipe", "bits"), RECIPES)
def test_the_total_is_what_a_count_by_hand_gives(recipe: str, bits: int | None) -> None:
    graph = random_net(3)
    program = converted(graph, recipe, bits)
    x = {name: array[:20] for name, array in calibration(graph, seed=9).items()}
    found = program.diagnose(x)
    assert (found.samples, found.steps) == (20, program.steps)
    assert [layer.name for layer in found.layers] == list(program.neurons)
    assert found.omitted == {}
    spikes = program.run(x).spikes
    names = [name for name in program.neurons if name in program.reference]
    analog = dict(spikec.runtime.trace(program.reference, x, record=names).values)
    analog["x_rounded_sent"] = x["x"]  # of sigma-delta, whose first weights read events as well
    for layer in found.layers:
        a = analog[layer.name].astype(np.float64)
        error = by_hand(program, layer.name, spikes[layer.name]) - a
        scale = np.sqrt(np.square(a).mean())
        assert layer.activation == pytest.approx(scale)
        assert layer.total.rms == pytest.approx(np.sqrt(np.square(error).mean()) / scale, rel=1e-5)
        assert layer.total.mean == pytest.approx(error.mean() / scale, rel=1e-3, abs=1e-6)
        means = [layer.part(cause).mean for cause in CAUSES]
        assert sum(means) == pytest.approx(layer.total.mean, abs=1e-12)
        assert layer.total.rms <= sum(layer.part(cause).rms for cause in CAUSES) + 1e-12
        assert layer.largest in CAUSES
    assert found.layers[0].unevenness.rms < 1e-6  # the input comes evenly


def by_hand(program: spikec.Program, name: str, train: np.ndarray) -> np.ndarray:
    train = train.astype(np.float64)
    real = np.asarray(program.record["quanta"].get(name, 1.0))
    kind = type(program.graph[name].op)
    if kind is ops.BipolarIF or kind is ops.SigmaDelta:
        return np.asarray(train.sum(axis=0) * real)
    if kind is ops.Differential:
        return np.asarray(np.tensordot(1 / np.arange(1, len(train) + 1), train, 1))
    if kind is ops.FewSpikes:  # 6 digits of 63
        return np.asarray(np.tensordot(2.0 ** np.arange(5, -1, -1) / 63, train[-6:], 1))
    last = train[-STEPS["phased"] :] if kind is ops.PhasedFire else train
    return np.asarray(last.mean(axis=0) * real)


def test_whole_weights_move_no_layer_to_other_units() -> None:
    graph = random_net(3)
    plain, whole = (converted(graph, "phased", bits) for bits in (None, 8))
    pairs = zip(
        plain.diagnose(calibration(graph)).layers,
        whole.diagnose(calibration(graph)).layers,
        strict=True,
    )
    for a, b in pairs:
        assert (b.name, b.activation) == (a.name, a.activation)
        assert b.clipping.rms == pytest.approx(a.clipping.rms, rel=1e-3, abs=1e-5)
        assert b.quantisation.rms == pytest.approx(a.quantisation.rms, rel=1e-2)
        assert b.total.rms < 1.3 * a.total.rms


def test_settled_sums_are_even_and_unsettled_ones_are_not() -> None:
    graph = random_net(3)
    program = converted(graph, "lossless")
    settled, early = (program.diagnose(calibration(graph), n).layers for n in (40, 1))
    assert [layer.unevenness.rms for layer in settled] == [0.0] * len(settled)
    assert early[-1].unevenness.rms > 0.01


def test_windows_are_even() -> None:
    graph = random_net(5)
    found = converted(graph, "phased").diagnose(calibration(graph))
    assert max(layer.unevenness.rms for layer in found.layers) < 1e-5


def test_quantisers_between_weights_stand_for_the_current_itself() -> None:
    graph = chained_net(1)
    program = converted(graph, "lossless")
    found = program.diagnose(calibration(graph))
    assert found.omitted == {}
    assert [layer.name for layer in found.layers] == list(program.neurons)
    assert any(layer.name.endswith("_quantised") for layer in found.layers)
    assert all(0 < layer.total.rms < 0.2 for layer in found.layers)


def test_it_is_the_same_in_blocks_in_little_memory_and_after_loading(tmp_path: Path) -> None:
    graph = random_net(3)
    data = calibration(graph, count=300)
    seen: list[tuple[int, int]] = []
    for recipe in ("rate", "lossless"):
        program = converted(graph, recipe)
        plain = program.diagnose(data, progress=lambda *done: seen.append(done))
        assert seen[-3:] == [(128, 300), (256, 300), (300, 300)]
        program.save(tmp_path / "net.spk")
        again = spikec.load(tmp_path / "net.spk")
        for other in (program.diagnose(data, memory=300_000), again.diagnose(data)):
            for one, two in zip(plain.layers, other.layers, strict=True):
                assert numbers(two) == pytest.approx(numbers(one), rel=1e-9, abs=1e-12)
        assert json.loads(json.dumps(plain.to_json()))["layers"][0]["name"] == program.neurons[0]


def numbers(layer: LayerDiagnosis) -> list[float]:
    parts = [layer.part(name) for name in (*CAUSES, "total")]
    return [layer.activation, *(n for part in parts for n in (part.rms, part.mean))]


def two_layers(first: float, second: float, late: bool = False) -> spikec.Program:
    """Two layers of neurons in 16 steps, with these thresholds; the network's values reach 1.

    ``late`` lets the whole input of the first layer come in the last step.
    """
    weight = Array(np.eye(4, dtype=np.float32))
    graphs = []
    for spiking in (False, True):
        edit = Editor(Graph("two", Stage.SPIKING if spiking else Stage.ANALOG), by="test")
        y = edit.add(ops.Linear(weight), edit.input("x", TensorType((B, 4))))
        if spiking:
            y = edit.add(Repeat(), y)
            if late:
                y = edit.add(PhaseScale(Array(16 * np.eye(16, dtype=np.float32)[-1])), y)
        for i, theta in enumerate((first, second)):
            fire = IntegrateFire(Array(np.float32(theta)), v0=Array(np.float32(theta / 2)))
            y = edit.add(fire if spiking else ops.ReLU(), y, name=f"site{i}")
            y = edit.add(ops.Linear(weight), y)
        if spiking:
            y = edit.add(LastStep(-3), edit.add(ops.MeanReadout(), y))
        edit.output("y", y)
        graphs.append(edit.graph)
    return spikec.Program(graphs[1], graphs[0], steps=16)


VALUES = np.random.default_rng(0).uniform(-1, 1, (200, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("program", "causes"),
    [
        (two_layers(0.25, 1.0), ["clipping", "inherited"]),
        (two_layers(4.0, 1.0), ["quantisation", "unevenness"]),
        (two_layers(1.0, 1.0, late=True), ["unevenness", "inherited"]),
        (two_layers(1.0, 0.25), ["quantisation", "clipping"]),
        (two_layers(1.0, 16.0), ["quantisation", "quantisation"]),
    ],
    ids=["clipping", "quantisation", "unevenness", "late clipping", "late quantisation"],
)
def test_each_cause_is_told_from_the_others(program: spikec.Program, causes: list[str]) -> None:
    found = program.diagnose(VALUES)
    assert [layer.largest for layer in found.layers] == causes
    first = found.layers[0]
    others = [first.part(c).rms for c in CAUSES if c != first.largest]
    assert first.part(first.largest).rms > 3 * max(others)


def test_the_parts_of_one_neuron_are_those_of_the_equations() -> None:
    z, theta = 0.93, 0.5  # 16 steps, v0 = θ/2: levels of 1/32 up to 1/2
    (layer, _) = two_layers(theta, 1.0).diagnose(np.full((1, 4), z, np.float32)).layers
    assert layer.activation == pytest.approx(z)
    assert layer.clipping.mean == pytest.approx((theta - z) / z)
    assert layer.total.mean == pytest.approx((theta - z) / z)
    z = 0.3
    (layer, _) = two_layers(theta, 1.0).diagnose(np.full((1, 4), z, np.float32)).layers
    rounded = np.floor(z * 32 + 0.5) / 32
    assert layer.quantisation.mean == pytest.approx((rounded - z) / z)
    assert layer.clipping.rms == layer.inherited.rms == layer.unevenness.rms == 0


def test_a_silent_layer_has_parts_in_its_own_units() -> None:
    found = two_layers(1.0, 1.0).diagnose(np.full((3, 4), -1, np.float32))
    assert [(layer.activation, layer.total.rms) for layer in found.layers] == [(0.0, 0.0)] * 2
    assert [layer.largest for layer in found.layers] == ["", ""]


def test_what_cannot_be_compared_is_told() -> None:
    program = two_layers(1.0, 1.0)
    edit = Editor(Graph("other", Stage.SPIKING), by="test")
    y = edit.add(Repeat(), edit.input("x", TensorType((B, 4))))
    one, half = Array(np.float32(1)), Array(np.float32(0.5))
    nodes: dict[str, Any] = {
        "site0": IntegrateFire(half, amplitude=one),
        "site1": ops.Accumulator(),
        "site2": IntegrateFire(one),
    }
    for name, op in nodes.items():
        y = edit.add(op, y, name=name)
    y = edit.add(ops.Reshape((T, B * 4)), y)
    y = edit.add(IntegrateFire(one), edit.add(ops.Reshape((T * B, 4)), y), name="site3")
    y = edit.add(ops.Reshape((T, B, 4)), y)
    edit.output("y", edit.add(LastStep(-3), y))
    found = spikec.Program(edit.graph, program.reference, steps=4).diagnose(VALUES)
    assert found.layers == ()
    assert {name: reason.split(",")[0].split(":")[0] for name, reason in found.omitted.items()} == {
        "site0": "what its whole numbers stand for was not recorded",
        "site1": "no decomposition is known for Accumulator neurons",
        "site2": "the network has no activation of this name",
        "site3": "time is not an axis of its own",
    }


def test_bad_requests_are_refused() -> None:
    program = converted(mlp(3, 4, 2), "graded")
    x = np.ones((2, 3), np.float32)
    with pytest.raises(UsageError, match="steps = 0"):
        program.diagnose(x, steps=0)
    with pytest.raises(DataError, match="NaN"):
        program.diagnose(x * np.nan)
    with pytest.raises(UsageError, match="memory bound of 10 bytes"):
        program.diagnose(x, memory=10)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("recipe", "bits"), [("lossless", None), ("phased", 8), ("graded", 8)])
def test_whole_numbers_keep_the_names_of_all_layers(
    seed: int, recipe: str, bits: int | None
) -> None:
    graph = random_net(seed)
    program = converted(graph, recipe, bits)
    found = program.diagnose(calibration(graph))
    assert found.omitted == {}
    activations = [node.name for node in program.reference if is_activation(node)]
    sites = [name for name in program.neurons if not name.endswith("_quantised")]
    assert sites == activations
