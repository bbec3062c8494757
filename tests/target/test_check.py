"""Every violation is found, with its place and a remedy; what is legal has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, Value, ops
from spikec.target import Fact, Rule, Violation, check, examine, load_target, targets
from spikec.testing import random_graph
from tests.target.nets import CHIP_NEURON, ONE, SOFT, conv, hard_only, linear, spiking

LOIHI = load_target("loihi1")


def plain(edit: Editor, x: Value) -> Value:
    return edit.add(linear(4, 5), x, name="w")


def rules(found: list[Violation]) -> set[Rule]:
    return {violation.rule for violation in found}


def test_a_network_made_for_the_chip_has_no_violations() -> None:
    assert check(spiking((4,), plain), LOIHI) == []


@pytest.mark.parametrize(
    ("change", "rule", "expected"),
    [
        ({"reset": ops.Reset.SOFT}, Rule.RESET, "hard"),
        ({"comparison": ops.Comparison.AT_LEAST}, Rule.OPTION, ">"),
        ({"decision": ops.Decision.BEFORE_INPUT}, Rule.OPTION, "after-input"),
        ({"negative": ops.Negative.FREE}, Rule.SIGNED, "positive events"),
        ({"code": ops.IntegrateFire(ONE).code.DELTA}, Rule.CODE, "rate, sum, latency"),
        ({"threshold": Array(np.float32(2.5))}, Rule.STATE, "whole numbers"),
        ({"threshold": Array(np.float32(131072))}, Rule.STATE, "at most 131071"),
        ({"v0": Array(np.float32(0.5))}, Rule.STATE, "whole numbers"),
        ({"amplitude": Array(np.float32(0.5))}, Rule.WEIGHTS, "events that count quanta"),
        (
            {"leak": ops.Leak.SILENT, "leak_constant": Array(np.float32(1))},
            Rule.OPTION,
            "none or decay",
        ),
    ],
)
def test_each_option_that_the_neurons_lack_is_told(
    change: dict[str, Any], rule: Rule, expected: str
) -> None:
    graph = spiking((4,), plain, replace(CHIP_NEURON, **change))
    found = [v for v in check(graph, hard_only(LOIHI)) if v.rule is rule]
    assert [v.where for v in found] == ["%first = IntegrateFire", "%last = IntegrateFire"]
    assert {v.expected for v in found} == {expected}
    assert all(v.remedy for v in found)


def test_levels_beyond_the_payload_are_told() -> None:
    graph = spiking((4,), plain, replace(SOFT, levels=200))
    (first, last) = check(graph, load_target("generic-graded"))
    assert first.rule is last.rule is Rule.LEVELS
    assert "200" in first.what
    assert first.expected == "at most 127"


@pytest.mark.parametrize(
    ("weight", "told"),
    [
        (127.0, None),
        (-128.0, None),
        (128.0, None),
        (254.0, None),
        (129.0, "20 of 20 weights out of range: 129..129"),
        (256.0, "20 of 20 weights out of range: 256..256"),
        (0.5, "20 of 20 weights are no whole numbers"),
    ],
)
def test_weights_are_whole_and_in_range(weight: float, told: str | None) -> None:
    graph = spiking((4,), lambda e, x: e.add(linear(4, 5, weight), x, name="w"))
    found = check(graph, LOIHI)
    assert [(v.what, v.where) for v in found] == ([] if told is None else [(told, "%w = Linear")])


def test_truenorth_has_four_weights_per_neuron() -> None:
    def body(edit: Editor, x: Value) -> Value:
        weight = np.array([[1, 2, 3, 4, 0, 4], [1, 2, 3, 4, 5, 0]], np.float32)
        return edit.add(ops.Linear(Array(weight)), x, name="w")

    neuron = replace(CHIP_NEURON, comparison=ops.Comparison.AT_LEAST)
    (found,) = check(spiking((6,), body, neuron), load_target("truenorth"))
    assert (found.what, found.expected) == ("5 distinct weights into one neuron", "at most 4")


def test_sums_beyond_the_accumulator_are_told() -> None:
    def body(edit: Editor, x: Value) -> Value:
        return edit.add(linear(2048, 1, 127.0), x, name="w")

    (found,) = check(spiking((2048,), body), LOIHI)
    assert found.rule is Rule.ACCUMULATOR
    assert (found.what, found.where) == (
        f"sums of one step up to {2048 * 127}",
        "%last = IntegrateFire",
    )


def test_graded_currents_between_weights_are_told() -> None:
    def body(edit: Editor, x: Value) -> Value:
        return edit.add(linear(5, 3), edit.add(linear(4, 5), x, name="one"), name="two")

    (found,) = check(spiking((4,), body), LOIHI)
    assert found.rule is Rule.GRADED_CURRENT
    assert found.where == "%two = Linear"
    assert "%one" in found.what
    assert check(spiking((4,), body), load_target("nir")) == []


def skip(delay: int) -> Callable[[Editor, Value], Value]:
    def body(edit: Editor, x: Value) -> Value:
        inner = edit.add(CHIP_NEURON, edit.add(linear(4, 4), x), name="inner")
        late = edit.add(ops.Delay(delay), x) if delay else x
        return edit.add(ops.Add(), edit.add(linear(4, 4), inner), late)

    return body


EVEN = ", 1 of them because longer paths end here"


@pytest.mark.parametrize(
    ("delay", "most", "told"),
    [
        (0, 62, []),
        (61, 62, []),
        (62, 62, [f"a delay of 63 steps from %first{EVEN}"]),
        (0, 0, [f"a delay of 1 steps from %first{EVEN}"]),
        (0, 1, []),
        (0, None, []),
    ],
)
def test_what_evens_paths_out_counts_among_the_delays(
    delay: int, most: int | None, told: list[str]
) -> None:
    limit = None if most is None else Fact(most, "test")
    target = replace(LOIHI, time=replace(LOIHI.time, max_delay=limit))
    found = check(spiking((4,), skip(delay)), target)
    assert [v.what for v in found] == told
    assert all(v.rule is Rule.DELAY and v.where == "%last = IntegrateFire" for v in found)


def test_without_time_per_connection_only_delays_of_the_graph_count() -> None:
    nir = load_target("nir")
    target = replace(nir, time=replace(nir.time, max_delay=Fact(2, "test")))
    assert check(spiking((4,), skip(2)), target) == []
    (found,) = check(spiking((4,), skip(3)), target)
    assert found.what == "a delay of 3 steps from %first"


def test_ops_that_mix_steps_are_told_where_the_host_cannot_take_them() -> None:
    def body(edit: Editor, x: Value) -> Value:
        bands = edit.add_node(ops.Haar(-3), (x,), name="wavelet").outputs
        back = edit.add(ops.HaarInverse(-3), *bands, name="back")
        return edit.add(linear(4, 5), back)

    found = examine(spiking((4,), body), LOIHI)
    told = {v.where for v in found.violations if v.rule is Rule.WHOLE_SEQUENCE}
    assert told == {"%wavelet = Haar", "%back = HaarInverse"}
    assert found.partition.forced


@pytest.mark.parametrize("name", ["nir", "generic-graded", "loihi2"])
def test_neurons_at_half_the_steps_do_not_run_beside_those_at_all(name: str) -> None:
    def body(edit: Editor, x: Value) -> Value:
        low, _ = edit.add_node(ops.Haar(-3), (x,), name="wavelet").outputs
        return edit.add(linear(4, 5), low, name="weights")

    found = examine(spiking((4,), body), load_target(name))
    assert not {"last", "weights", "wavelet"} & {node.name for node in found.partition.chip}
    halves = [v for v in found.violations if "runs at 1/2 of the steps" in v.what]
    assert all(v.rule is Rule.WHOLE_SEQUENCE for v in halves)
    graph = spiking((4,), lambda edit, x: edit.add(ops.HaarInverse(-3), *[body(edit, x)] * 2))
    assert not examine(graph, load_target(name)).ok


def test_an_analog_graph_is_answered_with_a_reason() -> None:
    edit = Editor(Graph("analog"), by="test")
    x = edit.input("x", TensorType((B, 4)))
    edit.output("y", edit.add(ops.ReLU(), edit.add(linear(4, 5), x)))
    found = examine(edit.graph, LOIHI)
    assert found.partition.reasons == ("the graph holds no neurons",)
    (violation,) = found.violations
    assert violation.rule is Rule.PARTITION
    assert "no neurons" in violation.what


def test_the_analog_first_layer_and_the_decoder_are_left_to_the_host() -> None:
    edit = Editor(Graph("direct", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((B, 2, 6, 6)))
    current = edit.add(ops.Repeat(), edit.add(conv(2, 3), x, name="conv1"), name="steps")
    events = edit.add(CHIP_NEURON, current, name="n1")
    events = edit.add(CHIP_NEURON, edit.add(conv(3, 3), events, name="conv2"), name="n2")
    flat = edit.add(ops.Reshape((T, B, 108)), events)
    logits = edit.add(linear(108, 4), flat, name="logits")
    edit.output("y", edit.add(ops.MeanReadout(), logits, name="mean"))
    where = {name: examine(edit.graph, load_target(name)).partition for name in ("loihi1", "speck")}
    parts = {
        name: ([n.name for n in cut.prefix], [n.name for n in cut.suffix])
        for name, cut in where.items()
    }
    assert parts["loihi1"] == (["conv1", "steps"], ["mean"])
    assert parts["speck"] == (["conv1", "steps", "n1"], ["logits", "mean"])
    assert [v.name for v in where["loihi1"].sent] == ["steps"]
    assert [v.name for v in where["loihi1"].read] == ["logits"]
    assert [layer.name for layer in examine(edit.graph, LOIHI).resources.layers] == [
        *("n1", "n2", "logits")
    ]


def test_what_the_host_may_not_do_leaves_no_cut() -> None:
    alone = replace(LOIHI, host=replace(LOIHI.host, suffix=Fact(False, "test")))
    graph = spiking((4,), plain, readout=True)
    assert examine(graph, LOIHI).ok
    found = examine(graph, alone)
    assert not found.partition.found
    told = [v for v in found.violations if v.rule is Rule.PARTITION]
    assert len(told) == 1
    assert "the host of this target takes no part in the work" in told[0].what
    assert Rule.OPERATION in rules(list(found.violations))  # the decoder, which nobody runs


def test_a_kind_of_neurons_that_a_target_lacks_leaves_no_cut() -> None:
    neuron = ops.BipolarIF(Array(np.float32(3)), high=4)
    found = examine(spiking((4,), plain, neuron), LOIHI)
    assert found.partition.reasons == tuple(
        f"%{name} = BipolarIF: no neurons of kind BipolarIF" for name in ("first", "last")
    )
    told = [v.where for v in found.violations if v.rule is Rule.NEURON]
    assert told == ["%first = BipolarIF", "%last = BipolarIF"]


@pytest.mark.parametrize("name", sorted(targets()))
def test_no_graph_whatever_makes_the_check_fail(name: str) -> None:
    target = load_target(name)
    for seed in range(25):
        graph = random_graph(seed, size=14, stage=Stage.SPIKING)
        found = examine(graph, target)
        places = {*found.partition.prefix, *found.partition.chip, *found.partition.suffix}
        ports = {n for n in graph if isinstance(n.op, ops.Input | ops.Output)}
        assert places | ports == set(graph.nodes)
        assert found.ok == (not check(graph, target))
        found.to_json()
