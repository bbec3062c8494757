"""Puts graphs within graphs in line, checks the edges, and orders the nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from spikec.errors import Problem, UnsupportedModel
from spikec.frontends.nir_graph.raw import Edge, RawGraph, RawNode


@dataclass(frozen=True)
class Flat:
    """Nodes by their path, sources before readers, and the nodes that each one reads."""

    nodes: Mapping[str, RawNode]
    sources: Mapping[str, tuple[str, ...]]


def flat(graph: RawGraph, origin: str) -> Flat:
    """Put everything into one graph; all that is wrong with its edges stands in one error."""
    nodes: dict[str, RawNode] = {}
    edges: list[Edge] = []
    problems: list[Problem] = []
    _collect(graph, "", nodes, edges, problems)
    sources = {name: tuple(a for a, b in edges if b == name) for name in nodes}
    problems += _unfed(nodes, sources, graph)
    if not any(_is(node, "Output") for node in graph.nodes.values()):
        remedy = "add a node of class Output, and an edge that leads to it"
        problems.append(Problem("no Output: the graph gives nothing", origin, "", remedy))
    if problems:
        raise UnsupportedModel(f"{origin}: the graph is not whole", problems=problems)
    order = _ordered(sources, origin)
    return Flat({name: nodes[name] for name in order}, sources)


def _collect(
    graph: RawGraph,
    prefix: str,
    nodes: dict[str, RawNode],
    edges: list[Edge],
    problems: list[Problem],
) -> None:
    """Enter a graph's nodes under their paths, and its edges between these."""
    for name, node in graph.nodes.items():
        if isinstance(node, RawNode):
            if prefix + name in nodes:
                problems.append(Problem("two nodes have one path", f"NIR node {prefix + name}"))
            nodes[prefix + name] = node
        else:
            _collect(node, f"{prefix}{name}.", nodes, edges, problems)
    for edge, count in Counter(graph.edges).items():
        where = f"edge {prefix}{edge[0]} -> {prefix}{edge[1]}"
        if count > 1:
            remedy = "put a Scale of 2 on the way, if the value is to be added twice"
            problems.append(Problem(f"the edge stands there {count} times", where, "", remedy))
        ends = [_end(graph, name, side) for name, side in zip(edge, _SIDES, strict=True)]
        problems += [Problem(end.what, where, end.expected) for end in ends if not end.path]
        if all(end.path for end in ends):
            edges.append((prefix + ends[0].path, prefix + ends[1].path))


_SIDES = ("Output", "Input")
"""what an edge's first and second end is within a graph that it names"""


@dataclass(frozen=True)
class _End:
    """Where an edge ends; without a path, what is wrong there."""

    path: str
    what: str = ""
    expected: str = ""


def _end(graph: RawGraph, name: str, side: str) -> _End:
    node = graph.nodes.get(name)
    if node is None:
        return _End("", f"no node is called {name!r}", ", ".join(graph.nodes) or "nodes")
    if isinstance(node, RawNode):
        return _End(name)
    ports = [n for n, inner in node.nodes.items() if _is(inner, side)]
    if len(ports) != 1:
        what = f"the graph {name!r} has {len(ports)} nodes of class {side}"
        return _End("", what, "exactly one, so that the edge's end is known")
    return _End(f"{name}.{ports[0]}")


def _is(node: RawNode | RawGraph, kind: str) -> bool:
    return isinstance(node, RawNode) and node.kind == kind


def _unfed(
    nodes: Mapping[str, RawNode], sources: Mapping[str, tuple[str, ...]], graph: RawGraph
) -> list[Problem]:
    """List nodes to which nothing leads, but for the graph's own Inputs."""
    remedy = "put an Input in front of it, or remove it"
    return [
        Problem(f"nothing leads to this {node.kind}", f"NIR node {name}", "", remedy)
        for name, node in nodes.items()
        if not sources[name] and not (node.kind == "Input" and name in graph.nodes)
    ]


def _ordered(sources: Mapping[str, tuple[str, ...]], origin: str) -> Iterator[str]:
    sorter = TopologicalSorter(sources)
    try:
        return iter(tuple(sorter.static_order()))
    except CycleError as error:
        path = " -> ".join(error.args[1])
        raise UnsupportedModel(
            "the graph is recurrent: events come back to where they started",
            where=f"{origin}, nodes {path}",
            expected="a graph without cycles",
            remedy="cut the loop, or unroll it over the steps before writing the file",
        ) from None
