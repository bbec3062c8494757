"""Checks a graph against a target: every violation, what the host does, what it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spikec.ir import Family, Graph, Node
from spikec.target.layers import Layer, layers_of, sources_of
from spikec.target.model import AnalogInput, Target
from spikec.target.neuron_rules import node_violations, signal_violations
from spikec.target.number_rules import accumulator_violations, number_violations
from spikec.target.partition import Partition, in_series, partition
from spikec.target.reach import Grid
from spikec.target.resources import Resources, resources_of
from spikec.target.timing import waits
from spikec.target.violation import Rule, Violation


@dataclass(frozen=True, eq=False)
class Examination:
    """What came of a check."""

    target: Target
    partition: Partition
    violations: tuple[Violation, ...]
    resources: Resources

    @property
    def ok(self) -> bool:
        """Whether the target can run the graph as it is."""
        return not self.violations

    def to_json(self) -> dict[str, object]:
        """Give everything for machines."""
        return {
            "target": self.target.name,
            "ok": self.ok,
            "violations": [violation.to_json() for violation in self.violations],
            "partition": self.partition.to_json(),
            "resources": self.resources.to_json(),
        }


def check(graph: Graph, target: Target) -> list[Violation]:
    """List everything in a graph that a target (with its host) cannot do."""
    return list(examine(graph, target).violations)


def examine(graph: Graph, target: Target) -> Examination:
    """Cut a graph between host and target, check what stands on the target, and place it."""
    cut = partition(graph, target)
    layers = layers_of(graph, set(cut.chip))
    resources, too_much = resources_of(layers, target)
    found = [
        *(v for node in cut.chip for v in _of_node(node, cut, target)),
        *(v for node in cut.forced for v in node_violations(node, target)),
        *_crossing(cut, target),
        *_series(graph, cut, target),
        *_sums(layers, target),
        *_delays(layers, target),
        *_fan_out(layers, target),
        *too_much,
    ]
    return Examination(target, cut, tuple(found), resources)


def _of_node(node: Node, cut: Partition, target: Target) -> Iterator[Violation]:
    """Check a node; without a cut, nothing is known of the numbers of what cannot run at all."""
    yield from node_violations(node, target)
    if node.outputs and (cut.found or node.op.family is Family.NEURON or not _static(node)):
        yield from number_violations(node, target)


def _static(node: Node) -> bool:
    return all(value.type.is_static for value in node.outputs)


def _crossing(cut: Partition, target: Target) -> Iterator[Violation]:
    """Check the events that the host sends; where there is no cut, say why."""
    for reason in cut.general:
        what = f"no cut between host and {target.name}: {reason}"
        yield Violation(Rule.PARTITION, what, "the whole network", remedy=_CUT)
    anything = target.host.analog_input.value is AnalogInput.ANY
    for value in cut.sent:
        if value.type.is_spikes and not anything:
            yield from signal_violations(value.producer, target)


_CUT = "convert it into a spiking network first (spikec convert), or choose another target"


def _series(graph: Graph, cut: Partition, target: Target) -> Iterator[Violation]:
    for first, second in in_series(graph, target, cut.chip):
        yield Violation(
            Rule.GRADED_CURRENT,
            f"a graded current from %{first.name} meets weights again",
            second.place,
            "neurons between weights: events alone travel",
            "fold-pools (spikec lower), where the first is a pool; or put neurons between them "
            "(pass quantise-between-weights)",
        )


def _sums(layers: Iterable[Layer], target: Target) -> Iterator[Violation]:
    if target.weights.bits is None:
        return
    for layer in layers:
        neuron = layer.node.op.family is Family.NEURON
        operands = list(layer.node.inputs if neuron else layer.node.outputs)
        if layer.inputs:
            yield from accumulator_violations(layer, operands, target)


def _delays(layers: tuple[Layer, ...], target: Target) -> Iterator[Violation]:
    """Refuse delays that are too long: those of the graph, and those that even paths out."""
    most, per = target.time.max_delay, target.time.delay_per_connection.value
    if most is None:
        return
    held = waits(sources_of(layers), per) if per else {}
    for layer in layers:
        extra = held.get(layer.name, (0,) * len(layer.inputs))
        for connection, wait in zip(layer.inputs, extra, strict=True):
            steps = connection.path.delay + wait
            if steps > most.value:
                even = f", {wait} of them because longer paths end here" if wait else ""
                what = f"a delay of {steps} steps from %{connection.source.producer.name}{even}"
                where = layer.node.place
                yield Violation(Rule.DELAY, what, where, f"at most {most.value}", _BALANCE)


_BALANCE = "put a relay layer of neurons on the shorter path, or shorten the longer one"


def _fan_out(layers: Iterable[Layer], target: Target) -> Iterator[Violation]:
    limit = target.limits.fan_out
    if limit is None:
        return
    most: dict[Node, int] = {}
    for layer in layers:
        for connection in layer.inputs:
            reach, source = connection.path.reach, connection.source.producer
            out = int(reach.fan_out().max(initial=0)) if isinstance(reach, Grid) else reach.most_out
            most[source] = most.get(source, 0) + out
    for source, out in most.items():
        if out > limit.value:
            remedy = "send to several cores by copies of the neurons, or narrower layers behind"
            what = f"{out} synapses from one neuron"
            yield Violation(Rule.FAN_OUT, what, source.place, f"at most {limit.value}", remedy)
