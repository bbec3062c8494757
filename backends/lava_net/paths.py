"""The linear maps between layers: every way from a source to a value, op by op."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from spikec.errors import Problem
from spikec.ir import Node, Op, Value, ops
from spikec.pipeline.roles import MAXIMUM, carries_sums

MANY = 256
"""most paths that may meet in one value"""


class Refused(Exception):  # noqa: N818  # as the errors of the house: named after what is wrong
    """Says which nodes cannot be connections."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems


@dataclass(frozen=True, eq=False)
class Path:
    """A way from a source: nodes, each with the position of the operand by which it is entered."""

    source: Value
    steps: tuple[tuple[Node, int], ...] = ()

    @property
    def end(self) -> Value:
        """The value that it leads to."""
        return self.steps[-1][0].outputs[0] if self.steps else self.source

    @property
    def delay(self) -> int:
        """Steps of the graph's own Delay ops on the way."""
        return sum(node.op.steps for node, _ in self.steps if isinstance(node.op, ops.Delay))


def paths_to(wanted: Value, sources: Collection[Value]) -> tuple[Path, ...]:
    """Give all paths from sources to a value; what is not linear on the way is refused."""
    known: dict[Value, tuple[Path, ...]] = {source: (Path(source),) for source in sources}
    problems: dict[Node, Problem] = {}
    for node in _between(wanted, sources):
        entered = [
            Path(path.source, (*path.steps, (node, position)))
            for position, value in enumerate(node.inputs)
            for path in known.get(value, ())
        ]
        if entered and not is_linear(node):
            problems[node] = refusal(node)
        if len(entered) > MANY:
            what = f"{len(entered)} paths of connections meet"
            problems[node] = Problem(what, node.place, f"at most {MANY}", "use fewer branches")
            entered = entered[:1]
        for value in node.outputs:
            known[value] = tuple(entered)
    if problems:
        raise Refused(*problems.values())
    return known.get(wanted, ())


def _between(wanted: Value, sources: Collection[Value]) -> list[Node]:
    """Give the nodes from which a value is computed, operands first, down to the sources."""
    order: list[Node] = []
    seen: set[Node] = set()
    waiting = [(wanted.producer, False)] if wanted not in sources else []
    while waiting:
        node, done = waiting.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(v.producer, False) for v in node.inputs if v not in sources]
    return order


def is_linear(node: Node) -> bool:
    """Tell whether a node is a linear map of each operand, the same one in every step."""
    single = len(node.outputs) == 1 and node.outputs[0].type.rate == 1
    return single and (isinstance(node.op, ops.Delay) or _sums(node))


def _sums(node: Node) -> bool:
    return carries_sums(node) and not isinstance(node.op, (*MAXIMUM, ops.QuantReLU))


def refusal(node: Node) -> Problem:
    """Say what stands in the way, and what to do."""
    rule = next((r for k, r in _REMEDIES.items() if isinstance(node.op, k)), _OTHERWISE)
    what = f"{type(node.op).__name__} is no connection of Lava"
    return Problem(what, node.place, "linear maps between neurons", rule)


_OTHERWISE = "convert with another recipe, or change the network"
_MAXIMA: tuple[type[Op], ...] = (*MAXIMUM, ops.CumulativeSum, ops.Difference)
_REMEDIES: Mapping[tuple[type[Op], ...], str] = {
    _MAXIMA: "average instead: convert with the recipe's option average-pools=true",
    (ops.Mul,): "no product of two signals: convert a network without gates",
}
