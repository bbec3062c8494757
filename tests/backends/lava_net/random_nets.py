"""Random spiking networks of what Lava's processes and connections can do."""

from __future__ import annotations

import numpy as np

from spikec.ir import B, Graph, Stage, T, TensorType, ops
from spikec.ir.dims import multiply
from spikec.testing.draft import Draft, UnfitError
from spikec.testing.draw_elementwise import merge
from spikec.testing.draw_layers import PLAIN_LAYERS
from spikec.testing.draw_shape import PLAIN_MOVES
from spikec.testing.draw_spiking import fold_time, is_current, neuron, readout

SUPPORTED = (ops.IntegrateFire, ops.BipolarIF, ops.PhasedFire, ops.MultiThreshold)


def random_net(seed: int, size: int = 12) -> Graph:
    """Draw a network: inputs static or over time, neurons, linear ops of all kinds, readouts."""
    d = Draft(np.random.default_rng(seed), Stage.SPIKING, smooth=False)
    _input(d)
    draws = (*PLAIN_LAYERS * 2, *PLAIN_MOVES, merge, _delay, fold_time, *(_neuron,) * 16)
    while len(d.edit.graph) < size:
        try:
            d.choose(*draws)(d)
        except UnfitError:
            continue
    _neuron(d)
    d.edit.output("spikes", d.values[-1])
    unread = [value for value in d.values if not value.users and is_current(value.type)]
    for value in unread[:2]:
        d.values = [value]
        if d.chance(0.7):
            readout(d)
        d.edit.output("y", d.values[-1])
    return d.edit.graph


def _input(d: Draft) -> None:
    leads = ((B,), (B,), (T, B), (multiply(T, B),), (B, T))
    lead = d.choose(*leads)
    rest = d.choose((d.integer(1, 4), d.integer(2, 7), d.integer(2, 7)), (d.integer(1, 8),))
    x = d.edit.input("x", TensorType((*lead, *rest)))
    if lead != (B,):
        d.values.append(x)
        return
    weight = d.array(rest[0], rest[0]) if len(rest) == 1 else d.array(2, rest[0], 1, 1)
    op = (
        ops.Linear(weight)
        if len(rest) == 1
        else ops.Conv(weight, None, (1, 1), ((0, 0),) * 2, (1, 1))
    )
    current = d.hidden(op, x)
    d.add(d.choose(ops.Repeat(), ops.Impulse(d.integer(1, 2))), current)


def _neuron(d: Draft) -> None:
    """Neurons that are processes of the backend."""
    before = len(d.values)
    while len(d.values) == before or type(d.values[-1].producer.op) not in SUPPORTED:
        if len(d.values) > before:
            d.edit.remove(d.values.pop().producer)
        neuron(d)


def _delay(d: Draft) -> None:
    d.add(ops.Delay(d.integer(1, 2)), d.pick(is_current))
