"""Networks that read recordings: [samples, steps, ...] in data sets, time first in the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import spikec
from spikec.errors import DataError, UsageError
from spikec.nn import LIF, Accumulator, Stepwise, event_frames

STEPS, SIDE, COUNT = 6, 8, 60


def recordings() -> tuple[np.ndarray, np.ndarray]:
    """A dot that moves; most of its events are of one polarity, which is the label."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, COUNT)
    frames = []
    for label in labels:
        t = np.arange(4 * STEPS)
        x = (rng.integers(0, SIDE) + t // 3) % SIDE
        y = rng.integers(2, 5) + rng.integers(0, 2, len(t))
        events = {"x": x, "y": y, "t": t, "p": rng.random(len(t)) < 0.2 + 0.6 * label}
        frames.append(event_frames(events, (SIDE, SIDE), STEPS).numpy())
    return np.stack(frames), labels


X, Y = recordings()


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(Stepwise(nn.Conv2d(2, 4, 3, padding=1)), LIF(0.3, leak=0.9)),
        *(Stepwise(nn.Flatten(), nn.Linear(4 * SIDE * SIDE, 2)), Accumulator()),
    )


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    net = network()
    spikec.fit(net, (X, Y), time_axis=0, epochs=12, batch=10, rate=1e-2, validation=(X, Y))
    return net


@pytest.fixture(scope="module")
def program(trained: nn.Module) -> spikec.Program:
    example = torch.from_numpy(X[:3]).movedim(0, 1)
    return spikec.convert(spikec.import_model(trained, example, time_axis=0), X, STEPS)


def test_it_learns_and_is_evaluated(trained: nn.Module, program: spikec.Program) -> None:
    with torch.no_grad():
        scores = trained(torch.from_numpy(X).movedim(0, 1))
    accuracy = float((scores[-1].argmax(-1).numpy() == Y).mean())
    found = program.evaluate((X, Y))
    assert accuracy > 0.9
    assert found.accuracy == pytest.approx(accuracy)
    assert found.drop == 0
    run = program.run(np.moveaxis(X, 0, 1))
    np.testing.assert_allclose(run.output_by_step, scores.numpy(), rtol=1e-4, atol=1e-5)
    assert found.events_per_neuron == pytest.approx(run.events / COUNT / (4 * SIDE * SIDE))


def test_energy_is_that_of_the_events(program: spikec.Program) -> None:
    energy = program.energy(X[:8])
    assert energy.total_pj > 0
    assert energy.baselines[0].total_pj > 0


def test_thresholds_are_balanced(program: spikec.Program) -> None:
    made = spikec.convert(program.graph, X, STEPS, "balanced")
    assert made.record["balance-thresholds"]["samples"] == COUNT


def test_it_is_fine_tuned(program: spikec.Program) -> None:
    tuned = spikec.finetune(program, (X, Y), epochs=1, batch=10, distill=0.0)
    assert tuned.evaluate((X, Y)).accuracy > 0.8


def test_an_export_sends_the_same_events(program: spikec.Program) -> None:
    assert program.verify("onnx_graph", np.moveaxis(X[:5], 0, 1)).ok


def test_recordings_of_another_length_are_refused(program: spikec.Program) -> None:
    for use in (program.evaluate, program.energy):
        with pytest.raises(DataError, match=r"recordings of 4 steps[^$]*6 steps"):
            use((X[:, :4], Y))
    with pytest.raises(DataError, match="recordings of 4 steps"):
        spikec.finetune(program, (X[:, :4], Y))
    with pytest.raises(DataError, match="recordings of 6 steps"):
        replace(program, steps=5).evaluate((X, Y))
    with pytest.raises(UsageError, match="time_axis=1"):
        spikec.fit(network(), (X, Y), time_axis=1)
