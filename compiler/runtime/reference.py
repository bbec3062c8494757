"""The reference engine: time-major, step by step, short and obvious; it says what a graph means.

Nodes fall into phases.  A *whole* phase holds static nodes and whole-sequence ops: each runs once,
on full arrays.  A *stepping* phase holds stepwise nodes and scans: at t = 1, 2, … every node of it
runs on step t's slices before any node sees step t + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import GraphError, SpikecError
from spikec.ir.dims import Sizes
from spikec.ir.graph import Graph, Node, Value
from spikec.ir.op import ScanOp, State, Timing, Values
from spikec.ir.ops.boundary import Input
from spikec.runtime.feed import Feed

Numbers = NDArray[Any]
Result = TypeVar("Result")
Group = tuple[int, Fraction]
"""phase (odd ones step) and rate; nodes of different rates never meet inside a stepping phase"""


def execute(graph: Graph, feed: Feed, wanted: frozenset[str]) -> dict[str, Numbers]:
    """Compute all values; give those whose names are wanted."""
    groups = groups_of(graph)
    run = _Run(graph, feed, wanted)
    with np.errstate(all="ignore"):  # inf and nan are results here, not accidents
        ordered = sorted(graph, key=groups.__getitem__)
        for (phase, rate), nodes in groupby(ordered, groups.__getitem__):
            if phase % 2:
                run.step_through(list(nodes), rate)
            else:
                run.once(nodes)
    return {value.name: array for value, array in run.full.items() if value.name in wanted}


def groups_of(graph: Graph) -> dict[Node, Group]:
    """Give each node its phase and rate; a node comes in a later phase than what it waits for."""
    groups: dict[Node, Group] = {}
    for node in graph:
        steps = node.timing in (Timing.STEPWISE, Timing.SCAN)
        before = [groups[value.producer][0] for value in node.inputs]
        phase = max((p + (p % 2 != steps) for p in before), default=int(steps))
        groups[node] = (phase, _rate(node) if steps else Fraction(1))
    return groups


def _rate(node: Node) -> Fraction:
    """Steps that a node makes per step of the program: one number for all it touches."""
    values = (*node.inputs, *node.outputs)
    rates = {value.type.rate for value in values if not value.type.is_static}
    if len(rates) != 1:
        shown = ", ".join(map(str, sorted(rates))) or "none"
        raise GraphError("a stepwise node has one rate", where=node.place, expected=f"not {shown}")
    return rates.pop()


class _Run:
    """Values computed so far; each is dropped after its last use unless it is wanted."""

    def __init__(self, graph: Graph, feed: Feed, wanted: frozenset[str]) -> None:
        self.feed = feed
        self.wanted = wanted
        self.full: dict[Value, Numbers] = {}
        self.waiting = {value: set(value.users) for node in graph for value in node.outputs}

    def once(self, nodes: Iterable[Node]) -> None:
        """Run static nodes and whole-sequence ops, on full arrays."""
        for node in nodes:
            results = self._whole(node)
            self.full.update(zip(node.outputs, results, strict=True))
            self._release([node])

    def _whole(self, node: Node) -> Values:
        if isinstance(node.op, Input):
            return (self.feed.arrays[node.name],)
        sizes, operands = self.feed.sizes, tuple(self.full[v] for v in node.inputs)
        return checked(self.feed, node, sizes, at_node(node, lambda: node.op.run(operands, sizes)))

    def step_through(self, nodes: list[Node], rate: Fraction) -> None:
        """Run stepwise nodes and scans of one rate over time; keep what others read."""
        sizes = Sizes(self.feed.sizes.batch, rate.denominator)  # one step of this rate
        inside, states = set(nodes), {n: self._initial(n, sizes) for n in nodes}
        results = [value for node in nodes for value in node.outputs]
        kept: dict[Value, list[Numbers]] = {
            v: [] for v in results if v.name in self.wanted or not v.users.keys() <= inside
        }
        for time in range(1, int(self.feed.sizes.steps * rate) + 1):
            now: dict[Value, Numbers] = {}
            for node in nodes:
                operands = tuple(
                    now[v] if v in now else step_of(v, self.full[v], time, sizes)
                    for v in node.inputs
                )
                states[node], row = self._step(node, states[node], operands, time, sizes)
                now.update(zip(node.outputs, row, strict=True))
            for value, slices in kept.items():
                slices.append(now[value])
        for value, slices in kept.items():
            self.full[value] = np.concatenate(slices, value.type.time_axis or 0)
        self._release(nodes)

    def _initial(self, node: Node, sizes: Sizes) -> State:
        op = node.op
        if not isinstance(op, ScanOp):
            return ()
        dtype = self.feed.element_type(node.inputs[0].type.dtype)
        return at_node(node, lambda: op.initial(node.input_types, sizes, dtype))

    def _step(
        self, node: Node, state: State, operands: Values, time: int, sizes: Sizes
    ) -> tuple[State, Values]:
        op = node.op
        if isinstance(op, ScanOp):
            state, results = at_node(node, lambda: op.step(state, operands, time))
        else:
            results = at_node(node, lambda: op.run(operands, sizes))
        return state, checked(self.feed, node, sizes, results)

    def _release(self, done: Iterable[Node]) -> None:
        for node in done:
            for value in (*node.inputs, *node.outputs):
                self.waiting[value].discard(node)
                if not self.waiting[value] and value.name not in self.wanted:
                    self.full.pop(value, None)


def step_of(value: Value, array: Numbers, time: int, sizes: Sizes) -> Numbers:
    """Give step ``time`` (from 1) of a value; a static one is the same at each step."""
    axis = value.type.time_axis
    if axis is None:
        return array
    size = sizes.of(value.type.dims[axis])
    where: list[slice] = [slice(None)] * array.ndim
    where[axis] = slice((time - 1) * size, time * size)
    return array[tuple(where)]


def checked(feed: Feed, node: Node, sizes: Sizes, results: Values) -> Values:
    """Compare results with the inferred types; floating ones take the run's element type."""
    arrays = []
    for value, array in zip(node.outputs, results, strict=True):
        declared = value.type
        expected = feed.element_type(declared.dtype)
        same_kind = array.dtype == expected or array.dtype.kind == expected.kind == "f"
        if array.shape != declared.shape(sizes) or not same_kind:
            raise GraphError(
                f"the op gave {array.dtype}{list(array.shape)}, which is not what it inferred",
                where=node.place,
                expected=f"{declared} at B={sizes.batch}, T={sizes.steps}",
            )
        arrays.append(array.astype(expected, copy=False))
    return tuple(arrays)


def at_node(node: Node, compute: Callable[[], Result]) -> Result:
    """Compute; an error says at which node it came up."""
    try:
        return compute()
    except SpikecError as error:
        raise type(error)(
            error.what,
            where=f"{node.place}: {error.where}" if error.where else node.place,
            expected=error.expected,
            remedy=error.remedy,
            problems=error.problems,
        ) from error
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise GraphError(f"{type(error).__name__}: {error}", where=node.place) from error
