"""Violations of single nodes: ops, kinds of neurons, their options, the events they send."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from spikec.ir import Family, Node, Spikes, Timing
from spikec.ir.ops import Comparison, Decision, Leak, Negative, Reset
from spikec.target.model import NeuronKind, Target
from spikec.target.partition import at_other_rate, cannot_run
from spikec.target.violation import Rule, Violation


def node_violations(node: Node, target: Target) -> Iterator[Violation]:
    """Give what is wrong with a node that has to run on the target."""
    reason = cannot_run(node, target)
    if reason:
        yield _absent(node, target, reason)
    elif node.op.family is Family.NEURON:
        kind = target.neurons[type(node.op)]  # type: ignore[index]  # cannot_run has looked
        yield from _options(node, kind, target)
    if node.op.family is Family.NEURON:
        yield from signal_violations(node, target)


def _absent(node: Node, target: Target, reason: str) -> Violation:
    together = node.timing is Timing.WHOLE or at_other_rate(node)
    if together and not target.time.whole_sequence.value:
        remedy = "leave it to the host at one end of the network, or unroll the steps"
        return Violation(Rule.WHOLE_SEQUENCE, reason, node.place, "ops of one step", remedy)
    if node.op.family is Family.NEURON:
        known = ", ".join(kind.__name__ for kind in target.neurons)
        remedy = "convert with a recipe whose neurons the target has (spikec recipes)"
        return Violation(Rule.NEURON, reason, node.place, known, remedy)
    remedy = "fold it into weights, put it in front or behind for the host, or do without it"
    return Violation(Rule.OPERATION, reason, node.place, "linear maps and neurons", remedy)


def _options(node: Node, kind: NeuronKind, target: Target) -> Iterator[Violation]:
    for name, allowed in kind.options.items():
        value = getattr(node.op, name)
        if value not in allowed:
            yield Violation(
                Rule.RESET if isinstance(value, Reset) else Rule.OPTION,
                f"{name.replace('_', ' ')} {value.value!r}",
                node.place,
                " or ".join(str(member.value) for member in allowed),
                _REMEDY.get(type(value), ""),
            )
    for name in kind.absent:
        if getattr(node.op, name) is not None:
            yield Violation(
                Rule.OPTION,
                f"a {name.replace('_', ' ')}",
                node.place,
                f"none on {target.name}",
                _ABSENT.get(name, "leave it out"),
            )


def signal_violations(node: Node, target: Target) -> Iterator[Violation]:
    """Give what is wrong with the events of a node."""
    signal, limits = node.outputs[0].type.signal, target.signals
    if not isinstance(signal, Spikes):
        return
    if signal.signed and not limits.signed.value:
        remedy = (
            "a recipe without negative events: rate, phased, graded (two neurons, one for each "
            "sign, would not know what the other has sent)"
        )
        yield Violation(Rule.SIGNED, "negative events", node.place, "positive events", remedy)
    if limits.levels is not None and signal.levels > limits.levels.value:
        most = limits.levels.value
        yield Violation(
            Rule.LEVELS,
            f"events of up to {signal.levels} quanta",
            node.place,
            f"at most {most}",
            "a recipe with fewer levels per step: " + ("rate" if most == 1 else "graded{n=...}"),
        )
    if signal.code not in limits.codes.value:
        codes = ", ".join(code.value for code in limits.codes.value)
        remedy = "a recipe of another code (spikec recipes)"
        yield Violation(Rule.CODE, f"code {signal.code.value!r}", node.place, codes, remedy)


_REMEDY: dict[type[Enum], str] = {
    Reset: "refit-reset (spikec lower --refit-reset), an approximation; or a target that has it",
    Leak: "neurons without leak: leak=1 in recipe balanced",
    Negative: "a recipe without negative events: rate, phased, graded",
    Comparison: "legalise-neurons (spikec lower), in whole numbers (--input-bits, --weight-bits); "
    "a hard reset needs thresholds above 1",
    Decision: "neurons that decide with this step's input",
}
_ABSENT: dict[str, str] = {
    "v0": "legalise-neurons, where there are currents of single steps; or begin at 0",
    "reset_potential": "legalise-neurons shifts potentials so that the reset is to 0",
    "rest_potential": "put the rest potential into the bias",
}
