"""The only ways to change a graph; each change is written into its journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spikec.errors import GraphError, TypeMismatch
from spikec.ir.graph import NAME, Edit, Graph, Node, Stage, Value
from spikec.ir.location import Location
from spikec.ir.op import Op, Types
from spikec.ir.ops.boundary import Constant, Input, Output
from spikec.ir.types import TensorType


class Editor:
    """Adds, redirects and removes nodes on behalf of one pass (or frontend).

    >>> from spikec.ir import B, Editor, Graph, TensorType, ops
    >>> edit = Editor(Graph("tiny"), by="example")
    >>> x = edit.input("x", TensorType((B, 4)))
    >>> edit.output("y", edit.add(ops.ReLU(), x))
    >>> print(edit.graph["relu"].outputs[0])
    %relu: f32[B, 4]
    """

    def __init__(self, graph: Graph, by: str) -> None:
        self.graph = graph
        self._by = by

    def input(self, name: str, type_: TensorType, location: Location = Location()) -> Value:
        """Add an input of the graph."""
        return self.add(Input(type_), name=name, location=location)

    def output(self, name: str, value: Value, location: Location = Location()) -> None:
        """Declare a value to be a result of the graph."""
        self.add_node(Output(), (value,), name=name, location=location)

    def constant(self, op: Constant, name: str = "constant") -> Value:
        """Add a constant."""
        return self.add(op, name=name)

    def add(
        self,
        op: Op,
        *inputs: Value,
        name: str = "",
        location: Location = Location(),
        sources: Iterable[Node] = (),
        before: Node | None = None,
    ) -> Value:
        """Add a node with one result and return that result."""
        node = self.add_node(op, inputs, name, location, sources, before)
        if len(node.outputs) != 1:
            raise GraphError(f"{node.place} has {len(node.outputs)} results; use add_node")
        return node.outputs[0]

    def add_node(
        self,
        op: Op,
        inputs: Sequence[Value],
        name: str = "",
        location: Location = Location(),
        sources: Iterable[Node] = (),
        before: Node | None = None,
    ) -> Node:
        """Add a node: at the end, or before another.

        The name (by default the op's) is made unique; places of ``sources``, the nodes that this
        one comes from, are merged into its own.
        """
        if before is not None and self.graph._nodes.get(before.name) is not before:
            raise GraphError(f"{before.place} is not in the graph")
        origins = tuple(sources)
        for origin in origins:
            location = location + origin.location
        node = Node(self.unique(name or _snake(op)), op, tuple(inputs), location)
        types = infer(op, node.input_types, node.place)
        node.outputs = tuple(Value(node, i, type_) for i, type_ in enumerate(types))
        for value in node.inputs:
            value.users[node] = None
        self._insert(node, before)
        self._log("add", node, origins)
        return node

    def unique(self, name: str) -> str:
        """Give a name that no node of the graph has, from a valid one."""
        if not NAME.fullmatch(name):
            raise GraphError(f"{name!r} is no node name", expected=f"letters of {NAME.pattern}")
        candidate, count = name, 1
        while candidate in self.graph:
            count += 1
            candidate = f"{name}_{count}"
        return candidate

    def replace(self, old: Value, new: Value) -> None:
        """Let every user of ``old`` read ``new``; types are inferred anew downstream."""
        for user in tuple(old.users):
            if user is not new.producer:
                self.rewire(user, tuple(new if v is old else v for v in user.inputs))

    def rewire(self, node: Node, inputs: Sequence[Value]) -> None:
        """Give a node other operands; types are inferred anew downstream."""
        for value in node.inputs:
            value.users.pop(node, None)
        node.inputs = tuple(inputs)
        for value in node.inputs:
            value.users[node] = None
        self._log("rewire", node)
        self._refresh(node)

    def change_op(self, node: Node, op: Op) -> None:
        """Give a node another op (same operands); types are inferred anew downstream."""
        node.op = op
        self._log("change", node)
        self._refresh(node)

    def remove(self, node: Node) -> None:
        """Remove a node whose results nobody reads."""
        users = [user.name for value in node.outputs for user in value.users]
        if users:
            raise GraphError(f"{node.place} is still read by {', '.join(users)}")
        for value in node.inputs:
            value.users.pop(node, None)
        del self.graph._nodes[node.name]
        self._log("remove", node)

    def stage(self, stage: Stage) -> None:
        """Move the graph to another stage."""
        self.graph.stage = stage

    def become(self, other: Graph) -> None:
        """Take over stage, nodes and journal of another graph, which must not be used any more."""
        self.graph.stage = other.stage
        self.graph._nodes = other._nodes
        self.graph.journal.extend(other.journal)

    def _refresh(self, start: Node) -> None:
        """Infer types again from ``start`` on, as far as they change."""
        stale = {start}
        for node in self.graph:
            if node not in stale:
                continue
            types = infer(node.op, node.input_types, node.place)
            if len(types) != len(node.outputs):
                raise GraphError(f"{node.place} changed its number of results")
            for value, type_ in zip(node.outputs, types, strict=True):
                if value.type != type_:
                    value.type = type_
                    stale.update(value.users)

    def _insert(self, node: Node, before: Node | None) -> None:
        nodes = self.graph._nodes
        if before is None:
            nodes[node.name] = node
            return
        names = list(nodes)
        nodes[node.name] = node
        for name in names[names.index(before.name) :]:
            nodes[name] = nodes.pop(name)

    def _log(self, action: str, node: Node, sources: Iterable[Node] = ()) -> None:
        names = tuple(source.name for source in sources)
        self.graph.journal.append(Edit(self._by, action, node.name, names))


def copied(graph: Graph) -> Graph:
    """Give a graph of its own with the same content, journal and notes."""
    edit = Editor(Graph(graph.name, graph.stage), by="copy")
    value: dict[Value, Value] = {}
    for node in graph:
        operands = [value[operand] for operand in node.inputs]
        new = edit.add_node(node.op, operands, node.name, node.location)
        value.update(zip(node.outputs, new.outputs, strict=True))
    edit.graph.journal = list(graph.journal)
    edit.graph.notes = dict(graph.notes)
    return edit.graph


def infer(op: Op, inputs: Types, place: str) -> Types:
    """Infer result types; an error says which node it was."""
    least, most = op.arity
    if len(inputs) < least or (most is not None and len(inputs) > most):
        allowed = f"{least}" if least == most else f"{least} to {most or 'any number'}"
        raise TypeMismatch(f"{len(inputs)} operands", where=place, expected=allowed)
    try:
        return op.infer(inputs)
    except TypeMismatch as error:
        raise TypeMismatch(
            f"{error.what} (operands: {', '.join(map(str, inputs)) or 'none'})",
            where=place,
            expected=error.expected,
            remedy=error.remedy,
        ) from None
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # fields that make no sense (groups = 0, options of unequal length) end in NumPy or Python
        shown = f"the fields or operands make no sense ({type(error).__name__}: {error})"
        raise TypeMismatch(shown, where=place) from error


def _snake(op: Op) -> str:
    return type(op).__name__.lower()
