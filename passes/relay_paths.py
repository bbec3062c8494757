"""Puts relay neurons on paths that are too short for a target whose connections take time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Array, Editor, Family, Graph, Node, Spikes, Value, ops
from spikec.pipeline import Context, Exactly, Pass, Promise
from spikec.target import layers_of, load_target, partition
from spikec.target.layers import Layer, sources_of
from spikec.target.model import Target
from spikec.target.timing import waits


@dataclass(frozen=True)
class RelayPaths(Pass):
    """An event of a short path has to wait where a longer one ends; a relay layer takes a step.

    A relay of a, the size of an event, sends what it gets: θ = a, h = a k, n = floor(h / θ) = k,
    v = 0.  In a program it costs no time, so that nothing changes; on a target whose connections
    take a step each, k relays are k steps.  Where the target can hold events back (``max-delay``)
    nothing is done.

    ::

        %y = Add(%conv(%b(%conv(%a))), %a)   ->   %a_relay = IntegrateFire(%a; threshold=1)
                                                  %y = Add(%conv(%b(%conv(%a))), %a_relay)
    """

    target: str

    name: ClassVar[str] = "relay-paths"
    promise: ClassVar[Promise] = Exactly(1e-6)

    def apply(self, edit: Editor, context: Context) -> None:
        target = load_target(self.target)
        most, per = target.time.max_delay, target.time.delay_per_connection.value
        if most is None or not per:
            return
        relays = _Relays(edit, most.value, per)
        while relays.add(_layers(edit.graph, target)):
            pass
        if relays.problems:
            what = f"{target.name} cannot hold back events by {most.value} steps"
            raise UnsupportedModel(what, problems=list(relays.problems.values()))


def _layers(graph: Graph, target: Target) -> tuple[Layer, ...]:
    return layers_of(graph, set(partition(graph, target).chip))


class _Relays:
    def __init__(self, edit: Editor, most: int, per: int) -> None:
        self.edit = edit
        self.most = most
        self.per = per
        self.chains: dict[Value, Value] = {}
        """the relay of each value"""
        self.problems: dict[tuple[str, str], Problem] = {}

    def add(self, layers: tuple[Layer, ...]) -> bool:
        """Put a relay on the first connections that have to wait; tell whether there were any."""
        held = waits(sources_of(layers), self.per)
        for layer in layers:
            for connection, wait in zip(layer.inputs, held[layer.name], strict=True):
                late = connection.path.delay + wait > self.most and wait > 0
                key = (connection.source.name, layer.name)
                if late and key not in self.problems and self._relay(connection.source, layer):
                    return True
        return False

    def _relay(self, source: Value, layer: Layer) -> bool:
        """Let the way from a source to a layer begin at the source's relay."""
        users = list(_first_nodes(source, layer.node))
        shared = [user for user in users if not _leads_only_to(user, layer.node)]
        if shared:
            self.problems[source.name, layer.name] = Problem(
                f"a way from %{source.name} to %{layer.name} that others share",
                shared[0].place,
                "ways that are apart from their first op on",
                "apply the shared op twice",
            )
            return False
        relay = self.chains.get(source) or self._made(source)
        for user in users:
            self.edit.rewire(user, tuple(relay if v is source else v for v in user.inputs))
        return True

    def _made(self, source: Value) -> Value:
        signal = source.type.signal
        assert isinstance(signal, Spikes)  # layers wait for events alone
        op = ops.IntegrateFire(
            Array(signal.amplitude.data),
            levels=signal.levels,
            negative=ops.Negative.FREE if signal.signed else ops.Negative.NONE,
            code=signal.code,
        )
        node = source.producer
        following = next(n for n in self.edit.graph if source in n.inputs)
        relay = self.edit.add(
            op, source, name=f"{node.name}_relay", sources=(node,), before=following
        )
        self.chains[source] = relay
        return relay


def _first_nodes(source: Value, end: Node) -> Iterator[Node]:
    """Give the users of a source from which a way without neurons leads to a layer."""
    for user in source.users:
        if user is end or (user.op.family is not Family.NEURON and end in _ends(user)):
            yield user


def _leads_only_to(user: Node, end: Node) -> bool:
    return user is end or _ends(user) == {end}


def _ends(node: Node) -> set[Node]:
    """Give the layers, and other ends, that a node leads to without neurons on the way."""
    found: set[Node] = set()
    waiting = [node]
    while waiting:
        for value in waiting.pop().outputs:
            if not value.users:
                found.add(value.producer)
            for user in value.users:
                if user.op.family is Family.NEURON or isinstance(user.op, ops.Output):
                    found.add(user)
                else:
                    waiting.append(user)
    return found
