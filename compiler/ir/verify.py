"""The rules of the IR, checked on a whole graph; everything that breaks one stands in one error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import fields

import numpy as np

from spikec.errors import Problem, SpikecError, TypeMismatch, VerifyError
from spikec.ir.array import Array, arrays_in
from spikec.ir.dims import Dim, SymbolicDim
from spikec.ir.edit import infer
from spikec.ir.graph import NAME, Graph, Node, Value
from spikec.ir.op import Timing, broadcast_dims
from spikec.ir.ops.boundary import Constant
from spikec.ir.stages import stage_problems
from spikec.ir.types import DType, Spikes, TensorType


def verify(graph: Graph) -> None:
    """Raise one VerifyError that lists every rule that the graph breaks.

    >>> verify(Graph("empty"))
    Traceback (most recent call last):
    spikec.errors.VerifyError: graph 'empty' breaks 2 rules
    - the graph has no Input
      remedy:   Editor.input adds one
    - the graph has no Output
      remedy:   Editor.output adds one
    """
    problems = [problem for rule in RULES for problem in rule(graph)]
    if problems:
        count = f"{len(problems)} rule{'s' * (len(problems) > 1)}"
        raise VerifyError(f"graph {graph.name!r} breaks {count}", problems=problems)


def boundary(graph: Graph) -> Iterator[Problem]:
    """Values come in and go out."""
    if not graph.inputs:
        yield Problem("the graph has no Input", remedy="Editor.input adds one")
    if not graph.outputs:
        yield Problem("the graph has no Output", remedy="Editor.output adds one")


def names(graph: Graph) -> Iterator[Problem]:
    """A node stands in the graph under its name, which is a valid one, and owns its results."""
    for key, node in graph._nodes.items():
        if not NAME.fullmatch(node.name):
            what = f"{node.name!r} is no node name"
            yield Problem(what, node.place, f"letters of {NAME.pattern}", "Editor.unique gives one")
        if key != node.name:
            what = f"the node called {node.name!r} stands in the graph as {key!r}"
            yield Problem(what, node.place, "one name, which no other node has")
        for index, value in enumerate(node.outputs):
            if value.producer is not node or value.index != index:
                what = f"result {index} says that it is result {value.index} of another node"
                yield Problem(what, node.place, f"result {index} of this node")


def order(graph: Graph) -> Iterator[Problem]:
    """Every operand is a result of a node of this graph that stands before its reader."""
    members = {id(node) for node in graph}
    seen: set[int] = set()
    for node in graph:
        for position, value in enumerate(node.inputs):
            what = f"operand {position}, {value!r}, "
            if id(value.producer) not in members or value not in value.producer.outputs:
                what += "belongs to no node of this graph"
                yield Problem(what, node.place, "a result of an earlier node")
            elif id(value) not in seen:
                what += "is computed after this node"
                yield Problem(what, node.place, "a result of an earlier node", "move this node")
        seen.update(map(id, node.outputs))


def users(graph: Graph) -> Iterator[Problem]:
    """A value knows its readers, and no others."""
    readers: dict[int, dict[Node, None]] = {}
    for node in graph:
        for value in node.inputs:
            readers.setdefault(id(value), {})[node] = None
    for node in graph:
        for value in node.outputs:
            actual = readers.get(id(value), {})
            if value.users.keys() != actual.keys():
                listed = ", ".join(user.name for user in value.users) or "nobody"
                expected = ", ".join(user.name for user in actual) or "nobody"
                what = f"%{value.name} lists {listed} as its readers"
                yield Problem(what, node.place, expected, "change graphs through Editor only")


def types(graph: Graph) -> Iterator[Problem]:
    """Recorded types are those that ops infer, and sizes are numbers from 0 on."""
    for node in graph:
        for value in node.outputs:
            yield from _type(value)
        try:
            inferred = infer(node.op, node.input_types, node.place)
        except TypeMismatch as error:
            yield Problem(error.what, error.where, error.expected, error.remedy)
            continue
        recorded = node.output_types
        if recorded != inferred:
            shown = [", ".join(map(str, row)) or "no results" for row in (recorded, inferred)]
            what = f"recorded types {shown[0]}"
            yield Problem(what, node.place, f"{shown[1]}, which the op infers")


def _type(value: Value) -> Iterator[Problem]:
    place, type_ = value.producer.place, value.type
    if not all(_is_size(dim) for dim in type_.dims):
        shown = (str(d) if isinstance(d, int | SymbolicDim) else repr(d) for d in type_.dims)
        what = f"sizes {', '.join(shown)} of %{value.name}"
        yield Problem(what, place, "whole numbers from 0 on, or multiples of B and T")
        return
    signal = type_.signal
    if isinstance(signal, Spikes):
        yield from (Problem(what, place, want) for what, want in _signal(type_, signal))


def _is_size(dim: Dim) -> bool:
    if isinstance(dim, SymbolicDim):
        return dim.coefficient > 0
    return isinstance(dim, int) and not isinstance(dim, bool) and dim >= 0


def _signal(type_: TensorType, signal: Spikes) -> Iterator[tuple[str, str]]:
    amplitude = signal.amplitude
    if not (np.isfinite(amplitude.data).all() and (amplitude.data > 0).all()):
        yield f"a spike amplitude of {type_} is not positive", "finite numbers above 0"
    if signal.levels < 1:
        yield f"{signal.levels} levels per step in {type_}", "1 or more"
    try:
        fits = broadcast_dims(type_.dims, amplitude.shape) == type_.dims
    except TypeMismatch:
        fits = False
    if not fits:
        yield (
            f"amplitude {amplitude} does not fit {type_}",
            "a shape that broadcasts into the value",
        )


def numbers(graph: Graph) -> Iterator[Problem]:
    """Parameters are finite numbers; a Constant may be infinite (masks are), never NaN."""
    for node in graph:
        for field in fields(node.op):
            value = getattr(node.op, field.name)
            if isinstance(value, float) and math.isnan(value):
                yield Problem(f"field {field.name} is NaN", node.place, "a number")
            for array in arrays_in(value):
                what, expected = _bad_numbers(array, isinstance(node.op, Constant))
                if what:
                    yield Problem(f"{field.name} {what}", node.place, expected, _MEND)


def _bad_numbers(array: Array, infinite: bool) -> tuple[str, str]:
    try:
        dtype = DType.of(array.dtype)
    except SpikecError:
        kinds = ", ".join(member.value for member in DType)
        return f"has elements of type {array.dtype}", kinds
    if not dtype.is_float:
        return "", ""
    bad = np.isnan(array.data) if infinite else ~np.isfinite(array.data)
    count = int(bad.sum())
    if not count:
        return "", ""
    first = [int(index) for index in np.argwhere(bad)[0]]
    kind = "NaN" if infinite or np.isnan(array.data).any() else "infinite"
    shown = f"{array.dtype.name}{list(array.shape)}"
    what = f"{shown} holds numbers that are {kind}: {count} of {array.size}, the first at {first}"
    return what, "no NaN" if infinite else "finite numbers"


_MEND = "the model's parameters are broken: train it again, or load an intact checkpoint"


def time(graph: Graph) -> Iterator[Problem]:
    """Time passes at one rate through a stepwise node, and comes out of nothing nowhere."""
    for node in graph:
        try:
            timing = node.timing
        except (SpikecError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            yield Problem(f"no timing: {type(error).__name__}: {error}", node.place)
            continue
        timed = [t for t in (*node.input_types, *node.output_types) if not t.is_static]
        lost = [value for value in node.outputs if value.type.is_static]
        match timing:
            case Timing.STEPWISE | Timing.SCAN:
                if len({type_.rate for type_ in timed}) > 1:
                    shown = ", ".join(map(str, timed))
                    what = f"a {timing.value} node at several rates: {shown}"
                    yield Problem(what, node.place, "one rate", "resample with a temporal op")
                for value in lost:
                    what = f"{value!r} of a {timing.value} node holds no T"
                    yield Problem(what, node.place, "one result per step")
            case Timing.STATIC if timed and node.inputs:
                yield Problem("a static node with a result that holds T", node.place, "no T")


RULES: tuple[Callable[[Graph], Iterator[Problem]], ...] = (
    boundary,
    names,
    order,
    users,
    types,
    numbers,
    time,
    stage_problems,
)
