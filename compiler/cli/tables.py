"""Tables of graphs for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from spikec.report.words import quantity

if TYPE_CHECKING:
    from spikec.energy.annotation import NodeCost
    from spikec.ir import Graph
    from spikec.report.rows import Row


def node_table(graph: Graph, rows: Iterable[Row], costs: Mapping[str, NodeCost] = {}) -> Table:
    """Show a row a node: name, op, result types, parameters, MACs, energy if known, place."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title_style="bold")
    table.title = f"{graph.name}: {graph.stage.value} graph, {len(graph)} nodes"
    for header in ("node", "op", "type"):
        table.add_column(header, overflow="fold")
    for header in ("params", "MACs", *(("energy",) if costs else ())):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("from", overflow="fold")
    for row in rows:
        table.add_row(
            Text(row.name),
            row.op,
            Text(", ".join(row.types)),
            number(row.params),
            number(row.macs),
            *((_energy(costs.get(row.name)),) if costs else ()),
            Text(row.place),
        )
    return table


def _energy(cost: NodeCost | None) -> str:
    return "" if cost is None else quantity(cost.pj * 1e-12, "J")


def number(value: float) -> str:
    """Write a count with thousands separated; nothing for none."""
    return f"{value:,}" if value else ""
