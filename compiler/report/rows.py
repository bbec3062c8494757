"""One row a node: what stands in a table of a graph, and in its JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spikec.ir import Dim, Graph, Node


@dataclass(frozen=True)
class Row:
    """A node in words and numbers; MACs are those of one sample (B = 1) in one step (T = 1)."""

    name: str
    op: str
    family: str
    operands: tuple[str, ...]
    types: tuple[str, ...]
    params: int
    """numbers in the node's constant arrays, statistics and tables included"""
    macs: int | float
    """not whole where the node runs at a fraction of the program's rate"""
    macs_formula: str
    """the same for any B and T"""
    place: str
    """where the node comes from; empty where that is unknown"""


@dataclass(frozen=True)
class Totals:
    """Sums over rows; an array that two nodes hold counts twice."""

    nodes: int
    params: int
    macs: int | float


def rows(graph: Graph) -> tuple[Row, ...]:
    """Give a row for each node, in the graph's order."""
    return tuple(_row(node) for node in graph)


def totals(table: Iterable[Row]) -> Totals:
    """Add the rows up."""
    kept = tuple(table)
    return Totals(len(kept), sum(row.params for row in kept), sum(row.macs for row in kept))


def _row(node: Node) -> Row:
    macs = node.op.macs(node.input_types, node.output_types)
    return Row(
        name=node.name,
        op=type(node.op).__name__,
        family=node.op.family.value,
        operands=tuple(value.name for value in node.inputs),
        types=tuple(str(type_) for type_ in node.output_types),
        params=node.op.params,
        macs=_at_one(macs),
        macs_formula=str(macs),
        place=str(node.location),
    )


def _at_one(size: Dim) -> int | float:
    """Give a size at B = T = 1."""
    if isinstance(size, int):
        return size
    whole = size.coefficient.denominator == 1
    return int(size.coefficient) if whole else float(size.coefficient)
