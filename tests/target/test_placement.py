"""Placements hold every neuron once, count messages as trying each edge does, and shorten ways."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikec.errors import BadFile, UnsupportedModel
from spikec.ir import Graph
from spikec.target import Fact, Layer, Placement, Target, layers_of, load_target, place
from spikec.target.arrange import arrange, cost_of
from spikec.target.mesh import Mesh, mesh_of
from spikec.target.reach import Grid
from spikec.target.wiring import wire
from tests.target.nets import SOFT, conv, linear, spiking, with_limits
from tests.target.test_resources import BODIES

LOIHI = load_target("loihi1")
SMALL = with_limits(LOIHI, neurons_per_core=Fact(7, "test"), input_axons_per_core=Fact(90, "test"))


def placed(graph: Graph, target: Target = SMALL) -> tuple[tuple[Layer, ...], Placement]:
    layers = layers_of(graph, set(graph.nodes))
    return layers, place(layers, target)


def messages_by_brute_force(
    graph: Graph, layers: tuple[Layer, ...], found: Placement
) -> NDArray[np.float64]:
    """Count, edge by edge, the blocks on other cores that each neuron reaches."""
    wires = wire(graph, set(graph.nodes) - set(graph.inputs))
    shapes = {layer.node: layer.shape for layer in layers}
    total = np.zeros((found.cores, found.cores))
    for layer in layers:
        blocks = np.full(layer.shape, -1)
        own = [part for part in found.parts if part.layer == layer.name]
        for number, part in enumerate(own):
            cells = (slice(a, b) for a, b in zip(part.start, part.stop, strict=True))
            blocks[tuple(cells)] = number
        for source, edges in wires[layer.name].edges.items():
            sender = source.value.producer
            if sender not in shapes:
                continue
            senders = found.cores_of(sender.name, shapes[sender]).ravel()
            into = blocks.ravel()[edges.target]
            pairs = set(zip(edges.source.tolist(), into.tolist(), strict=True))
            for neuron, block in pairs:
                total[senders[neuron], own[block].core] += 1
    np.fill_diagonal(total, 0)
    return total


def counted(found: Placement) -> NDArray[np.float64]:
    total = np.zeros((found.cores, found.cores))
    for a, b, messages in found.traffic:
        total[a, b] = messages
    return total


@pytest.mark.parametrize("body", BODIES)
def test_messages_between_cores_are_those_of_the_edges(body: str) -> None:
    graph = spiking((3, 6, 5), BODIES[body])
    layers, found = placed(graph)
    expected = messages_by_brute_force(graph, layers, found)
    exact = all(isinstance(c.path.reach, Grid) for layer in layers for c in layer.inputs)
    single = all(len(layer.inputs) < 2 for layer in layers)
    if exact and single:
        assert (counted(found) == expected).all()
    else:  # two paths to one block are two connections; a permutation is counted from above
        assert (counted(found) >= expected).all()
    assert counted(found).sum() > 0


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.sampled_from([2, 4]), st.integers(3, 6), st.integers(3, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(0, 2)),
    st.integers(1, 30),
)
def test_messages_of_convolutions_of_all_options_are_exact(
    dims: tuple[int, int, int], options: tuple[int, int, int], neurons: int
) -> None:
    kernel, stride, padding = options
    op = conv(dims[0], 4, kernel, stride, padding)
    graph = spiking(dims, lambda edit, x: edit.add(op, x))
    layers, found = placed(graph, with_limits(LOIHI, neurons_per_core=Fact(neurons, "test")))
    expected = messages_by_brute_force(graph, layers, found)
    assert (counted(found) == expected).all()


def test_measured_events_weigh_the_messages() -> None:
    graph = spiking((2, 4, 4), lambda edit, x: edit.add(conv(2, 2), x))
    layers = layers_of(graph, set(graph.nodes))
    rates = np.arange(32, dtype=float).reshape(2, 4, 4)
    once, twice = (place(layers, SMALL, {"first": rates * n}) for n in (1, 2))
    assert once.measured
    assert not place(layers, SMALL).measured
    assert (counted(twice) == 2 * counted(once)).all()
    silent = place(layers, SMALL, {"first": 0 * rates})
    assert counted(silent).sum() == 0


def every_neuron_stands_once(layers: tuple[Layer, ...], found: Placement) -> None:
    for layer in layers:
        cells = np.zeros(layer.shape, int)
        for part in found.parts:
            if part.layer == layer.name:
                bounds = zip(part.start, part.stop, strict=True)
                cells[tuple(slice(a, b) for a, b in bounds)] += 1
        assert (cells == 1).all()
        assert found.cores_of(layer.name, layer.shape).min() >= 0


@pytest.mark.parametrize("body", BODIES)
def test_every_neuron_stands_on_one_core_and_no_core_is_too_full(body: str) -> None:
    graph = spiking((3, 6, 5), BODIES[body])
    layers, found = placed(graph)
    every_neuron_stands_once(layers, found)
    assert len(set(found.slots)) == found.cores
    for resource in found.limits:
        assert max(found.use(resource)) <= 1


def test_the_same_network_is_placed_in_the_same_way_again() -> None:
    graph = spiking((3, 6, 5), BODIES["residual"])
    assert placed(graph)[1] == placed(graph)[1]


def test_a_placement_is_read_back_as_it_was() -> None:
    _, found = placed(spiking((3, 6, 5), BODIES["residual"]))
    assert Placement.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(BadFile, match="placement"):
        Placement.from_json({"parts": [{}]})


def test_the_core_graph_adds_up_to_the_hops() -> None:
    _, found = placed(spiking((3, 6, 5), BODIES["residual"]))
    graph = found.to_networkx()
    hops = sum(d["messages"] * d["hops"] for _, _, d in graph.edges(data=True))
    assert hops == pytest.approx(found.hops)
    assert graph.number_of_nodes() == found.cores


def test_the_search_never_ends_above_its_start_and_finds_what_all_orders_give() -> None:
    mesh = Mesh(2, 3, 1, 1, 6, False)
    rng = np.random.default_rng(0)
    best = 0
    for _ in range(10):
        traffic = np.asarray(rng.integers(0, 9, (6, 6)) * rng.integers(0, 2, (6, 6)), np.float64)
        np.fill_diagonal(traffic, 0)
        start = cost_of(traffic, mesh, mesh.snake())
        found = cost_of(traffic, mesh, arrange(traffic, mesh))
        orders = itertools.permutations(range(6))
        least = min(cost_of(traffic, mesh, np.array(order)) for order in orders)
        assert least <= found <= start
        assert found <= 1.25 * least
        best += found == least
    assert best >= 4


def test_exchanges_are_summed_up_as_counting_anew_does() -> None:
    mesh = Mesh(4, 4, 2, 1, 32, False)
    rng = np.random.default_rng(1)
    traffic = rng.random((20, 20))
    np.fill_diagonal(traffic, 0)
    slots = arrange(traffic, mesh)
    assert len(set(slots.tolist())) == 20
    assert cost_of(traffic, mesh, slots) < 0.9 * cost_of(traffic, mesh, mesh.snake()[:20])


def test_slots_lie_where_the_simulator_puts_its_cores() -> None:
    mesh = mesh_of(LOIHI, 1)
    assert (mesh.width, mesh.height, mesh.per_tile, mesh.slots) == (8, 4, 4, 128)
    tiles = mesh.tiles()
    assert tiles[[0, 3, 4, 15, 16, 127]].tolist() == [
        *([0, 0], [0, 0], [0, 1], [0, 3], [1, 0], [7, 3])
    ]
    assert mesh_of(LOIHI, 129).chips == 2
    assert mesh_of(LOIHI, 129).tiles()[128].tolist() == [8, 0]
    free = mesh_of(load_target("generic-binary"), 10)
    assert free.assumed
    assert free.slots >= 10


def test_a_second_compartment_takes_a_place_and_a_synapse_from_itself() -> None:
    soft = spiking((4,), lambda edit, x: edit.add(linear(4, 5), x), SOFT)
    hard = spiking((4,), lambda edit, x: edit.add(linear(4, 5), x))
    needs = {}
    for name, graph in (("soft", soft), ("hard", hard)):
        _, found = placed(graph, LOIHI)
        needs[name] = {part.layer: part.needs for part in found.parts}
    assert needs["hard"]["last"]["neurons"] == 5
    assert needs["soft"]["last"]["neurons"] == 10
    for resource in ("synapses", "input axons", "output axons"):
        assert needs["soft"]["last"][resource] == needs["hard"]["last"][resource] + 5
    simulator = load_target("sanafe-loihi")
    _, single = placed(soft, simulator)
    assert {p.layer: p.needs["neurons"] for p in single.parts} == {"first": 4, "last": 5}


def test_neurons_that_no_core_holds_are_listed() -> None:
    graph = spiking((64,), lambda edit, x: edit.add(linear(64, 10), x))
    with pytest.raises(UnsupportedModel) as caught:
        placed(graph, with_limits(LOIHI, input_axons_per_core=Fact(20, "test")))
    (problem,) = caught.value.problems
    assert problem.what == "a neuron with 64 synapses, 4 times what a core takes"
