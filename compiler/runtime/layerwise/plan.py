"""How large the blocks are into which a run is cut: samples first, steps where need be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from spikec.errors import UsageError
from spikec.ir.dims import Sizes
from spikec.ir.graph import Graph, Node, Value
from spikec.runtime.feed import Feed
from spikec.runtime.layerwise.split import samples_are_alone
from spikec.runtime.reference import Group, groups_of

COMFORTABLE = 64 << 20
"""Bytes of values alive at once where nobody has set a bound: the blocks of one layer stay in the
last-level cache, and what runs once per node of a block is still cheap beside the arithmetic."""


@dataclass(frozen=True)
class Phase:
    """Nodes that run one after another over the same steps."""

    group: Group
    nodes: tuple[Node, ...]

    @property
    def steps_through(self) -> bool:
        """Whether its nodes advance in time (else each runs once, on all steps)."""
        return self.group[0] % 2 == 1

    @property
    def rate(self) -> Fraction:
        """Steps that its nodes make per step of the program."""
        return self.group[1]

    def kept(self, value: Value, wanted: frozenset[str]) -> bool:
        """Tell whether a result is needed outside, for all steps."""
        return value.name in wanted or any(user not in self.nodes for user in value.users)


@dataclass(frozen=True)
class Plan:
    """Phases in order, and how many samples and steps are computed at a time."""

    phases: tuple[Phase, ...]
    samples: int
    steps: int


def plan(graph: Graph, feed: Feed, wanted: frozenset[str], memory: int | None) -> Plan:
    """Choose blocks so that the values alive at once fit into ``memory`` bytes."""
    phases = phases_of(graph)
    sizes = feed.sizes
    alone = samples_are_alone(graph)
    bound = COMFORTABLE if memory is None else memory
    need = _Need(phases, feed, wanted)
    samples = sizes.batch
    while alone and samples > 1 and need.bytes(samples, sizes.steps) > bound:
        samples = -(-samples // 2)
    steps, least = sizes.steps, _least_steps(graph)
    if memory is not None:
        while steps > least and need.bytes(samples, steps) > bound:
            steps = max(least, -(-steps // (2 * least)) * least)
        _check(need.bytes(samples, steps), memory, samples)
    return Plan(phases, samples, steps)


def _check(needed: int, memory: int, samples: int) -> None:
    if needed > memory:
        what = f"{samples} samples together" if samples > 1 else "one step of one sample"
        raise UsageError(
            f"memory bound of {memory} bytes",
            expected=f"at least {needed} bytes: {what} cannot be cut further",
            remedy="raise the bound, or record fewer values",
        )


def phases_of(graph: Graph) -> tuple[Phase, ...]:
    """Give the phases of a graph, in the order in which they run."""
    groups = groups_of(graph)
    by_group: dict[Group, list[Node]] = {}
    for node in graph:
        by_group.setdefault(groups[node], []).append(node)
    return tuple(Phase(group, tuple(by_group[group])) for group in sorted(by_group))


def _least_steps(graph: Graph) -> int:
    """Give the fewest steps of the program that are whole numbers of steps for every value."""
    return math.lcm(1, *(v.type.rate.denominator for n in graph for v in n.outputs))


class _Need:
    """Bytes of values alive at once, at the worst moment."""

    def __init__(self, phases: Iterable[Phase], feed: Feed, wanted: frozenset[str]) -> None:
        self.phases = tuple(phases)
        self.feed = feed
        self.wanted = wanted

    def bytes(self, samples: int, steps: int) -> int:
        """Give the peak for blocks of that many samples and steps."""
        whole, block = Sizes(samples, self.feed.sizes.steps), Sizes(samples, steps)
        waiting = {v: set(v.users) for p in self.phases for n in p.nodes for v in n.outputs}
        alive: dict[Value, int] = {}
        peak = 0
        for phase in self.phases:
            for node in phase.nodes:
                for value in node.outputs:
                    inside = phase.steps_through and not phase.kept(value, self.wanted)
                    alive[value] = self._size(value, block if inside else whole)
                peak = max(peak, sum(alive.values()))
                for value in (*node.inputs, *node.outputs):
                    waiting[value].discard(node)
                    if not waiting[value] and value.name not in self.wanted:
                        alive.pop(value, None)
        return peak

    def _size(self, value: Value, sizes: Sizes) -> int:
        itemsize = self.feed.element_type(value.type.dtype).itemsize
        return math.prod(value.type.shape(sizes)) * itemsize
