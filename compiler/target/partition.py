"""Cuts a graph between host and chip: what comes first and what comes last may stay on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from spikec.ir import Family, Graph, Node, Timing, Value, ops
from spikec.ir.encoding import in_turn
from spikec.target.layers import SYNAPTIC
from spikec.target.model import AnalogInput, Target

PLAIN = (ops.Input, ops.Output, ops.Constant)
"""Ops that stand nowhere: ports and parameters."""


@dataclass(frozen=True, eq=False)
class Partition:
    """Where each node runs."""

    prefix: tuple[Node, ...]
    """on the host, before the chip"""
    chip: tuple[Node, ...]
    suffix: tuple[Node, ...]
    """on the host, behind the chip"""
    reasons: tuple[str, ...] = ()
    """why there is no cut: the chip's part then holds what it cannot run"""
    general: tuple[str, ...] = ()
    """of the reasons, those that are not about a single node"""
    sent: tuple[Value, ...] = field(default=())
    """values that go from the host to the chip"""
    read: tuple[Value, ...] = field(default=())
    """values that go from the chip to the host"""
    forced: tuple[Node, ...] = ()
    """nodes between neurons that cannot run: they drove neurons to the host"""

    @property
    def found(self) -> bool:
        return not self.reasons

    def to_json(self) -> dict[str, object]:
        """Give the names of the nodes of each part."""
        return {
            "prefix": [node.name for node in self.prefix],
            "chip": [node.name for node in self.chip],
            "suffix": [node.name for node in self.suffix],
            "sent": [value.name for value in self.sent],
            "read": [value.name for value in self.read],
            "forced": [node.name for node in self.forced],
            "reasons": list(self.reasons),
        }


def partition(graph: Graph, target: Target) -> Partition:
    """Leave to the host what the target cannot do, where that comes first or last."""
    return _Cut(graph, target).run()


def cannot_run(node: Node, target: Target) -> str:
    """Say why no pass makes this node one that the target has; nothing where it may run."""
    op, name = node.op, type(node.op).__name__
    if isinstance(op, PLAIN):
        return ""
    if node.timing is Timing.WHOLE and not target.time.whole_sequence.value:
        return f"{name} needs all steps at once"
    if at_other_rate(node) and not target.time.whole_sequence.value:
        return f"{name} runs at {node.outputs[0].type.rate} of the steps"
    if in_turn(node):
        return "it encodes what only a host can show"
    if op.family is Family.NEURON:
        return "" if type(op) in target.neurons else f"no neurons of kind {name}"
    return "" if isinstance(op, target.operations.allowed.value) else f"no op {name}"


def at_other_rate(node: Node) -> bool:
    """Tell whether a node runs at other steps than the program, as behind a wavelet over time."""
    return any(value.type.rate != 1 for value in node.outputs)


def in_series(graph: Graph, target: Target, nodes: Iterable[Node]) -> list[tuple[Node, Node]]:
    """Give pairs of weights with neither neurons nor a permission between them."""
    allowed = target.operations.in_series.value
    weighted: dict[Value, Node] = {}
    found = []
    inside = set(nodes)
    for node in graph:
        if node not in inside or node.op.family is Family.NEURON:
            continue
        before = [weighted[v] for v in node.inputs if v in weighted]
        synaptic = isinstance(node.op, SYNAPTIC)
        free = isinstance(node.op, allowed)
        if synaptic and not free:
            found += [(first, node) for first in before]
        carried = node if synaptic and not free else next(iter(before), None)
        if carried is not None:
            weighted.update(dict.fromkeys(node.outputs, carried))
    return found


