"""Values of a graph on given samples, computed on demand and kept as long as they are wanted."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from numpy.typing import NDArray

from spikec.ir import Editor, Graph, Op, Stage, TensorType, Value
from spikec.pipeline.extract import extract
from spikec.runtime import run
from spikec.runtime.feed import shown, told_steps

Numbers = NDArray[Any]


class Known:
    """Computes a value from the nearest values that are known already."""

    def __init__(self, graph: Graph, inputs: Mapping[str, Numbers], steps: int) -> None:
        self.graph = graph
        self.steps = steps
        feed = shown(graph, inputs, steps)
        self.arrays: MutableMapping[Value, Numbers] = {
            node.outputs[0]: feed[node.name] for node in graph.inputs
        }

    def value(self, wanted: Value) -> Numbers:
        """Compute a value; it is not kept."""
        if wanted in self.arrays:
            return self.arrays[wanted]
        piece = extract(self.graph, wanted, self.arrays.keys())
        feed = {node.name: self.arrays[self.graph[node.name].outputs[0]] for node in piece.inputs}
        result = run(piece, feed, "layerwise", steps=told_steps(piece, self.steps))
        assert not isinstance(result, tuple)  # a piece has one output
        return result

    def keep(self, value: Value, array: Numbers) -> None:
        """Take a value as known from now on, and drop those that nothing needs any more."""
        self.arrays[value] = array
        later = _later(self.graph, self.arrays)
        for old in list(self.arrays):
            if old not in later and old is not value:
                del self.arrays[old]


def _later(graph: Graph, known: Mapping[Value, Numbers]) -> set[Value]:
    """Give the known values that some value yet unknown reads through unknown ones."""
    read: set[Value] = set()
    waiting = [value for output in graph.outputs for value in output.inputs]
    seen: set[Value] = set()
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        if value in known:
            read.add(value)
        else:
            waiting.extend(value.producer.inputs)
    return read


def answer(op: Op, kind: TensorType, z: Numbers) -> Numbers:
    """Run one layer alone."""
    edit = Editor(Graph("layer", Stage.SPIKING), by="answer")
    edit.output("y", edit.add(op, edit.input("z", kind.analog())))
    result = run(edit.graph, z, "layerwise")
    assert not isinstance(result, tuple)  # one output
    return result
