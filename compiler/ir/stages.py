"""ANALOG, SPIKING, PLACED: what may stand in a graph of each stage, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spikec.errors import Problem
from spikec.ir.graph import Graph, Node, Stage
from spikec.ir.op import Family, Op
from spikec.ir.ops.elementary import Neg
from spikec.ir.ops.reduce import ReduceMean, ReduceSum


@dataclass(frozen=True)
class StageSpec:
    """What a stage admits."""

    families: frozenset[Family]
    spikes: bool
    """values may be spikes"""
    time: bool
    """values may hold T"""
    remedy: str
    """how a graph comes to meet this spec"""
    linear: tuple[type[Op], ...] = ()
    """ops of other families that are linear maps all the same"""
    ends: frozenset[Family] = frozenset()
    """further families of nodes that do not stand between neurons: a host computes them"""


def stage_problems(graph: Graph) -> Iterator[Problem]:
    """Give everything in a graph that its stage does not admit."""
    spec = STAGES[graph.stage]
    between = _between_neurons(graph) if spec.ends else frozenset()
    for node in graph:
        family = node.op.family
        end = family in spec.ends and node not in between
        if family not in spec.families and not (end or isinstance(node.op, spec.linear)):
            admitted = ", ".join(sorted(f.value for f in spec.families))
            what = f"an op of the {family.value} family in {_article(graph.stage)} graph"
            yield Problem(what, node.place, f"families {admitted}", spec.remedy)
        yield from _values(node, graph.stage, spec)


def _between_neurons(graph: Graph) -> frozenset[Node]:
    """Give the nodes with neurons in front of them and behind them."""
    after: set[Node] = set()
    for node in graph:
        before = (value.producer for value in node.inputs)
        if any(n in after or n.op.family is Family.NEURON for n in before):
            after.add(node)
    ahead: set[Node] = set()
    for node in reversed(graph.nodes):
        users = (user for value in node.outputs for user in value.users)
        if any(n in ahead or n.op.family is Family.NEURON for n in users):
            ahead.add(node)
    return frozenset(after & ahead)


def _values(node: Node, stage: Stage, spec: StageSpec) -> Iterator[Problem]:
    for value in node.outputs:
        if value.type.is_spikes and not spec.spikes:
            what = f"spikes in {_article(stage)} graph: {value!r}"
            yield Problem(what, node.place, "analog values", spec.remedy)
        if not value.type.is_static and not spec.time:
            what = f"time steps in {_article(stage)} graph: {value!r}"
            yield Problem(what, node.place, "sizes without T", spec.remedy)


def _article(stage: Stage) -> str:
    return f"an {stage.value}" if stage is Stage.ANALOG else f"a {stage.value}"


EVENTFUL = frozenset({Family.NEURON, Family.CODING, Family.TEMPORAL})
"""What no analog graph holds."""
_DENSE_ONLY = frozenset({Family.NORM, Family.ACTIVATION, Family.REDUCE, Family.LOGIC})
"""What chips do not compute: a pass folds or replaces it, or it stays on the host, at an end."""

STAGES: dict[Stage, StageSpec] = {
    Stage.ANALOG: StageSpec(
        families=frozenset(Family) - EVENTFUL,
        spikes=False,
        time=False,
        remedy="a graph with neurons or time steps is a spiking one: Editor.stage(Stage.SPIKING)",
    ),
    Stage.SPIKING: StageSpec(
        families=frozenset(Family),
        spikes=True,
        time=True,
        remedy="",
    ),
    Stage.PLACED: StageSpec(
        families=frozenset(Family) - _DENSE_ONLY,
        spikes=True,
        time=True,
        remedy="fold or replace the node before placing",
        linear=(Neg, ReduceSum, ReduceMean),
        ends=_DENSE_ONLY,
    ),
}
