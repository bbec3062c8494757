"""A graph as a picture: nodes in order from top to bottom, longer edges in lanes beside them."""

from __future__ import annotations

from dataclasses import dataclass

from spikec.ir import Family, Graph, Node, Value
from spikec.report.shapes import WIDTH, Anchor, Dot, Line, Picture, Role, Shape, Text, shortened

ROW = 20.0
LANE = 9.0
LANES = 9
"""most lanes: what needs more shares the outermost one"""
ROLES: dict[Family, Role] = {
    Family.NEURON: Role.ACCENT,
    Family.AFFINE: Role.SECOND,
    Family.CODING: Role.WARM,
    Family.BOUNDARY: Role.INK,
}
"""families with a colour of their own"""
OTHER = Role.THIRD


@dataclass(frozen=True)
class Edge:
    """From one row to a later one."""

    start: int
    end: int
    value: Value
    lane: int
    """0 where it runs straight down"""


def network_map(graph: Graph) -> Picture:
    """Draw all nodes; edges that carry events are drawn in the colour of neurons."""
    nodes = graph.nodes
    edges = _edges(nodes)
    column = 8 + LANE * max((edge.lane for edge in edges), default=0)
    shapes: list[Shape] = [line for edge in edges for line in _lines(edge, column)]
    for row, node in enumerate(nodes):
        shapes += _node(node, column, _height(row))
    about = f"The graph {graph.name}: {len(nodes)} nodes, {len(edges)} edges"
    return Picture("network", graph.name, about, ROW * len(nodes) + 4, tuple(shapes))


def _height(row: int) -> float:
    return ROW * row + ROW / 2 + 2


def _edges(nodes: tuple[Node, ...]) -> list[Edge]:
    """Give every edge a lane; edges of one value to several nodes share theirs."""
    rows = {node: row for row, node in enumerate(nodes)}
    ends: dict[Value, list[int]] = {}
    straight: list[Edge] = []
    for row, node in enumerate(nodes):
        for value in dict.fromkeys(node.inputs):
            start = rows[value.producer]
            if row == start + 1:
                straight.append(Edge(start, row, value, 0))
            else:
                ends.setdefault(value, []).append(row)
    taken: list[int] = []
    """by lane, the row at which it is free again"""
    found = straight
    for value, at in sorted(ends.items(), key=lambda item: rows[item[0].producer]):
        start = rows[value.producer]
        free = (lane for lane, end in enumerate(taken) if end <= start)
        lane = next(free, min(len(taken), LANES - 1))
        if lane == len(taken):
            taken.append(0)
        taken[lane] = max(taken[lane], at[-1])
        found += [Edge(start, end, value, lane + 1) for end in at]
    return found


def _lines(edge: Edge, column: float) -> list[Shape]:
    events = edge.value.type.is_spikes
    role, width = (Role.ACCENT, 1.8) if events else (Role.MUTED, 1.1)
    top, bottom = _height(edge.start), _height(edge.end)
    static = edge.value.type.is_static
    if edge.lane == 0:
        return [Line(((column, top), (column, bottom)), role, width, static)]
    x = column - LANE * edge.lane
    turn = 4.0
    path = ((column, top), (x + turn, top), (x, top + turn), (x, bottom - turn))
    return [Line((*path, (x + turn, bottom), (column, bottom)), role, width, static)]


def _node(node: Node, column: float, y: float) -> list[Shape]:
    role = ROLES.get(node.op.family, OTHER)
    op = type(node.op).__name__
    shape = "×".join(map(str, node.outputs[0].type.dims)) if node.outputs else ""
    tip = f"{node.name}: {op}" + (f" → {node.outputs[0].type}" if node.outputs else "")
    place = str(node.location)
    left = column + 11
    middle = left + 0.45 * (WIDTH - left)
    room = WIDTH - middle - 5.4 * len(shape) - 6
    ink = Role.MUTED if role is Role.INK else role
    return [
        Dot(column, y, 4.2, role, f"{tip}\n{place}" if place else tip),
        Text(left, y + 3.8, shortened(node.name, middle - left - 6, 10.5), size=10.5),
        Text(middle, y + 3.8, shortened(op, room, 10), ink, size=10),
        Text(WIDTH, y + 3.8, shape, Role.MUTED, Anchor.END, 9.5),
    ]
