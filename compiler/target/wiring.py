"""What reaches each layer: every synapse as an edge, and the currents that no event brings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Array, Family, Graph, Node, Op, Sizes, Value, ops
from spikec.target.edges import Edges, Numbers
from spikec.target.layers import layers_of
from spikec.target.matrices import matrix_of, move_of, spread_of
from spikec.target.reach import MOVES, shape_of

ONE = Sizes(1, 1)
ALWAYS = 0
"""the number of steps of a constant current that never ends"""
NO_SYNAPSE = "export to onnx_graph instead, or convert so that weights and neurons compute it"


@dataclass(frozen=True)
class Source:
    """A value that brings currents, some steps late."""

    value: Value
    delay: int = 0


@dataclass(frozen=True, eq=False)
class Current:
    """i[t] = Σ edges · x[t - delay] + Σ constants; elements in row-major order of one sample."""

    size: int
    edges: Mapping[Source, Edges] = field(default_factory=dict)
    constants: Mapping[int, Numbers] = field(default_factory=dict)
    """by the number of (first) steps that they last, ALWAYS for all"""

    def mapped(self, matrix: Edges) -> Current:
        """Send it through a linear op."""
        return Current(
            matrix.targets,
            {source: matrix.behind(edges) for source, edges in self.edges.items()},
            {steps: matrix.apply(given) for steps, given in self.constants.items()},
        )

    def plus(self, other: Current) -> Current:
        """Add two currents."""
        edges, constants = dict(self.edges), dict(self.constants)
        for source, more in other.edges.items():
            edges[source] = edges[source].plus(more) if source in edges else more
        for steps, given in other.constants.items():
            constants[steps] = constants.get(steps, 0) + given
        return Current(self.size, edges, constants)

    def scaled(self, factor: Numbers | float) -> Current:
        """Multiply by one number, or by one per element."""
        return Current(
            self.size,
            {source: edges.scaled(factor) for source, edges in self.edges.items()},
            {steps: given * factor for steps, given in self.constants.items()},
        )

    def late(self, steps: int) -> Current:
        """Delay it."""
        moved = {replace(s, delay=s.delay + steps): edges for s, edges in self.edges.items()}
        return replace(self, edges=moved)


def wire(graph: Graph, chip: Collection[Node]) -> dict[str, Current]:
    """Give the current of each layer (neurons, or a current that the host reads) on the chip.

    Ops that are no synapses are listed in one error.
    """
    walk = _Walk(graph, set(chip))
    walk.run()
    found = {}
    for layer in layers_of(graph, set(chip)):
        neuron = layer.node.op.family is Family.NEURON
        value = layer.node.inputs[0] if neuron else layer.node.outputs[0]
        found[layer.name] = walk.current_of(value)
    return found


class _Walk:
    def __init__(self, graph: Graph, chip: set[Node]) -> None:
        self.graph = graph
        self.chip = chip
        self.known: dict[Value, NDArray[Any]] = {}
        """static values"""
        self.currents: dict[Value, Current] = {}

    def run(self) -> None:
        problems = []
        for node in self.graph:
            if isinstance(node.op, ops.Constant):
                self.known[node.outputs[0]] = node.op.value.data
            elif node in self.chip and node.outputs:
                problems += self._node(node)
        if problems:
            raise UnsupportedModel(
                f"{self.graph.name!r} holds what no synapse does",
                expected="linear maps, moves, sums and delays between neurons",
                remedy="spikec check lists what a target can do",
                problems=problems,
            )

    def current_of(self, value: Value) -> Current:
        """Give a value as a current; one from elsewhere is its own source."""
        if value in self.currents:
            return self.currents[value]
        size = int(np.prod(shape_of(value.type), dtype=np.int64))
        if value in self.known:
            constant = np.asarray(self.known[value], np.float64).ravel()
            return Current(size, {}, {ALWAYS: constant})
        return Current(size, {Source(value): Edges.same(size)})

    def _node(self, node: Node) -> list[Problem]:
        if node.op.family is Family.NEURON:
            return []  # a source
        if all(value in self.known for value in node.inputs) and node.outputs[0].type.is_static:
            results = node.op.run(tuple(self.known[value] for value in node.inputs), ONE)
            self.known.update(zip(node.outputs, results, strict=True))
            return []
        found = None
        if len(node.outputs) == 1:
            found = self._linear(node)
        if found is None:
            what = f"{type(node.op).__name__} is no synapse"
            return [Problem(what, node.place, remedy=NO_SYNAPSE)]
        self.currents[node.outputs[0]] = found
        return []

    def _linear(self, node: Node) -> Current | None:
        if isinstance(node.op, MOVES):
            return self._sum(node, [move_of(node, i) for i in range(len(node.inputs))])
        matrix = matrix_of(node)
        if matrix is not None:
            return self._with_bias(node, self.current_of(node.inputs[0]).mapped(matrix))
        rule = next((r for kind, r in _RULES.items() if isinstance(node.op, kind)), None)
        return None if rule is None else rule(self, node)

    def _sum(self, node: Node, matrices: list[Edges]) -> Current:
        total = Current(matrices[0].targets)
        for value, matrix in zip(node.inputs, matrices, strict=True):
            total = total.plus(self.current_of(value).mapped(matrix))
        return total

    def _with_bias(self, node: Node, current: Current) -> Current:
        bias = getattr(node.op, "bias", None)
        if bias is None:
            return current
        axes = len(node.op.kernel) if isinstance(node.op, ops.Conv | ops.ConvTranspose) else 0
        column = bias.data.astype(np.float64).reshape(-1, *(1,) * axes)
        wide = np.broadcast_to(column, shape_of(node.outputs[0].type)).ravel()
        return current.plus(Current(current.size, {}, {ALWAYS: wide}))

    def add(self, node: Node) -> Current:
        signs = (1.0, -1.0 if isinstance(node.op, ops.Sub) else 1.0)
        spread = [spread_of(node, i).scaled(sign) for i, sign in enumerate(signs)]
        return self._sum(node, spread)

    def same(self, node: Node) -> Current:
        factor = -1.0 if isinstance(node.op, ops.Neg) else 1.0
        return self.current_of(node.inputs[0]).mapped(spread_of(node, 0)).scaled(factor)

    def delay(self, node: Node) -> Current | None:
        assert isinstance(node.op, ops.Delay)
        current = self.current_of(node.inputs[0])
        return None if current.constants else current.late(node.op.steps)

    def scale(self, node: Node) -> Current:
        assert isinstance(node.op, ops.Scale)
        shape, tail = shape_of(node.outputs[0].type), (1,) * (-node.op.axis - 1)

        def wide(vector: Array) -> Numbers:
            column = vector.data.astype(np.float64).reshape(-1, *tail)
            return np.broadcast_to(column, shape).ravel()

        current = self.current_of(node.inputs[0]).scaled(wide(node.op.scale))
        shift = node.op.shift
        more = {} if shift is None else {ALWAYS: wide(shift)}
        return current.plus(Current(current.size, {}, more))

    def product(self, node: Node) -> Current | None:
        """Multiply by a constant, or divide by one."""
        known = [value in self.known for value in node.inputs]
        if not any(known) or (isinstance(node.op, ops.Div) and not known[1]):
            return None
        at = 1 if known[1] else 0
        number = np.asarray(self.known[node.inputs[at]], np.float64)
        factor = np.broadcast_to(
            1 / number if isinstance(node.op, ops.Div) else number,
            shape_of(node.outputs[0].type),
        )
        current = self.current_of(node.inputs[1 - at]).mapped(spread_of(node, 1 - at))
        return current.scaled(factor.ravel())

    def over_time(self, node: Node) -> Current | None:
        """Let a constant come at every step, or at the first ones."""
        (value,) = node.inputs
        if value not in self.known:
            return None
        constant = np.asarray(self.known[value], np.float64).ravel()
        steps = node.op.steps if isinstance(node.op, ops.Impulse) else ALWAYS
        return Current(constant.size, {}, {steps: constant / max(1, steps)})


_RULES: Mapping[type[Op] | tuple[type[Op], ...], Callable[[_Walk, Node], Current | None]] = {
    (ops.Add, ops.Sub): _Walk.add,
    (ops.Neg, ops.Cast, ops.Expand): _Walk.same,
    ops.Delay: _Walk.delay,
    ops.Scale: _Walk.scale,
    (ops.Mul, ops.Div): _Walk.product,
    (ops.Repeat, ops.Impulse): _Walk.over_time,
}
