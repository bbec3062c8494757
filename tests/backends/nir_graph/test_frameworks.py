"""Frameworks run the files: each of them where it is installed beside spikec."""

from __future__ import annotations

import pytest

from spikec.backends.nir_graph.play_norse import Norse
from spikec.backends.nir_graph.play_spikingjelly import SpikingJelly
from spikec.backends.nir_graph.players import Numbers, Player, Task
from spikec.errors import UnsupportedModel, UsageError
from tests.backends.nir_graph.programs import checked, random_program, samples

FRAMEWORKS: dict[str, Player] = {"norse": Norse(), "SpikingJelly": SpikingJelly()}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_sends_the_same_events(name: str) -> None:
    player = FRAMEWORKS[name]
    if player.version() is None:
        pytest.skip(f"{name} is not installed")
    ran = 0
    for seed in range(60):
        graph = random_program(seed, plain=True)
        try:
            check = checked(graph, samples(graph, seed), player, unit_thresholds=True)
        except (UnsupportedModel, UsageError):
            continue
        assert check.ok, (seed, check)
        assert check.compared.unequal <= check.compared.entries // 1000
        ran += check.tool.startswith(name)
    assert ran >= 8


class Fussy:
    """A framework that is there, and fit for nothing."""

    name = "fussy"

    def version(self) -> str | None:
        return "1.0"

    def unfit(self, graph: object, task: Task) -> str:
        return "it has no taste for it"

    def run(self, graph: object, task: Task) -> dict[str, Numbers]:
        raise AssertionError


def test_a_framework_that_would_differ_is_passed_over() -> None:
    graph = random_program(1)
    check = checked(graph, samples(graph, 1), Fussy())
    assert check.ok
    assert "fussy would not do: it has no taste for it" in check.tool
