"""Value, Node, Graph: the read side; ``spikec.ir.edit`` is the only write side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from spikec.errors import GraphError
from spikec.ir.array import Array, arrays_in
from spikec.ir.location import Location
from spikec.ir.op import Family, Op, Timing
from spikec.ir.ops.boundary import Input, Output
from spikec.ir.types import TensorType

if TYPE_CHECKING:
    import networkx

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
"""What a node may be called."""


class Stage(Enum):
    """How far a graph has come; ``spikec.ir.stages`` says what each stage may hold."""

    ANALOG = "analog"
    SPIKING = "spiking"
    PLACED = "placed"


class Value:
    """An edge: one result of a node, with its type."""

    __slots__ = ("index", "producer", "type", "users")

    def __init__(self, producer: Node, index: int, type_: TensorType) -> None:
        self.producer = producer
        self.index = index
        self.type = type_
        self.users: dict[Node, None] = {}
        """nodes that read this value, in the order in which they came"""

    @property
    def name(self) -> str:
        """The producer's name, with ``#i`` for its further results."""
        return f"{self.producer.name}#{self.index}" if self.index else self.producer.name

    def __repr__(self) -> str:
        return f"%{self.name}: {self.type}"


class Node:
    """An op at work: operands in, results out, a name, a place in the user's source."""

    __slots__ = ("inputs", "location", "name", "op", "outputs")

    def __init__(
        self, name: str, op: Op, inputs: tuple[Value, ...], location: Location = Location()
    ) -> None:
        self.name = name
        self.op = op
        self.inputs = inputs
        self.location = location
        self.outputs: tuple[Value, ...] = ()

    @property
    def input_types(self) -> tuple[TensorType, ...]:
        return tuple(value.type for value in self.inputs)

    @property
    def output_types(self) -> tuple[TensorType, ...]:
        return tuple(value.type for value in self.outputs)

    @property
    def timing(self) -> Timing:
        """How the node relates to time steps."""
        return self.op.timing(self.input_types)

    @property
    def fires(self) -> bool:
        """Whether it holds neurons that send events; an accumulator only adds up."""
        return self.op.family is Family.NEURON and self.outputs[0].type.is_spikes

    @property
    def place(self) -> str:
        """Name and origin, for messages."""
        origin = f" from {self.location}" if self.location else ""
        return f"%{self.name} = {type(self.op).__name__}{origin}"

    def __repr__(self) -> str:
        return f"<{self.place}>"


@dataclass(frozen=True)
class Edit:
    """One line of the journal: which pass made, changed or removed which node, from which nodes."""

    by: str
    action: str
    node: str
    sources: tuple[str, ...] = ()


class Graph:
    """An ordered, acyclic graph of nodes; equality compares content (not the journal)."""

    def __init__(self, name: str = "graph", stage: Stage = Stage.ANALOG) -> None:
        self.name = name
        self.stage = stage
        self.journal: list[Edit] = []
        self.notes: dict[str, str] = {}
        """how the graph came about; saved with it, not compared"""
        self._nodes: dict[str, Node] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, each after the nodes that it reads from."""
        return tuple(self._nodes.values())

    def __getitem__(self, name: str) -> Node:
        """Give the node of that name."""
        if name not in self._nodes:
            raise GraphError(f"graph {self.name!r} has no node %{name}")
        return self._nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The Input nodes, in the order of the model's arguments."""
        return tuple(node for node in self if isinstance(node.op, Input))

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The Output nodes, in the order of the model's results."""
        return tuple(node for node in self if isinstance(node.op, Output))

    def arrays(self) -> Mapping[str, Array]:
        """All constant arrays by content hash."""
        return {array.digest: array for node in self for array in arrays_in(node.op)}

    def to_networkx(self) -> networkx.MultiDiGraph[str]:
        """Give a view by node names for graph algorithms; edges carry their ``value``."""
        import networkx

        view: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=self.name)
        for node in self:
            view.add_node(node.name, node=node)
            for position, value in enumerate(node.inputs):
                view.add_edge(value.producer.name, node.name, value=value, position=position)
        return view

    def __eq__(self, other: object) -> bool:
        """Compare name, stage, and every node with its op, operands, types and place."""
        if not isinstance(other, Graph):
            return NotImplemented
        return self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]  # a graph changes

    def _content(self) -> tuple[Any, ...]:
        rows = (
            (n.name, n.op, tuple(v.name for v in n.inputs), n.output_types, n.location)
            for n in self
        )
        return (self.name, self.stage, *rows)

    def __str__(self) -> str:
        """Write the graph as text, which ``spikec.ir.parser`` reads."""
        from spikec.ir.printer import print_graph

        return print_graph(self)

    def __repr__(self) -> str:
        return f"<Graph {self.name!r}, {self.stage.value}, {len(self)} nodes>"
