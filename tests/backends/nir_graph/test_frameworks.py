"""Frameworks run the files: each of them where it is installed beside spikec."""

from __future__ import annotations

import importlib.util

import pytest

from spikec.backends.nir_graph import players
from spikec.backends.nir_graph.play_norse import Norse
from spikec.backends.nir_graph.play_spikingjelly import SpikingJelly
from spikec.errors import UnsupportedModel, UsageError
from tests.backends.nir_graph.programs import checked, random_program, samples

FRAMEWORKS: dict[str, players.Player] = {"norse": Norse(), "SpikingJelly": SpikingJelly()}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_sends_the_same_events(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    player = FRAMEWORKS[name]
    if importlib.util.find_spec(player.module) is None:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setattr(players, "players", lambda: (player,))
    ran = 0
    for seed in range(60):
        graph = random_program(seed, plain=True)
        try:
            check = checked(graph, samples(graph, seed), unit_thresholds=True)
        except (UnsupportedModel, UsageError):
            continue
        assert check.ok, (seed, check)
        assert check.compared.unequal <= check.compared.entries // 1000
        ran += check.tool.startswith(name)
    assert ran >= 8


def test_a_framework_that_would_differ_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fussy:
        package, module = "fussy", "numpy"

        def unfit(self, graph: object, task: players.Task) -> str:
            return "it has no taste for it"

        def run(self, graph: object, task: players.Task) -> dict[str, players.Numbers]:
            raise AssertionError

    monkeypatch.setattr(players, "players", lambda: (Fussy(),))
    graph = random_program(1)
    check = checked(graph, samples(graph, 1))
    assert check.ok
    assert "fussy would not do: it has no taste for it" in check.tool
