"""Which recipes make programs for which targets."""

from __future__ import annotations

import numpy as np
import pytest

import spikec
from spikec.target import Rule, check, examine, load_target
from tests.passes.helpers import Net
from tests.recipes import SPIKING

MISSING = {
    "signed": {Rule.SIGNED, Rule.OPTION},
    "lossless": {Rule.NEURON, Rule.SIGNED, Rule.LEVELS},
    "graded": {Rule.NEURON, Rule.LEVELS},
    "differential": {Rule.NEURON, Rule.SIGNED, Rule.LEVELS, Rule.CODE},
    "sigma-delta": {Rule.NEURON, Rule.SIGNED, Rule.LEVELS, Rule.CODE},
}
"""what binary events lack, by recipe; nothing for the others"""
OPTIONS = {"sigma-delta": "sigma-delta{levels=63,average-pools=true}"}
"""changes are twice as large as values, and its first weights read events as well"""


@pytest.fixture(scope="module")
def programs() -> dict[str, spikec.Program]:
    net = Net(2, 6, 6)
    value = net.maxpool(net.relu(net.conv(net.x, 3)))
    value = net.relu(net.linear(net.flat(value), 8))
    graph = net.done(net.linear(value, 4))
    samples = np.random.default_rng(0).uniform(-1, 1, (32, 2, 6, 6)).astype(np.float32)
    texts = {name: OPTIONS.get(name, name) for name in SPIKING}
    return {name: spikec.convert(graph, samples, 4, text) for name, text in texts.items()}


@pytest.mark.parametrize("recipe", SPIKING)
def test_graded_events_carry_every_recipe_and_binary_ones_some(
    programs: dict[str, spikec.Program], recipe: str
) -> None:
    graph = programs[recipe].graph
    assert check(graph, load_target("generic-graded")) == []
    assert check(graph, load_target("onnx")) == []
    found = check(graph, load_target("generic-binary"))
    assert {violation.rule for violation in found} == MISSING.get(recipe, set())


def test_the_chip_gets_the_neurons_and_the_host_what_stands_around(
    programs: dict[str, spikec.Program],
) -> None:
    found = examine(programs["rate"].graph, load_target("loihi1"))
    neurons = set(programs["rate"].neurons)
    assert neurons <= {node.name for node in found.partition.chip}
    assert {"conv"} <= {node.name for node in found.partition.prefix}
    rules = {violation.rule for violation in found.violations}
    assert rules == {Rule.OPTION, Rule.WEIGHTS, Rule.STATE}