class _Cut:
    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph = graph
        self.target = target
        self.nodes = graph.nodes
        self.after = _reaching(graph, lambda node: node.op.family is Family.NEURON)
        """nodes with neurons behind them"""
        self.before = _reached(graph, lambda node: node.op.family is Family.NEURON)
        """nodes with neurons in front of them"""
        self.eventful = _reached(graph, lambda node: any(v.type.is_spikes for v in node.outputs))
        """nodes with events in front of them"""

    def run(self) -> Partition:
        """Try each place of the cut among the nodes that cannot run; keep most neurons."""
        cannot = self._cannot()
        series = {second for _, second in in_series(self.graph, self.target, self.nodes)}
        first = {n for n in cannot if n not in self.before and n in self.after}
        first |= self._analog_first() | {n for n in self.nodes if in_turn(n)}
        last = {n for n in (*cannot, *series) if n not in self.after}
        middle = [n for n in self.nodes if n in cannot and n not in first | last]
        best: Partition | None = None
        for place in range(len(middle) + 1):
            cut = self._cut(first | set(middle[:place]), last | set(middle[place:]))
            if cut is not None and (best is None or _neurons(cut.chip) > _neurons(best.chip)):
                best = replace(cut, forced=tuple(middle))
        if best is not None and _neurons(best.chip):
            return best
        return self._none(first, last, middle)

    def _none(self, first: set[Node], last: set[Node], middle: list[Node]) -> Partition:
        """Say why there is no cut; leave to the host what stands at the ends all the same."""
        prefix = _reaching(self.graph, first.__contains__)
        suffix = _reached(self.graph, last.__contains__)
        ends = None if prefix & suffix else self._made(prefix, suffix)
        reasons = [f"{node.place}: {cannot_run(node, self.target)}" for node in middle]
        general = self._general(bool(middle))
        cut = ends or Partition((), self.nodes, ())
        return replace(cut, reasons=(*reasons, *general), general=general)

    def _cannot(self) -> list[Node]:
        return [node for node in self.nodes if cannot_run(node, self.target)]

    def _general(self, blamed: bool) -> tuple[str, ...]:
        host = self.target.host
        if not any(node.op.family is Family.NEURON for node in self.nodes):
            return ("the graph holds no neurons",)
        if not (host.prefix.value and host.suffix.value):
            return ("the host of this target takes no part in the work",)
        return () if blamed else ("no neurons would be left on the chip",)

    def _analog_first(self) -> set[Node]:
        """Give what works on analog values in front of the first neurons."""
        if self.target.host.analog_input.value is AnalogInput.ANY:
            return set()
        return {
            node
            for node in self.nodes
            if node not in self.eventful
            and not isinstance(node.op, ops.Constant)
            and node in self.after
        }

    def _cut(self, first: set[Node], last: set[Node]) -> Partition | None:
        """Close both sides, and move them until only what may cross the border crosses it."""
        while True:
            prefix = _reaching(self.graph, first.__contains__)
            suffix = _reached(self.graph, last.__contains__)
            if prefix & suffix:
                return None
            more = self._refused(prefix, suffix)
            late = self._unread(prefix, suffix)
            if not more and not late:
                return self._made(prefix, suffix)
            first, last = first | more, last | late

    def _refused(self, prefix: set[Node], suffix: set[Node]) -> set[Node]:
        """Give the chip's nodes that would read from the host what it cannot send."""
        return {
            user
            for node in prefix
            for value in node.outputs
            for user in value.users
            if user not in prefix | suffix and not self._may_enter(value, user)
        }

    def _may_enter(self, value: Value, user: Node) -> bool:
        if value.type.is_spikes or isinstance(user.op, ops.Output):
            return True
        kind = self.target.host.analog_input.value
        if kind is AnalogInput.CURRENT:
            return not value.type.is_static and not isinstance(user.op, SYNAPTIC)
        return kind is AnalogInput.ANY

    def _unread(self, prefix: set[Node], suffix: set[Node]) -> set[Node]:
        """Give what works on currents behind the last neurons, where no potential can be read."""
        readable = self.target.host.read_potential.value and ops.Accumulator in self.target.neurons
        ends = (*suffix, *(n for n in self.nodes if isinstance(n.op, ops.Output)))
        late = {
            value.producer
            for node in ends
            for value in node.inputs
            if value.producer not in prefix | suffix
            and not (value.type.is_spikes or value.type.is_static)
        }
        late = {n for n in late if n.op.family is not Family.NEURON}
        return set() if readable else late

    def _made(self, prefix: set[Node], suffix: set[Node]) -> Partition | None:
        host = self.target.host
        work = [n for n in prefix if not isinstance(n.op, PLAIN)]
        work_behind = [n for n in suffix if not isinstance(n.op, PLAIN)]
        if (work and not host.prefix.value) or (work_behind and not host.suffix.value):
            return None
        chip = tuple(n for n in self.nodes if n not in prefix | suffix and not _is_port(n))
        inside = set(chip)
        sent = (v for n in self.nodes if n not in inside for v in n.outputs)
        read = (v for n in chip for v in n.outputs)
        return Partition(
            tuple(n for n in self.nodes if n in prefix and not _is_port(n)),
            chip,
            tuple(n for n in self.nodes if n in suffix and not _is_port(n)),
            sent=tuple(v for v in sent if any(user in inside for user in v.users)),
            read=tuple(v for v in read if any(user not in inside for user in v.users)),
        )


def _is_port(node: Node) -> bool:
    return isinstance(node.op, ops.Input | ops.Output)


def _neurons(nodes: Iterable[Node]) -> int:
    return sum(node.op.family is Family.NEURON for node in nodes)


def _reaching(graph: Graph, wanted: Callable[[Node], bool]) -> set[Node]:
    """Give the wanted nodes, and all whose results reach one (constants stand everywhere)."""
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if isinstance(node.op, ops.Constant):
            continue
        if wanted(node) or any(u in found for v in node.outputs for u in v.users):
            found.add(node)
    return found


def _reached(graph: Graph, wanted: Callable[[Node], bool]) -> set[Node]:
    """Give the wanted nodes, and all that depend on one."""
    found: set[Node] = set()
    for node in graph:
        if wanted(node) or any(v.producer in found for v in node.inputs):
            found.add(node)
    return found
