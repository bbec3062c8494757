"""Energies and latencies add up, by step and by core, and follow from counted events."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from spikec.backends.sanafe_chip.chips import LOIHI
from spikec.backends.sanafe_chip.running import Simulation, simulate
from spikec.ir import Graph
from spikec.target.wiring import wire
from tests.backends.sanafe_chip.programs import exported, lowered, plain
from tests.passes.whole_nets import STEPS, Whole, trains

SANAFE = importlib.util.find_spec("sanafe")
pytestmark = pytest.mark.skipif(SANAFE is None, reason="sanafe is not installed")


def simulated(graph: Graph, folder: Path) -> Simulation:
    return simulate(exported(graph, folder), trains(graph))


def test_energy_is_the_sum_of_its_parts_and_stands_in_a_file(tmp_path: Path) -> None:
    graph = lowered(plain())
    found = simulated(graph, tmp_path).results
    depth = 3
    assert found.energy.shape == found.latency.shape == (3, STEPS + depth)
    parts = sum(found.parts.values())
    np.testing.assert_allclose(parts, found.energy)
    assert (found.latency > 0).all()
    assert found.core_energy.shape == (3, STEPS + depth, len(found.cores))
    rest = found.energy - found.core_energy.sum(axis=2)  # routers, and cores that send events in
    assert (rest >= -1e-18).all()
    np.testing.assert_allclose(found.joules, found.energy.sum(axis=1))
    told = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert told == json.loads(json.dumps(found.to_json()))
    assert told["steps"]["energy_j"] == found.energy.tolist()
    assert set(told["cores"]) == set(found.cores)


def test_synaptic_energy_is_that_of_every_event_at_every_synapse(tmp_path: Path) -> None:
    net = Whole(12)
    a = net.neuron(net.linear(net.x, 8), 9, name="a")
    graph = lowered(net.done(net.neuron(net.linear(a, 6), 9, name="b")))
    seen = simulated(graph, tmp_path)
    inputs = trains(graph)
    fired = {"x": inputs["x"], "a": seen.recorded.spikes["a"]}
    chip = set(graph.nodes) - set(graph.inputs)
    events = np.zeros(3)
    for current in wire(graph, chip).values():
        for source, edges in current.edges.items():
            synapses = np.bincount(edges.source, minlength=edges.sources)
            events += (fired[source.value.name] * synapses).sum(axis=(0, 2))
    assert (seen.results.counts["spikes"].sum(axis=1) == events).all()
    joule = LOIHI.synapses["dense"][0]
    np.testing.assert_allclose(seen.results.parts["synapse"].sum(axis=1), events * joule)
    sent = sum((train != 0).sum(axis=(0, 2)) for train in fired.values())
    sent = sent + (seen.recorded.spikes["b"] != 0).sum(axis=(0, 2))
    assert (seen.results.counts["fired"].sum(axis=1) == sent).all()


def test_a_sample_costs_the_same_wherever_it_stands(tmp_path: Path) -> None:
    graph = lowered(plain())
    artifact = exported(graph, tmp_path)
    inputs = trains(graph)
    turned = {name: array[:, ::-1] for name, array in inputs.items()}
    forth, back = (simulate(artifact, data).results for data in (inputs, turned))
    np.testing.assert_allclose(forth.energy, back.energy[::-1])
    np.testing.assert_allclose(forth.latency, back.latency[::-1])
    assert len(set(forth.joules.round(15))) == 3


def test_the_figures_of_loihi_are_those_that_come_with_the_simulator() -> None:
    assert SANAFE is not None
    assert SANAFE.origin is not None
    stock = (Path(SANAFE.origin).parent / "examples" / "loihi.yaml").read_text("utf-8")

    def figures(name: str) -> list[float]:
        return [float(number) for number in re.findall(rf"\b{name}: ([\d.e-]+)", stock)]

    for name, value in LOIHI.soma.items():
        assert value in figures(name)
    for energy, latency in LOIHI.synapses.values():
        assert energy in figures("energy_process_spike")
        assert latency in figures("latency_process_spike")
    sent, sending, received, receiving = LOIHI.message
    assert figures("energy_message_out") == [sent]
    assert figures("latency_message_out") == [sending]
    assert figures("energy_message_in") == [received]
    assert figures("latency_message_in") == [receiving]
    for direction, (energy, latency) in LOIHI.hops.items():
        assert figures(f"energy_{direction}_hop") == [energy]
        assert figures(f"latency_{direction}_hop") == [latency]
