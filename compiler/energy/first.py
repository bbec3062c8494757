"""Layers in front of the first events: computed once, or again at every step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikec.energy.measure import Measured
from spikec.energy.price import Parts
from spikec.energy.result import FirstLayer
from spikec.energy.rules import rule_of
from spikec.energy.rules.elementwise import nothing
from spikec.ir import Graph, Node, ops


def first_layer(found: Measured, parts: Sequence[Parts], total_pj: float) -> FirstLayer:
    """Say what a sample takes where these layers run once, and where they run T times.

    Static nodes run once in the program; nodes that read one value repeated at every step run T
    times.  Both give the same numbers either way.
    """
    ahead, steps = static_ahead(found.graph), found.steps
    names, macs, once = [], 0.0, 0.0
    once_pj = every_pj = total_pj
    for row, part in zip(found.rows, parts, strict=True):
        energy, products = float(np.mean(part.total)), float(np.mean(row.work.counts.macs))
        if row.node in ahead:
            every_pj += (steps - 1) * energy
        elif repeats(row.node) and products:
            energy, products = energy / steps, products / steps
            once_pj -= (steps - 1) * energy
        else:
            continue
        if products:
            names.append(row.node.name)
            macs += products
            once += energy
    return FirstLayer(tuple(names), macs, once, once_pj, every_pj)


def static_ahead(graph: Graph) -> set[Node]:
    """Give the static nodes that lead to values with time, and depend on none."""
    timed: set[Node] = set()
    for node in graph:
        values = (*node.inputs, *node.outputs)
        if any(not v.type.is_static or v.producer in timed for v in values):
            timed.add(node)
    leading: set[Node] = set()
    for node in reversed(list(graph)):
        users = {user for value in node.outputs for user in value.users}
        if users & (timed | leading):
            leading.add(node)
    return leading - timed


def repeats(node: Node) -> bool:
    """Tell whether all that a node reads is the same at every step."""
    return bool(node.inputs) and all(
        isinstance(value.producer.op, ops.Repeat)
        or (rule_of(type(value.producer.op)) is nothing and repeats(value.producer))
        for value in node.inputs
    )
