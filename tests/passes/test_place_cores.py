"""place-cores gives every neuron a core, or says everything that stands against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikec.errors import UnsupportedModel
from spikec.ir import Graph, Stage, store
from spikec.ir.edit import copied
from spikec.ir.verify import verify
from spikec.passes.place_cores import PlaceCores
from spikec.pipeline import Context
from spikec.runtime.feed import recorded
from spikec.target import Placement, placement_of
from tests.passes.helpers import applied
from tests.passes.whole_nets import Whole, assert_same_events, trains


def net(seed: int = 0) -> Graph:
    build = Whole(2, 6, 6, seed=seed)
    a = build.neuron(build.conv(build.x, 3), name="a")
    return build.done(build.neuron(build.conv(a, 2), name="b"))


def placed(graph: Graph, context: Context | None = None) -> Placement:
    found = placement_of(applied("place-cores{target=loihi1}", graph, context))
    assert found is not None
    return found


LEGAL = "legalise-neurons{target=loihi1},place-cores{target=loihi1}"


def test_a_placed_graph_is_another_stage_and_does_the_same() -> None:
    graph = net()
    after = applied(LEGAL, graph)
    assert after.stage is Stage.PLACED
    verify(after)
    assert_same_events(graph, after)
    found = placement_of(after)
    assert found is not None
    assert {part.layer for part in found.parts} == {"a", "b"}
    assert placement_of(graph) is None


def test_the_placement_is_saved_with_the_graph(tmp_path: Path) -> None:
    after = applied(LEGAL, net())
    store.save(after, tmp_path / "net.spk")
    read, _ = store.load(tmp_path / "net.spk")
    assert read.stage is Stage.PLACED
    assert placement_of(read) == placement_of(after)


def test_events_of_samples_weigh_the_messages() -> None:
    graph = applied("legalise-neurons{target=loihi1}", net())
    measured = placed(graph, Context(calibration=recorded(graph, trains(graph)), steps=9))
    assert measured.measured
    assert not placed(graph).measured


def test_all_that_stands_against_it_comes_in_one_error() -> None:
    with pytest.raises(UnsupportedModel) as caught:
        PlaceCores("loihi1")(copied(net()), Context())
    assert [p.where.split()[0] for p in caught.value.problems] == ["%a", "%b"]
