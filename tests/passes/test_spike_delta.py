"""The delta code: after each frame a program gives its quantised network's answer to that frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

import spikec
from spikec.errors import DataError, UnsupportedModel, UsageError
from spikec.ir import Graph, ops
from spikec.ir.op import Family
from spikec.pipeline import Context
from spikec.runtime import run, trace
from tests.passes.chained_nets import chained_net
from tests.passes.conftest import Golden
from tests.passes.helpers import CANONICAL, Net, applied, calibration, mlp, random_net
from tests.passes.smooth_nets import MODULES, smooth_net

WHOLE = (
    f"{CANONICAL},quantise-input,thresholds{{levels=7}},quantise-operands{{levels=31,whole=true}},"
    "quantise-between-weights{levels=15},whole-numbers,fold-constants,remove-dead"
)
FRAMES = 7
BUILDERS = {"smooth": smooth_net, "random": random_net, "chained": chained_net}
SEEDS = st.integers(0, 9999)
Frames = dict[str, NDArray[np.float32]]


def both(kind: str, seed: int, deadband: int = 1) -> tuple[Graph, Graph, Frames]:
    """Give a network of whole numbers, its program, and frames in which a fifth changes."""
    graph = BUILDERS[kind](seed)
    data = calibration(graph)
    analog = applied(WHOLE, graph, Context(calibration=data))
    program = applied(f"spike-delta{{deadband={deadband}}},remove-dead", analog)
    return analog, program, {name: moving(x[:3], seed) for name, x in data.items()}


def moving(x: NDArray[np.float32], seed: int, frames: int = FRAMES) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    change = rng.normal(size=(frames, *x.shape)) * (rng.random((frames, *x.shape)) < 0.2)
    return np.asarray(x + change.cumsum(axis=0), np.float32)


def neurons(graph: Graph) -> list[str]:
    return [node.name for node in graph if node.op.family is Family.NEURON]


def outputs(graph: Graph, feed: Frames) -> list[NDArray[np.float32]]:
    found = run(graph, feed, "layerwise")
    return list(found) if isinstance(found, tuple) else [found]


@settings(max_examples=25)
@given(kind=st.sampled_from(list(BUILDERS)), seed=SEEDS)
def test_after_each_frame_programs_equal_their_quantised_networks_bit_for_bit(
    kind: str, seed: int
) -> None:
    analog, program, frames = both(kind, seed)
    names = neurons(program)
    seen = trace(program, frames, "layerwise", record=names)
    sent = {name: train.cumsum(axis=0) for name, train in seen.values.items()}
    for t in range(FRAMES):
        now = {name: array[t] for name, array in frames.items()}
        kept = trace(analog, now, "layerwise", record=names)
        for found, wanted in zip(seen.outputs, kept.outputs, strict=True):
            assert np.array_equal(found[t], wanted)
        assert all(np.array_equal(sent[name][t], kept.values[name]) for name in names)
    assert names


@settings(max_examples=10)
@given(kind=st.sampled_from(list(BUILDERS)), seed=SEEDS, deadband=st.integers(1, 3))
def test_engines_change_no_event(kind: str, seed: int, deadband: int) -> None:
    _, program, frames = both(kind, seed, deadband)
    names = neurons(program)
    slow = trace(program, frames, "reference", record=names)
    fast = trace(program, frames, "layerwise", record=names)
    assert all(np.array_equal(slow.values[name], fast.values[name]) for name in names)
    assert all(map(np.array_equal, slow.outputs, fast.outputs))


@settings(max_examples=10)
@given(kind=st.sampled_from(list(BUILDERS)), seed=SEEDS, deadband=st.integers(1, 3))
def test_what_stands_still_costs_no_event(kind: str, seed: int, deadband: int) -> None:
    """Of the same frame three times, the second and third send nothing, and outputs stay."""
    _, program, frames = both(kind, seed, deadband)
    still = {name: np.repeat(array[:2], (1, 3), axis=0) for name, array in frames.items()}
    seen = trace(program, still, "layerwise", record=neurons(program))
    assert any(train[:2].any() for train in seen.values.values())
    assert not any(train[2:].any() for train in seen.values.values())
    for output in seen.outputs:
        assert np.array_equal(output[2:], output[1:-1])


@settings(max_examples=10)
@given(seed=SEEDS, deadband=st.integers(1, 5))
def test_what_a_neuron_has_sent_is_nearer_than_its_deadband(seed: int, deadband: int) -> None:
    _, program, frames = both("random", seed, deadband)
    sites = [node for node in program if isinstance(node.op, ops.SigmaDelta)]
    record = [value.name for node in sites for value in (*node.inputs, *node.outputs)]
    seen = trace(program, frames, "layerwise", record=record).values
    for node in sites:
        assert isinstance(node.op, ops.SigmaDelta)
        current = seen[node.inputs[0].name].astype(np.float64).cumsum(axis=0)
        step = node.op.step_size.data.astype(np.float64)
        step = step.reshape(step.shape or (1,) * current.ndim)
        wanted = np.clip(np.floor(current / step + 0.5), node.op.low, node.op.high)
        assert np.abs(seen[node.name].cumsum(axis=0) - wanted).max() < deadband


@pytest.mark.parametrize("name", MODULES)
def test_recipe_is_exact_for_modules_and_near_to_pytorch(name: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = MODULES[name]().eval()
    shape = (2, 6, 6) if name == "pictures" else (6, 5)
    x = np.random.default_rng(0).normal(size=(24, *shape)).astype(np.float32)
    program = spikec.convert(model, x, 8, "sigma-delta")
    assert program.quantised is not None
    program.save(tmp_path / "net.spk")
    program = spikec.load(tmp_path / "net.spk")
    frames = moving(x[:5], 1)
    by_step = program.run(frames).output_by_step
    assert len(by_step) == FRAMES
    assert program.quantised is not None
    for frame, found in zip(frames, by_step, strict=True):
        assert np.array_equal(found, np.asarray(run(program.quantised, frame, "layerwise")))
    wanted = model(torch.from_numpy(x)).detach().numpy()
    kept = np.asarray(run(program.quantised, x, "layerwise"))
    assert np.linalg.norm(kept - wanted) < 0.02 * np.linalg.norm(wanted)


@pytest.fixture(scope="module")
def program() -> spikec.Program:
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 6, 3, padding=1)
    model = nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 4))
    x = np.random.default_rng(0).normal(size=(64, 2, 6, 6)).astype(np.float32)
    return spikec.convert(model.eval(), x, 6, "sigma-delta")


def test_still_samples_are_shown_at_every_step(program: spikec.Program) -> None:
    """Evaluation, energy and diagnosis take samples as those of any other program."""
    x = np.random.default_rng(1).normal(size=(40, 2, 6, 6)).astype(np.float32)
    assert program.quantised is not None
    wanted = np.asarray(run(program.quantised, x, "layerwise"))
    seen = program.run(x)
    assert seen.output_by_step.shape == (6, 40, 4)
    assert all(np.array_equal(found, wanted) for found in seen.output_by_step)
    labels = wanted.argmax(-1)
    found = program.evaluate((x, labels))
    assert found.accuracy_by_step == (1.0,) * 6
    total = sum(train[0].size for train in seen.spikes.values())
    assert found.events_per_neuron == pytest.approx(seen.events / total)
    energy = program.energy((x, labels))
    assert energy.total_pj > 0
    diagnosis = program.diagnose(x)
    assert [layer.name for layer in diagnosis.layers] == list(program.neurons)
    assert all(layer.unevenness.rms == 0 for layer in diagnosis.layers)


def test_frames_that_do_not_fit_are_refused(program: spikec.Program) -> None:
    x = np.zeros((5, 3, 2, 6, 6), np.float32)
    with pytest.raises(DataError, match="T = 5"):
        program.run(x, steps=4)
    with pytest.raises(DataError, match="axes"):
        program.run(x[0, 0, 0])
    with pytest.raises(DataError):
        program.evaluate((x, np.zeros(5, np.int64)))


@pytest.mark.parametrize(("option", "bits"), [("weight_bits", 4), ("weight_options", "per=layer")])
def test_weights_have_the_bits_of_the_recipe(option: str, bits: object) -> None:
    graph = mlp(3, 4, 2)
    options = {option: bits} if option == "weight_bits" else {"weight_bits": 8, option: bits}
    with pytest.raises(UsageError, match="sigma-delta"):
        spikec.convert(graph, calibration(graph)["x"], 4, "sigma-delta", **options)  # type: ignore[arg-type]


def test_sums_that_float32_cannot_hold_are_refused_with_their_places() -> None:
    net = Net(40, name="wide")
    graph = net.done(net.linear(net.relu(net.linear(net.relu(net.x), 40)), 2))
    with pytest.raises(UnsupportedModel) as caught:
        spikec.convert(graph, calibration(graph, 16)["x"], 2, "sigma-delta{levels=65535,bits=16}")
    assert caught.value.problems


def test_golden(golden: Golden) -> None:
    net = Net(2, 2, name="frames", dyadic=True)
    quant = ops.QuantReLU(net.array(1, low=0.25, high=0.5), 7, None, -7)
    hidden = net.edit.add(quant, net.x, name="eye")
    smooth = net.edit.add(ops.GELU(), net.linear(hidden, 2), name="gelu")
    sent = net.edit.add(ops.QuantReLU(net.array(1, low=0.1, high=0.2), 7, None, -7), smooth)
    graph = net.done(net.linear(sent, 1))
    golden("spike_delta", graph, applied("spike-delta{deadband=2},remove-dead", graph))
