"""Estimates: sums, baselines, break-even rates, the first layer, and the paths to a counter."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

import spikec
from spikec.energy.catalog import profiles
from spikec.energy.convention import Entry, convention
from spikec.energy.estimate import estimate
from spikec.energy.measure import Measured, counter_of, measure, measured
from spikec.energy.result import Energy, Kind
from spikec.energy.writing import json_text, text
from spikec.errors import DataError, UsageError
from spikec.evaluation import evaluate
from spikec.ir import ops
from spikec.target import placement_of
from tests.passes.helpers import Net, mlp

X = np.random.default_rng(3).normal(size=(24, 6)).astype(np.float32)
STEPS = 6


@cache
def program(recipe: str = "graded") -> spikec.Program:
    return spikec.convert(mlp(6, 8, 5, 3), X, STEPS, recipe)


@cache
def counted(recipe: str = "graded") -> Measured:
    made = program(recipe)
    return measure(made, X, made.steps)


def layers(energy: Energy, kind: Kind) -> list[str]:
    return [layer.name for layer in energy.layers if layer.kind is kind]


@pytest.mark.parametrize("name", profiles())
def test_the_parts_add_up(name: str) -> None:
    found = estimate(counted(), name)
    assert found.total_pj == pytest.approx(sum(layer.total_pj for layer in found.layers))
    assert found.total_pj == pytest.approx(float(np.mean(found.by_sample)))
    assert found.total_pj == pytest.approx(float(found.energy.total))
    low, high = np.percentile(found.by_sample, (5, 95))
    assert (found.spread.low, found.spread.high) == pytest.approx((low, high))
    assert len(found.by_sample) == found.samples == len(X)


def test_a_float32_estimate_by_hand() -> None:
    """The events of each neuron times what stands behind them, seen by running it."""
    made = program("rate")
    run = made.run(X)
    sizes = {"relu": 5, "relu_2": 3}
    acs = {name: np.count_nonzero(run.spikes[name]) / len(X) * n for name, n in sizes.items()}
    biases = 8 + STEPS * (5 + 3) + STEPS * 3  # static layer, two timed ones, the read-out's sums
    expected = 4.6 * 6 * 8 + 0.9 * (sum(acs.values()) + biases)
    found = made.energy(X)
    assert found.total_pj == pytest.approx(expected)
    assert found.counts.updates == STEPS * (8 + 5)
    network = 4.6 * (6 * 8 + 8 * 5 + 5 * 3) + 0.9 * (8 + 5 + 3)
    assert found.reference_pj == pytest.approx(network)
    assert [one.name for one in found.baselines] == ["ann-fp32", "ann-int8", "ann-3bit"]
    assert found.baselines[1].total_pj == pytest.approx(0.23 * 103 + 0.03 * 16)
    assert found.baselines[2].total_pj == pytest.approx((0.2 * 3 / 8 + 0.03) * 103 + 0.03 * 16)


def test_the_first_layer_once_and_at_every_step() -> None:
    found = program("rate").energy(X)
    first = found.first_layer
    pj = 4.6 * 48 + 0.9 * 8
    assert (len(first.names), first.macs) == (1, 48)
    assert first.pj == pytest.approx(pj)
    assert first.once_pj == pytest.approx(found.total_pj)
    assert first.every_step_pj == pytest.approx(found.total_pj + (STEPS - 1) * pj)


@pytest.mark.parametrize("recipe", ["differential", "lossless", "sigma-delta"])
def test_functions_that_run_at_every_step_are_told_and_counted(recipe: str) -> None:
    net = Net(6)
    norm = net.edit.add(ops.LayerNorm(1, None, None, 1e-5), net.linear(net.x, 8), name="norm")
    smooth = net.edit.add(ops.GELU(), net.linear(norm, 8), name="smooth")
    made = spikec.convert(net.done(net.linear(smooth, 3)), X, STEPS, recipe)
    found = made.energy(X)
    assert found.functions[-1] == "smooth"  # where the input is static, so is the norm
    assert set(found.functions) <= {"norm", "smooth"}
    assert ("norm" in found.functions) == (recipe == "sigma-delta")
    (layer,) = (one for one in found.layers if one.name == "smooth")
    assert layer.counts.others == STEPS * 8
    assert f"at every step: {len(found.functions)} (" in found.table()
    assert json.loads(json.dumps(found.to_json()))["functions"] == list(found.functions)
    assert program("graded").energy(X).functions == ()


def test_at_its_break_even_rate_a_layer_takes_what_the_network_takes() -> None:
    found = program("rate").energy(X)
    for layer in found.layers:
        if layer.kind is not Kind.SYNAPSES or layer.rate_in is None:
            continue
        for name, rate in layer.break_even.items():
            events = rate * layer.runs * (layer.synapses)
            bias = 0.9 * layer.counts.adds
            wanted = layer.ann_pj[name]
            assert 0.9 * events + bias == pytest.approx(max(wanted, bias))


def test_the_convention_is_that_of_the_papers() -> None:
    """Their own counts give their own figures, in mJ (public counter of Spikingformer)."""
    spikingformer = convention([Entry("all", 1.0, 1, 6.5175e9)], 0.3473e9)
    assert spikingformer.total_pj / 1e9 == pytest.approx(7.4635, abs=2e-4)
    cml = convention([Entry("all", 1.0, 1, 15.4551e9)], 0.5210e9)
    assert cml.total_pj / 1e9 == pytest.approx(16.306, abs=1e-3)


def test_the_convention_of_a_program() -> None:
    made = program("graded")
    run = made.run(X)
    expected = 4.6 * 48
    for name, neurons, flops in (("relu", 8, 40), ("relu_2", 5, 15)):
        rate = np.count_nonzero(run.spikes[name]) / len(X) / neurons / STEPS
        expected += 0.9 * rate * STEPS * flops
    assert made.energy(X).convention.total_pj == pytest.approx(expected)


def test_an_evaluation_may_do_the_running() -> None:
    made = program()
    counter = counter_of(made.graph, made.steps)
    evaluate(made, (X, np.zeros(len(X), np.int64)), made.steps, watchers=(counter,))
    assert estimate(measured(made, counter)).to_json() == made.energy(X).to_json()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = program().energy(X)
    monkeypatch.setattr("spikec.evaluation.SEEN", 1)
    told: list[tuple[int, int]] = []
    parts = program().energy(X, progress=lambda done, total: told.append((done, total)))
    assert parts.to_json() == whole.to_json()
    assert parts.by_sample == whole.by_sample
    assert told == [(i + 1, len(X)) for i in range(len(X))]


def test_graded_events_cost_what_their_binary_ones_cost() -> None:
    found = program("graded").energy(X)
    assert found.counts.shift_adds > found.counts.acs > 0
    assert found.energy.acs == pytest.approx(0.9 * float(np.mean(found.counts.shift_adds)))
    assert found.counts.payload_bits > 0


def test_messages_and_hops_of_a_placed_program_by_hand() -> None:
    """A message goes to each core that holds a neuron behind a weight that is not 0."""
    net = mlp(6, 900, 700, 3)
    whole = spikec.convert(net, X, 4, "rate", weight_bits=8, input_bits=4)
    made = spikec.lower(whole, "sanafe-loihi")
    placed = placement_of(made.graph)
    assert placed is not None
    tiles = placed.mesh.tiles()[list(placed.slots)]
    first = placed.cores_of("relu", (1, 1, 900)).ravel()
    second = placed.cores_of("relu_2", (1, 1, 700)).ravel()
    linear = made.graph["linear_2"].op
    assert isinstance(linear, ops.Linear)
    weight = linear.weight.data
    sent = np.count_nonzero(made.run(X[:4]).spikes["relu"], axis=(0, 1)) / 4
    messages, hops = 0.0, np.zeros(2)
    for neuron, events in enumerate(sent):
        for core in np.unique(second[weight[:, neuron] != 0]):
            messages += events
            hops += events * np.abs(tiles[first[neuron]] - tiles[core])
    rows = {layer.name: layer.counts for layer in made.energy(X[:4], "loihi1-sanafe").layers}
    found = rows["relu"]
    assert found.messages == pytest.approx(messages)
    assert (found.hops_x, found.hops_y) == pytest.approx(tuple(hops))
    assert messages > sent.sum()
    assert hops.sum() > 0
    assert made.energy(X[:4]).placed == "sanafe-loihi"


def test_static_energy_is_power_times_latency() -> None:
    found = program("rate").energy(X, "loihi1-davies2018")
    assert found.static is not None
    counts = found.counts
    busy = 3.5 * counts.acs + 8.4 * counts.updates + 2.1 * counts.events
    assert found.static.cores == 2
    assert found.static.seconds == pytest.approx(1e-9 * (STEPS * 465 + busy / 2))
    assert found.static.pj == pytest.approx(0.104 * found.static.seconds * 1e12)
    assert program("rate").energy(X).static is None


def test_what_has_no_price_is_told() -> None:
    found = program("rate").energy(X, "truenorth")
    assert found.unpriced["macs"] == 48
    assert "48 MACs" in found.table()
    hops = program("rate").energy(X, "loihi1-sanafe")
    assert "the program stands on no cores" in hops.table()


def test_a_program_without_events_has_no_break_even_rate() -> None:
    found = program("rate").energy(np.zeros_like(X[:2]) - 100)
    silent = [layer for layer in found.layers if layer.rate_in == 0]
    assert all(layer.break_even == {} for layer in silent)
    assert found.to_json()["layers"]


def test_json_holds_numbers_alone() -> None:
    told = json.loads(json_text([estimate(counted(), "loihi1-sanafe")]))
    assert told["unpriced"]["hops"] is None


def test_the_network_at_the_same_prices() -> None:
    expected = {
        "horowitz45-fp32": "ann-fp32",
        "horowitz45-int8": "ann-int8",
        "lemaire2022": "ann-lemaire2022",
        "odin": None,
    }
    for name, baseline in expected.items():
        alike = estimate(counted(), name).alike
        assert (alike and alike.name) == baseline
    both = text([estimate(counted(), "lemaire2022"), estimate(counted(), "odin")])
    assert "/ ANN at these prices" in both
    assert "odin leaves out" in both


def test_bad_data() -> None:
    with pytest.raises(UsageError, match="energy without samples"):
        program().energy(None)
    with pytest.raises(DataError):
        program().energy(X[:, :4])
    with pytest.raises(UsageError, match="did you mean truenorth"):
        program().energy(X, "truenorht")
