"""Converted programs are fitted to chips without a change of an event, or all reasons are told."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikec
from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Stage, ops
from spikec.lowering import LOWERED, lowering
from spikec.program import Program
from spikec.target import check, load_target, placement_of
from tests.passes.helpers import calibration, mlp, random_net
from tests.pipeline.test_recipes import refusable

STEPS = 6
CHIPS = ("loihi1", "loihi2", "sanafe-loihi")
OPTIONS = "sign=mixed-even,shortcuts=true,accumulator=18,threshold=17"
"""weights, sums and thresholds as Loihi stores them"""


def converted(seed: int, bits: int = 6, recipe: str = "rate{average-pools=true}") -> Program:
    net = random_net(seed)
    return spikec.convert(
        net,
        calibration(net),
        STEPS,
        recipe,
        weight_bits=bits,
        weight_options=OPTIONS,
        input_bits=3,
    )


def samples(program: Program) -> dict[str, Any]:
    assert program.reference is not None
    return calibration(program.reference, 5, seed=3)


def assert_same(before: Program, after: Program) -> int:
    """Compare every event of the neurons that both have; give their number."""
    inputs = samples(before)
    old, new = before.run(inputs), after.run(inputs)
    np.testing.assert_array_equal(old.output, new.output)
    assert set(old.spikes) <= set(new.spikes)
    for name, train in old.spikes.items():
        np.testing.assert_array_equal(train != 0, new.spikes[name] != 0)
    return sum(int(np.count_nonzero(train)) for train in old.spikes.values())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 60), st.sampled_from(CHIPS), st.integers(4, 7))
def test_converted_networks_fit_chips_event_for_event(seed: int, chip: str, bits: int) -> None:
    with refusable(bits):
        program = converted(seed, bits)
    lowered = fitted(program, chip)
    if isinstance(lowered, UnsupportedModel):
        assert lowered.problems
        assert {p.what for p in lowered.problems} <= told(program, chip)
        return
    assert lowered.graph.stage is Stage.PLACED
    assert check(lowered.graph, load_target(chip)) == []
    placement = placement_of(lowered.graph)
    assert placement is not None
    assert placement.target == chip
    assert assert_same(program, lowered) > 0


def fitted(program: Program, chip: str) -> Program | UnsupportedModel:
    """Give the lowered program, or why there is none."""
    try:
        return spikec.lower(program, chip)
    except UnsupportedModel as error:
        return error


def told(program: Program, chip: str) -> set[str]:
    """Give what a check has against a program, but for what passes rewrite."""
    return {violation.what for violation in check(program.graph, load_target(chip))}


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("seed", range(3))
def test_networks_of_the_shelf_do_fit(seed: int, chip: str) -> None:
    net = mlp(6, 12, 8, 3, seed=seed)
    program = spikec.convert(
        net, calibration(net), STEPS, "rate", weight_bits=7, weight_options=OPTIONS, input_bits=3
    )
    lowered = spikec.lower(program, chip, samples(program))
    assert assert_same(program, lowered) > 0
    neurons = [n.op for n in lowered.graph if isinstance(n.op, ops.IntegrateFire)]
    above = {neuron.comparison for neuron in neurons}
    assert above == ({ops.Comparison.AT_LEAST} if chip == "loihi2" else {ops.Comparison.ABOVE})
    assert [step["text"] for step in lowered.record[LOWERED]["passes"]] == lowering(chip).split(",")
    with pytest.raises(UsageError, match="is a placed program already"):
        spikec.lower(lowered, chip)


def test_everything_that_keeps_a_program_from_a_chip_is_told_at_once() -> None:
    """Passes refuse one after another; a user hears of what each of them has against it."""
    net = mlp(6, 300, 300, 3)
    program = spikec.convert(net, calibration(net), STEPS, "rate", weight_bits=8)
    with pytest.raises(UnsupportedModel, match="cannot be fitted to truenorth") as caught:
        spikec.lower(program, "truenorth")
    problems = {p.what for p in caught.value.problems}
    assert any("300 synapses into one neuron" in what for what in problems)
    assert any("300 synapses from one neuron" in what for what in problems)
    assert any("distinct weights" in what for what in problems)
    # 300 sources by four axons each, of 256: one for each weight that a neuron has
    wide = [p for p in caught.value.problems if "into one neuron, 5 times" in p.what]
    assert all("partial sums can be negative" in p.expected for p in wide)
    assert len(wide) == 1
    assert program.graph.stage is Stage.SPIKING


@pytest.mark.skipif(importlib.util.find_spec("sanafe") is None, reason="sanafe is not installed")
@pytest.mark.parametrize("seed", [0, 3])
def test_lowered_programs_run_on_the_simulated_chip(seed: int) -> None:
    program = converted(seed)
    found = spikec.lower(program, "sanafe-loihi").verify("sanafe_chip", samples(program))
    assert found.ok, found
    assert found.compared[0].unequal == 0
    assert found.compared[0].entries > 0
