"""The verifier finds every kind of damage, all of it at once, and leaves good graphs alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings

from spikec.errors import VerifyError
from spikec.ir import (
    Array,
    B,
    Dims,
    DType,
    Editor,
    Family,
    Graph,
    Location,
    Op,
    Sizes,
    Spikes,
    Stage,
    T,
    TensorType,
    Timing,
    Value,
    ops,
)
from spikec.ir.op import Types, Values
from spikec.ir.stages import STAGES
from spikec.ir.verify import RULES, verify
from spikec.testing import graphs
from tests.ir.examples import EVENTS, EXAMPLES, FRAMES, Example, example_graph, small_graph


def problems(graph: Graph) -> list[str]:
    """Verify a graph that is broken; give what the error says, one text per problem."""
    with pytest.raises(VerifyError) as caught:
        verify(graph)
    assert f"{len(caught.value.problems)} rule" in caught.value.what
    return [str(problem) for problem in caught.value.problems]


def test_a_good_graph_passes() -> None:
    verify(small_graph())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e[0]).__name__)
def test_every_op_passes(example: Example) -> None:
    verify(example_graph(example))


@settings(max_examples=100)
@given(graphs())
def test_random_graphs_pass(graph: Graph) -> None:
    verify(graph)


@settings(max_examples=100)
@given(graphs(stage=Stage.SPIKING) | graphs(stage=Stage.PLACED))
def test_random_graphs_with_time_pass(graph: Graph) -> None:
    verify(graph)


def test_an_input_that_nobody_reads_is_allowed() -> None:
    graph = small_graph()
    Editor(graph, by="test").input("unused", FRAMES.with_dims((B, 1)))
    verify(graph)


# ---- damage, one kind at a time ---------------------------------------------------------------


def _name(graph: Graph) -> None:
    graph["clip"].name = "2 clips"


def _same_name(graph: Graph) -> None:
    graph["clip"].name = "conv"


def _order(graph: Graph) -> None:
    nodes = graph._nodes
    nodes["conv"] = nodes.pop("conv")


def _cycle(graph: Graph) -> None:
    Editor(graph, by="test").rewire(graph["clip"], graph["add"].outputs)


def _foreign_operand(graph: Graph) -> None:
    other = small_graph()["conv"].outputs[0]
    graph["clip"].inputs = (other,)


def _stale_operand(graph: Graph) -> None:
    clip = graph["clip"]
    clip.outputs = (Value(clip, 0, clip.outputs[0].type),)


def _removed_producer(graph: Graph) -> None:
    del graph._nodes["conv"]


def _lost_user(graph: Graph) -> None:
    graph["conv"].outputs[0].users.clear()


def _extra_user(graph: Graph) -> None:
    graph["conv"].outputs[0].users[graph["x"]] = None


def _result_of_another(graph: Graph) -> None:
    graph["clip"].outputs[0].producer = graph["conv"]


def _type(graph: Graph) -> None:
    value = graph["add"].outputs[0]
    value.type = replace(value.type, dtype=DType.F16)


def _too_few_results(graph: Graph) -> None:
    topk = graph["topk"]
    topk.outputs = topk.outputs[:1]


def _operands(graph: Graph) -> None:
    graph["add"].inputs = graph["add"].inputs[:1]


def _negative_size(graph: Graph) -> None:
    x = graph["x"]
    x.op = ops.Input(TensorType((B, -3, 8, 8)))
    x.outputs[0].type = x.op.type


def _numpy_size(graph: Graph) -> None:
    x = graph["x"]
    x.op = ops.Input(TensorType((B, np.int64(3), 8, 8)))  # type: ignore[arg-type]
    x.outputs[0].type = x.op.type


def _parameter(number: float) -> Callable[[Graph], None]:
    def damage(graph: Graph) -> None:
        conv = graph["conv"].op
        assert isinstance(conv, ops.Conv)
        data = conv.weight.data.copy()
        data[0, 1, 2, 0] = number
        graph["conv"].op = replace(conv, weight=Array(data))

    return damage


def _field(graph: Graph) -> None:
    graph["clip"].op = ops.Clip(float("nan"), 1.0)


def _mask(graph: Graph) -> None:
    graph["mask"].op = ops.Constant(Array(np.array([0, np.nan], np.float32)))


def _element_type(graph: Graph) -> None:
    conv = graph["conv"].op
    assert isinstance(conv, ops.Conv)
    graph["conv"].op = replace(conv, weight=Array(conv.weight.data, "longdouble"))


def _no_input(graph: Graph) -> None:
    x = graph["x"]
    x.op = ops.Constant(Array(np.zeros((1, 3, 8, 8), np.float32)))


def _no_output(graph: Graph) -> None:
    edit = Editor(graph, by="test")
    for node in graph.outputs:
        edit.remove(node)


def _neuron(graph: Graph) -> None:
    graph["clip"].op = ops.BipolarIF(Array(np.float32(1)), high=3)


def _time(graph: Graph) -> None:
    x = graph["x"]
    x.op = ops.Input(TensorType((T, B, 3, 8, 8)))
    x.outputs[0].type = x.op.type


def _events(graph: Graph) -> None:
    x = graph["x"]
    x.op = ops.Input(replace(x.outputs[0].type, signal=Spikes(Array(1.0))))
    x.outputs[0].type = x.op.type


@dataclass(frozen=True)
class Damage:
    """A way to break the small graph, and what the verifier has to say about it."""

    harm: Callable[[Graph], None]
    found: str
    at: str = ""

    def __str__(self) -> str:
        """Name the damage in a test report."""
        return self.harm.__name__.strip("_")


DAMAGES = (
    Damage(_name, "'2 clips' is no node name"),
    Damage(_same_name, "the node called 'conv' stands in the graph as 'clip'"),
    Damage(_order, "operand 0, %conv: f32[B, 3, 8, 8], is computed after this node", "%clip"),
    Damage(_cycle, "operand 0, %add: f32[B, 3, 8, 8], is computed after this node", "%clip"),
    Damage(_foreign_operand, "%conv: f32[B, 3, 8, 8], belongs to no node of this graph", "%clip"),
    Damage(_stale_operand, "%clip: f32[B, 3, 8, 8], belongs to no node of this graph", "%add"),
    Damage(_removed_producer, "%conv: f32[B, 3, 8, 8], belongs to no node of this", "%clip"),
    Damage(_lost_user, "%conv lists nobody as its readers", "%conv"),
    Damage(_extra_user, "%conv lists clip, x as its readers", "%conv"),
    Damage(_result_of_another, "result 0 says that it is result 0 of another node", "%clip"),
    Damage(_type, "recorded types f16[B, 3, 8, 8]", "%add"),
    Damage(_too_few_results, "recorded types f32[B, 1]", "%topk"),
    Damage(_operands, "1 operands", "%add"),
    Damage(_negative_size, "sizes B, -3, 8, 8 of %x", "%x"),
    Damage(_numpy_size, "sizes B, np.int64(3), 8, 8 of %x", "%x"),
    Damage(_parameter(np.nan), "weight float32[3, 3, 3, 3] holds numbers that are NaN: 1 of 81, "
           "the first at [0, 1, 2, 0]", '%conv = Conv from layer1.conv (net.py:12)'),
    Damage(_parameter(-np.inf), "holds numbers that are infinite: 1 of 81", "%conv"),
    Damage(_field, "field low is NaN", "%clip"),
    Damage(_mask, "value float32[2] holds numbers that are NaN: 1 of 2", "%mask"),
    Damage(_element_type, "weight has elements of type", "%conv"),
    Damage(_no_input, "the graph has no Input"),
    Damage(_no_output, "the graph has no Output"),
    Damage(_neuron, "an op of the neuron family in an analog graph", "%clip"),
    Damage(_time, "time steps in an analog graph: %x: f32[T, B, 3, 8, 8]", "%x"),
    Damage(_events, "spikes in an analog graph: %x: f32[B, 3, 8, 8] spikes(", "%x"),
)  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_damage_is_found_and_placed(damage: Damage) -> None:
    graph = small_graph()
    damage.harm(graph)
    found = [text for text in problems(graph) if damage.found in text]
    assert found
    assert damage.at in found[0]


def test_every_problem_stands_in_the_one_error() -> None:
    graph = small_graph()
    for harm in (_field, _mask, _lost_user, _no_output):
        harm(graph)
    text = "\n".join(problems(graph))
    for found in ("field low", "value float32[2] holds", "lists nobody", "no Output"):
        assert found in text


def test_every_rule_is_broken_by_some_damage() -> None:
    broken = set()
    for damage in DAMAGES:
        graph = small_graph()
        damage.harm(graph)
        broken |= {rule for rule in RULES if list(rule(graph))}
    assert broken == set(RULES)


# ---- stages -----------------------------------------------------------------------------------


def _staged(example: Example, stage: Stage) -> Graph:
    graph = example_graph(example)
    Editor(graph, by="test").stage(stage)
    return graph


def test_stages_admit_what_they_name() -> None:
    assert STAGES.keys() == set(Stage)
    assert Family.NEURON not in STAGES[Stage.ANALOG].families
    assert STAGES[Stage.SPIKING].families == set(Family)
    refused = set(Family) - STAGES[Stage.PLACED].families
    assert refused == {Family.NORM, Family.ACTIVATION, Family.REDUCE, Family.LOGIC}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e[0]).__name__)
@pytest.mark.parametrize("stage", Stage)
def test_an_op_is_refused_exactly_where_its_family_is(example: Example, stage: Stage) -> None:
    graph = _staged(example, stage)
    found = [p.what for rule in RULES for p in rule(graph) if "family in" in p.what]
    family = example[0].family
    expected = family not in STAGES[stage].families | STAGES[stage].ends
    assert found == [f"an op of the {family.value} family in a{'n' * (stage is Stage.ANALOG)} "
                     f"{stage.value} graph"] * expected  # fmt: skip


def test_a_placed_graph_keeps_dense_ops_at_its_ends_alone() -> None:
    for place in range(3):
        edit = Editor(Graph("net", Stage.PLACED), by="test")
        x = edit.input("x", TensorType((T, B, 3)))
        neuron = ops.IntegrateFire(Array(np.float32(1)))
        for number in range(3):
            if number == place:
                x = edit.add(ops.Sigmoid(), x, name="dense")
            x = edit.add(neuron, x) if number < 2 else x
        edit.output("y", x)
        told = [p.what for rule in RULES for p in rule(edit.graph)]
        assert told == ["an op of the activation family in a placed graph"] * (place == 1)


def test_time_and_spikes_are_refused_in_an_analog_graph() -> None:
    text = "\n".join(problems(_staged((ops.Flip((-1,)), (EVENTS,)), Stage.ANALOG)))
    assert text.count("spikes in an analog graph") == 2
    assert text.count("time steps in an analog graph") == 2
    verify(_staged((ops.Flip((-1,)), (EVENTS,)), Stage.PLACED))


# ---- spikes and time --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "found"),
    [
        (Spikes(Array([0.5, 0.0])), "is not positive"),
        (Spikes(Array([0.5, np.inf])), "is not positive"),
        (Spikes(Array([0.5, np.nan])), "is not positive"),
        (Spikes(Array(1.0), levels=0), "0 levels per step"),
        (Spikes(Array([1.0, 2.0, 3.0])), "does not fit"),
        (Spikes(Array([[[[1.0]]]])), "does not fit"),
    ],
)
def test_impossible_spikes_are_found(signal: Spikes, found: str) -> None:
    graph = example_graph((ops.Flip((-1,)), (EVENTS,)))
    x = graph["x"]
    x.op = ops.Input(replace(EVENTS, signal=signal))
    x.outputs[0].type = x.op.type
    assert any(found in text and "%x" in text for text in problems(graph))


@dataclass(frozen=True)
class Wrong(Op):
    """An op that says one thing about time and does another."""

    result: TensorType
    says: Timing = Timing.STEPWISE

    family = Family.TEMPORAL

    def infer(self, inputs: Types) -> Types:
        return (self.result,)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        return inputs

    def timing(self, inputs: Types) -> Timing:
        return self.says


@pytest.mark.parametrize(
    ("says", "operand", "result", "found"),
    [
        (Timing.STEPWISE, (T, B), (T / 2, B), "a stepwise node at several rates"),
        (Timing.SCAN, (T, B), (T / 2, B), "a scan node at several rates"),
        (Timing.STEPWISE, (T, B), (B,), "of a stepwise node holds no T"),
        (Timing.SCAN, (B,), (B,), "of a scan node holds no T"),
        (Timing.STATIC, (B,), (T, B), "a static node with a result that holds T"),
    ],
)
def test_an_op_that_is_wrong_about_time_is_found(
    says: Timing, operand: Dims, result: Dims, found: str
) -> None:
    op = Wrong(TensorType(result), says)
    assert any(found in text for text in problems(_timed(op, operand)))


def test_a_whole_sequence_op_may_change_the_rate() -> None:
    verify(_timed(Wrong(TensorType((T / 2, B)), Timing.WHOLE), (T, B)))


def _timed(op: Op, operand: Dims) -> Graph:
    edit = Editor(Graph("g", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType(operand))
    edit.output("y", edit.add(op, x, location=Location.at("body")))
    return edit.graph
