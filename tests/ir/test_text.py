"""Text that round-trips every graph, and mistakes in it that are easy to find."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.errors import ParseError, SpikecError
from spikec.ir import Array, B, Editor, Graph, Location, Place, Stage, T, TensorType, ops
from spikec.ir.array_text import ArrayTable, array_text, read_array
from spikec.ir.codec import kind_of
from spikec.ir.parser import parse
from spikec.ir.printer import print_graph
from spikec.ir.tokens import Tokens
from spikec.testing import graphs
from tests.ir.examples import EVENTS, EXAMPLES, Example, example_graph, small_graph

SMALL = """\
analog graph "small" {
  %x = Input(type=f32[B, 3, 8, 8]) : f32[B, 3, 8, 8]  @ ("net.py":3)
  %conv = Conv(%x; weight=f32[3, 3, 3, 3]#02c7f5f65037, bias=None, stride=(1, 1), \
padding=((1, 1), (1, 1)), dilation=(1, 1)) : f32[B, 3, 8, 8]  @ layer1.conv ("net.py":12)
  %clip = Clip(%conv; low=0.0, high=6.0) : f32[B, 3, 8, 8]  @ layer1.conv ("net.py":12) + "0.act"
  %add = Add(%clip, %x) : f32[B, 3, 8, 8]  @ onnx "/layer1/Add"
  %reshape = Reshape(%add; dims=(B, 192)) : f32[B, 192]
  %mask = Constant(value=f32[2](0.0, -inf)) : f32[2]
  %linear = Linear(%reshape; weight=f64[2, 192]#2309ab3c6da4, bias=f64[2](0.5, -0.0)) : f32[B, 2]
  %add_2 = Add(%linear, %mask) : f32[B, 2]
  %topk = TopK(%add_2; k=1, axis=-1) : f32[B, 1], i64[B, 1]
  %value = Output(%topk)
  %index = Output(%topk#1)
}
"""


def round_trip(graph: Graph) -> Graph:
    return parse(print_graph(graph), graph.arrays())


def test_a_graph_is_written_one_line_a_node() -> None:
    assert print_graph(small_graph()) == SMALL
    assert str(small_graph()) == SMALL


def test_written_text_reads_back_as_the_same_graph() -> None:
    assert round_trip(small_graph()) == small_graph()
    assert round_trip(small_graph()).journal == []


def test_there_is_an_example_of_every_op() -> None:
    shown = {type(op) for op, _ in EXAMPLES} | {ops.Input, ops.Output}
    assert shown == set(ops.OPS.values())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e[0]).__name__)
def test_every_op_reads_back(example: Example) -> None:
    graph = example_graph(example)
    assert round_trip(graph) == graph


@settings(max_examples=200)
@given(graphs())
def test_random_graphs_read_back(graph: Graph) -> None:
    assert round_trip(graph) == graph


@settings(max_examples=200)
@given(graphs(stage=Stage.SPIKING))
def test_random_spiking_graphs_read_back(graph: Graph) -> None:
    assert round_trip(graph) == graph


def test_space_comments_and_trailing_commas_do_not_matter() -> None:
    text = """// a network
    analog graph "g" {
      %x = Input(type=f32[B,
        2]) : f32[B, 2]   // two numbers
      %y = Reshape(%x; dims=(2 * B,),) : f32[2*B]
      %z = Output(%y,)
    }"""
    assert [str(v.type) for n in parse(text) for v in n.outputs] == ["f32[B, 2]", "f32[2*B]"]


floats = st.floats(width=64)


@given(floats)
def test_floating_fields_read_back_exactly(number: float) -> None:
    kind = kind_of(float)
    table = ArrayTable(())
    text = kind.text(number, 32)
    assert repr(kind.read(Tokens(text), table)) == repr(number)
    assert repr(kind.load(kind.dump(number), table)) == repr(number)


@given(st.text(st.characters()))
def test_any_string_reads_back_from_one_line(string: str) -> None:
    kind = kind_of(str)
    text = kind.text(string, 32)
    assert len(text.splitlines()) == 1
    assert kind.read(Tokens(text), ArrayTable(())) == string


@given(st.text(st.characters(), min_size=1), st.text(), st.integers(0), st.text())
def test_any_place_reads_back(module: str, file: str, line: int, onnx: str) -> None:
    places = (Place(module, file, line, onnx), Place("", file, line), Place("", "", 0, onnx))
    edit = Editor(Graph("g"), by="test")
    x = edit.input("x", TensorType((B,)), Location((*places, Place(module))))
    edit.output("y", x, Location((Place("onnx"), Place())))
    assert round_trip(edit.graph) == edit.graph


ARRAYS = (
    *(np.array(v) for v in (True, 7, -0.0, [], [[1.5, 2.5]], [np.nan, np.inf, -np.inf])),
    *(np.array([-1, 0, 1], t) for t in (np.int8, np.int16, np.int32, np.int64)),
    *(np.array([0.1, 1e-7, 65504], t) for t in (np.float16, np.float32, np.float64)),
    np.array([0, 255], np.uint8),
    np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max]),
    np.zeros((2, 0, 3), np.float16),
    np.arange(9.0),
    np.array([0x7FC00001, 0xFF800001], np.uint32).view(np.float32),
)


@pytest.mark.parametrize("data", ARRAYS, ids=lambda a: f"{a.dtype}{list(a.shape)}")
def test_arrays_read_back_to_the_bit(data: np.ndarray[Any, Any]) -> None:
    array = Array(data)
    again = read_array(Tokens(array_text(array)), ArrayTable([array]))
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    assert again.data.tobytes() == array.data.tobytes()


@given(st.lists(st.floats(width=32), max_size=8))
def test_small_arrays_stand_in_the_text_with_all_their_digits(numbers: list[float]) -> None:
    array = Array(np.array(numbers, np.float32))
    assert read_array(Tokens(array_text(array)), ArrayTable([array])) == array


def test_small_numbers_are_shown_and_many_are_named_by_content() -> None:
    assert array_text(Array(np.array([0.1, 2], np.float32))) == "f32[2](0.1, 2.0)"
    many = Array(np.arange(9))
    assert array_text(many) == f"i64[9]#{many.digest[:12]}"


def test_digests_grow_until_they_tell_all_arrays_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {9: "a" * 32, 10: "a" * 20 + "b" * 12}
    monkeypatch.setattr(Array, "digest", property(lambda self: digests[self.size]))
    edit = Editor(Graph("g"), by="test")
    for size in digests:
        edit.output("y", edit.constant(ops.Constant(Array(np.zeros(size)))))
    assert f"#{'a' * 20}b)" in print_graph(edit.graph)
    assert round_trip(edit.graph) == edit.graph


def test_a_default_is_left_out_but_a_negative_zero_is_not() -> None:
    x = TensorType((B, 4))
    assert "Pad(%x; pads=((1, 1),)) :" in str(example_graph((ops.Pad(((1, 1),)), (x,))))
    graph = example_graph((ops.Pad(((1, 1),), value=-0.0), (x,)))
    assert "value=-0.0" in str(graph)
    assert str(round_trip(graph)) == str(graph)


def test_types_over_time_and_spikes_are_written_in_full() -> None:
    wide = TensorType((T, B, 2), EVENTS.dtype, EVENTS.signal)
    graph = example_graph((ops.Flip((-1,)), (wide,)))
    assert "f32[T, B, 2] Spikes(amplitude=f32[2](0.5, 1.0))" in str(graph)
    assert "f32[T, B, 2] Spikes(amplitude=f32[2](1.0, 0.5))" in str(graph)
    assert round_trip(graph) == graph


def test_large_amplitudes_of_inputs_are_among_the_arrays() -> None:
    signal = type(EVENTS.signal)(Array(np.arange(1.0, 13)))  # type: ignore[call-arg]
    graph = example_graph((ops.Flip((-1,)), (TensorType((T, B, 12), EVENTS.dtype, signal),)))
    assert round_trip(graph) == graph


@dataclass(frozen=True)
class Mistake:
    """A change to the text, and what the error has to say about it."""

    old: str
    new: str
    message: str
    at: str | None = None
    """what the caret points to; by default the new text"""


MISTAKES = (
    Mistake("Conv(", "Cnov(", "unknown op 'Cnov'.*did you mean Conv"),
    Mistake("Clip(", "clip(", "unknown op 'clip'.*did you mean Clip"),
    Mistake("%conv;", "%cnov;", "%cnov is not defined before it is used.*did you mean conv"),
    Mistake("Add(%clip, %x)", "Add(%topk, %x)", "%topk is not defined", "%topk, %x"),
    Mistake("%clip =", "%conv =", "%conv is defined twice"),
    Mistake("%conv =", "%conv#1 =", "named without '#'"),
    Mistake("(%topk#1)", "(%topk#2)", "%topk has 2 results, and none is %topk#2", "%topk#2"),
    Mistake("(%topk#1)", "(%value)", "%value has 0 results", "%value)"),
    Mistake("stride=(1, 1), ", "", "Conv lacks stride", "Conv(%x"),
    Mistake("stride=", "strid=", "no field 'strid'.*did you mean stride"),
    Mistake("low=0.0,", "low=0.0, low=1.0,", "field 'low' stands twice", "low=1.0"),
    Mistake("k=1", "k=1.5", "1.5 is not a whole number", "1.5"),
    Mistake("k=1", "k=9", "k = 9 of 2", "TopK"),
    Mistake("low=0.0", "low=zero", "'zero' does not belong.*a number", "zero"),
    Mistake("high=6.0", "high=six", "'six' does not belong", "six"),
    Mistake("((1, 1), (1, 1))", "((1, 1), (1, 1, 1))", "2 items only", "1)), d"),
    Mistake("((1, 1), (1, 1))", "((1, 1), (1,))", "1 items", "(1,))"),
    Mistake("f32[B, 192]", "f32[B, 191]", "the result type is wrong.*f32.B, 192"),
    Mistake(": f32[B, 192]", "", "'%mask' does not belong here.*':'", "%mask ="),
    Mistake("f32[B, 1], i64[B, 1]", "f32[B, 1]", "'%value' does not belong here", "%value ="),
    Mistake("f32[B, 192]", "f32[B, 192], f32[]", "more than 1 result types", "Reshape"),
    Mistake("f32[B, 192]", "f31[B, 192]", "unknown element type 'f31'.*did you mean"),
    Mistake("dims=(B, 192)", "dims=(B, 19 2 -)", "stray '-'", "-)"),
    Mistake("dims=(B, 192)", "dims=(C, 192)", "'C' is not a size", "C, 192"),
    Mistake("#02c7f5f65037", "#02c7f5f65030", "no arrays are called #02c7f5f65030"),
    Mistake("f32[3, 3, 3, 3]#", "f32[3, 3, 9]#", "is f32.3, 3, 3, 3.*f32.3, 3, 9"),
    Mistake("f32[2](0.0, -inf)", "f32[3](0.0, -inf)", "2 numbers.*3 for"),
    Mistake("f32[2](0.0, -inf)", "f32[2](0.0, 1e39)", "no element of type f32", "1e39"),
    Mistake("f32[2](0.0, -inf)", "i8[2](0, 128)", "no element of type i8", "128"),
    Mistake("analog graph", "analogue graph", "'analogue' does not belong.*analog or spiking"),
    Mistake('"small"', '"small', "without its closing quote"),
    Mistake('("net.py":3)', "(net.py:3)", "'net.py' does not belong.*quoted", "net.py:3"),
    Mistake('@ ("net.py":3)', "@ + x", "a place such as", "+ x"),
    Mistake("%index = Output", "%3 = Output", "stray '%'", "%3"),
    Mistake("(%topk#1)\n}", "(%topk#1)\n", "the end of the text does not belong", ""),
    Mistake("(%topk#1)\n}", "(%topk#1)\n} more", "'more' does not belong", "more"),
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.new.strip() or f"no {m.old}")
def test_a_mistake_is_shown_where_it_is(mistake: Mistake) -> None:
    text = SMALL.replace(mistake.old, mistake.new, 1)
    assert text != SMALL
    with pytest.raises(ParseError) as caught:
        parse(text, small_graph().arrays())
    message = str(caught.value)
    assert re.search(mistake.message, message, re.DOTALL), message
    where = caught.value.where.splitlines()
    assert re.fullmatch(r"line \d+, column \d+", where[0])
    pointed = where[1][len(where[2]) - 1 :]
    assert pointed.startswith(mistake.new if mistake.at is None else mistake.at)


def test_a_large_array_that_was_not_given_is_asked_for() -> None:
    with pytest.raises(ParseError, match="give the arrays of the graph") as caught:
        parse(SMALL)
    assert "line 3, column 42" in caught.value.where


def test_a_place_in_a_long_line_is_shown_in_a_window() -> None:
    with pytest.raises(ParseError) as caught:
        parse(SMALL.replace("dilation", "dilution"), small_graph().arrays())
    _, line, caret = caught.value.where.splitlines()
    assert len(line) < 140
    assert line[len(caret) - 1 :].startswith("dilution")


@settings(max_examples=300)
@given(st.data())
def test_no_change_to_the_text_ends_in_anything_but_a_graph_or_a_spikec_error(
    data: st.DataObject,
) -> None:
    start = data.draw(st.integers(0, len(SMALL)))
    stop = data.draw(st.integers(start, min(len(SMALL), start + 12)))
    pieces = st.sampled_from(["", "0", "-1", "(", ")", "None", "%x", "#0", '"', "T*B", "1e999"])
    text = SMALL[:start] + data.draw(pieces | st.text(max_size=3)) + SMALL[stop:]
    with contextlib.suppress(SpikecError):
        graph = parse(text, small_graph().arrays())
        assert round_trip(graph) == graph
