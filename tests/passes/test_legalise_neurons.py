"""legalise-neurons writes what a target lacks by what it has, event for event."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spikec
from spikec.errors import UnsupportedModel
from spikec.ir import Array, Graph, ops
from spikec.ir.edit import copied
from spikec.ir.ops import Comparison, Decision, Leak, Negative, Reset
from spikec.passes.legalise_neurons import LegaliseNeurons
from spikec.pipeline import Context
from spikec.runtime import trace
from spikec.target import check, load_target
from tests.passes.conftest import Golden
from tests.passes.helpers import applied, kinds, mlp
from tests.passes.whole_nets import Whole, assert_same_events, trains

LOIHI, SIMULATOR, TRUENORTH = "loihi1", "sanafe-loihi", "truenorth"


def net(seed: int = 0, **options: Any) -> Graph:
    """Two layers of the same neurons, with a readout."""
    build = Whole(2, 5, 5, seed=seed)
    a = build.neuron(build.conv(build.x, 3), 5, name="a", **options)
    b = build.neuron(build.conv(a, 2), 7, name="b", **options)
    return build.done(build.edit.add(ops.MeanReadout(), b))


def rewritten(target: str, graph: Graph) -> Graph:
    return applied(f"legalise-neurons{{target={target}}}", graph)


def neuron(graph: Graph, name: str = "a") -> ops.IntegrateFire:
    op = graph[name].op
    assert isinstance(op, ops.IntegrateFire)
    return op


def array(number: float) -> Array:
    return Array(np.float32(number))


@given(
    st.integers(0, 99),
    st.sampled_from(list(Reset)),
    st.sampled_from(list(Comparison)),
    st.integers(-3, 6),
    st.sampled_from([LOIHI, SIMULATOR, TRUENORTH]),
)
def test_a_comparison_is_shifted_in_whole_numbers(
    seed: int, reset: Reset, comparison: Comparison, v0: int, target: str
) -> None:
    start = None if v0 == 0 else array(v0)
    graph = net(seed, comparison=comparison, reset=reset, v0=start)
    after = rewritten(target, graph)
    assert_same_events(graph, after, seed)
    wanted = Comparison.AT_LEAST if target == TRUENORTH else Comparison.ABOVE
    assert neuron(after).comparison is neuron(after, "b").comparison is wanted
    if comparison is not wanted:
        up = 1 if wanted is Comparison.ABOVE else -1
        soft = reset is Reset.SOFT
        assert neuron(after).threshold == array(5 if soft else 5 - up)
        moved = v0 + up if soft else v0
        assert neuron(after).v0 == (None if moved == 0 else array(moved))


def test_several_levels_are_compared_alike() -> None:
    graph = net(levels=3, comparison=Comparison.AT_LEAST)
    after = copied(graph)
    with pytest.raises(UnsupportedModel):  # levels: what is told is what remains
        LegaliseNeurons(SIMULATOR)(after, Context())
    assert neuron(after).comparison is Comparison.ABOVE
    assert_same_events(graph, after)


def test_a_reset_potential_is_shifted_away() -> None:
    for r, v0 in ((2, None), (-3, 1), (3, 4)):
        start = None if v0 is None else array(v0)
        graph = net(reset=Reset.HARD, reset_potential=array(r), v0=start)
        after = rewritten(LOIHI, graph)
        assert_same_events(graph, after)
        assert neuron(after).reset_potential is None


def test_a_decision_before_the_input_is_one_behind_it_and_a_step_later() -> None:
    late = Decision.BEFORE_INPUT
    graph = net(decision=late, comparison=Comparison.ABOVE, v0=array(2))
    after = rewritten(LOIHI, graph)
    inputs_of_b = [node.name for node in after if isinstance(node.op, ops.Delay)]
    assert inputs_of_b == ["a_late", "b_late"]
    old = trace(graph, trains(graph), "reference", record=["a", "b"])
    new = trace(after, trains(graph), "reference", record=["a_late", "b_late"])
    np.testing.assert_array_equal(old.outputs[0], new.outputs[0])
    for name in ("a", "b"):
        np.testing.assert_array_equal(old.values[name], new.values[f"{name}_late"])


def without_v0(tmp_path: Any) -> str:
    path = tmp_path / "still.toml"
    path.write_text(
        f'base = "{LOIHI}"\n[neurons.IntegrateFire]\nsource = "test"\n'
        'comparison = [">"]\nabsent = ["v0", "reset-potential", "rest-potential"]\n',
        "utf-8",
    )
    return str(path)


def test_an_initial_potential_becomes_a_current_of_the_first_step(tmp_path: Any) -> None:
    graph = net()
    start = Array(np.arange(3, dtype=np.float32).reshape(3, 1, 1))
    graph["a"].op = replace(neuron(graph), v0=start)
    target = without_v0(tmp_path)
    after = rewritten(target, copied(graph))
    assert_same_events(graph, after)
    assert neuron(after).v0 is None
    assert kinds(after).count("Impulse") == 2  # b starts at 1, for its comparison


def test_a_threshold_of_1_cannot_fall_to_0() -> None:
    build = Whole(4)
    graph = build.done(build.neuron(build.linear(build.x, 3), 1, name="a", reset=Reset.HARD))
    with pytest.raises(UnsupportedModel) as caught:
        rewritten(LOIHI, graph)
    assert [problem.what for problem in caught.value.problems] == ["comparison '>='"]


def test_numbers_that_are_not_whole_keep_their_comparison() -> None:
    graph = net()
    graph["b"].op = replace(neuron(graph, "b"), threshold=array(2.5))
    with pytest.raises(UnsupportedModel) as caught:
        rewritten(LOIHI, copied(graph))
    told = [(p.where.split()[0], p.what) for p in caught.value.problems]
    assert told == [("%b", "comparison '>='"), ("%b", "threshold: 1 of 1 no whole numbers")]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"negative": Negative.FREE}, "negative events"),
        ({"levels": 3}, "events of up to 3 quanta"),
        ({"leak": Leak.SILENT, "leak_constant": array(0.5)}, "leak 'silent'"),
    ],
)
def test_what_cannot_be_written_exactly_is_listed(options: dict[str, Any], told: str) -> None:
    graph = net(comparison=Comparison.ABOVE, **options)
    with pytest.raises(UnsupportedModel) as caught:
        rewritten(LOIHI, graph)
    found = {(p.where.split()[0], p.what) for p in caught.value.problems}
    assert {("%a", told), ("%b", told)} <= found
    assert all(problem.remedy for problem in caught.value.problems)


def test_what_is_legal_already_stays_as_it_is() -> None:
    graph = net(comparison=Comparison.ABOVE)
    assert str(rewritten(SIMULATOR, graph)) == str(graph)
    assert check(graph, load_target(SIMULATOR)) == []
    assert str(rewritten("onnx", net())) == str(net())


def test_a_program_with_rounded_inputs_is_whole_from_its_first_layer() -> None:
    x = np.random.default_rng(0).random((32, 5)).astype(np.float32)
    rounding: dict[str, Any] = {
        "weight_bits": 8,
        "input_bits": 4,
        "weight_options": "sign=mixed-even",
    }
    program = spikec.convert(mlp(5, 6, 4, 3), x, 8, "rate", **rounding)
    placed = spikec.lower(program, SIMULATOR)
    assert check(placed.graph, load_target(SIMULATOR)) == []
    before, after = program.run(x), placed.run(x)
    assert np.array_equal(before.output_by_step, after.output_by_step)
    assert before.events == after.events > 0
    fractions = spikec.convert(mlp(5, 6, 4, 3), x, 8, "rate", weight_bits=8)
    with pytest.raises(UnsupportedModel):
        spikec.lower(fractions, SIMULATOR)


def test_golden(golden: Golden) -> None:
    build = Whole(2)
    graph = build.done(build.neuron(build.linear(build.x, 2), name="a"))
    golden("legalise_neurons", graph, rewritten(SIMULATOR, graph))
