"""Parts of small programs: events that come in, neurons, weights of whole numbers."""

from __future__ import annotations

import numpy as np

from spikec.ir import Array, B, Dim, Editor, Graph, Node, Op, Spikes, Stage, T, TensorType, Value
from spikec.ir.ops import IntegrateFire, Linear, Repeat
from tests.conformance.case import SUBJECT

ONE = Array(np.float32(1))
WIDTH = 5


class Draft:
    """A program in the making; weights and thresholds are whole, so that every tool is exact."""

    def __init__(self, seed: int = 0) -> None:
        self.edit = Editor(Graph("case", Stage.SPIKING), by="test")
        self.rng = np.random.default_rng(seed)

    def events(self, *dims: Dim, name: str = "x") -> Value:
        """Let events come in."""
        return self.edit.input(name, TensorType((T, B, *dims), signal=Spikes(ONE)))

    def current(self, *dims: Dim, name: str = "x") -> Value:
        """Let a static value come in, and give it at every step."""
        return self.edit.add(Repeat(), self.edit.input(name, TensorType((B, *dims))))

    def sent(self, *dims: Dim, name: str = "x") -> Value:
        """Give what neurons send that answer to events."""
        return self.neuron(self.events(*dims, name=name), 1, name=f"first_{name}")

    def neuron(self, x: Value, threshold: float = 2, name: str = "last") -> Value:
        """Add neurons that every target has."""
        op = IntegrateFire(Array(np.float32(threshold)), ONE)
        return self.edit.add(op, x, name=name)

    def linear(self, x: Value, out: int = WIDTH) -> Value:
        """Add weights; their sum leans to the positive, so that there is something to send."""
        width = x.type.dims[-1]
        assert isinstance(width, int)
        weight = self.rng.integers(-2, 4, (out, width)).astype(np.float32)
        return self.edit.add(Linear(Array(weight)), x, name="weights")

    def subject(self, op: Op, *inputs: Value) -> Value:
        """Add the op that the case is about."""
        return self.edit.add(op, *inputs, name=SUBJECT)

    def subject_node(self, op: Op, *inputs: Value) -> Node:
        """Add the op that the case is about, with all of its results."""
        return self.edit.add_node(op, inputs, name=SUBJECT)

    def done(self, *values: Value) -> Graph:
        """Let values go out."""
        for value in values:
            self.edit.output("y", value)
        return self.edit.graph
