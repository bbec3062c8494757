"""Random programs in which nearly every op is fed by events."""

import numpy as np

from spikec.ir import Array, B, Graph, Stage, T, TensorType, Value, ops
from spikec.testing.draft import Draft, UnfitError
from spikec.testing.draw_layers import PLAIN_LAYERS
from spikec.testing.draw_shape import PLAIN_MOVES, reduce
from spikec.testing.draw_spiking import fold_time, neuron, readout, temporal


def program(seed: int) -> Graph:
    """Draw layers and neurons in turn; layers read events alone."""
    d = Draft(np.random.default_rng(seed), Stage.SPIKING, smooth=False)
    shape = (d.integer(1, 4), d.integer(2, 6), d.integer(2, 6))
    current = d.edit.input("x", TensorType((T, B, *shape)))
    events = [_fired(d, current)]
    draws = (*PLAIN_LAYERS * 2, *PLAIN_MOVES, _met, _met, _joined, reduce, readout, temporal)
    while len(d.edit.graph) < 14:
        d.values = list(events)
        try:
            d.choose(*draws, fold_time)(d)
        except UnfitError:
            continue
        (made,) = d.values[len(events) :][:1] or (None,)
        if made is None:
            continue
        if made.type.is_spikes:
            events.append(made)
        elif not made.type.is_static and d.chance(0.8):
            events.append(_fired(d, made))
    d.edit.output("y", events[-1])
    return d.edit.graph


def _fired(d: Draft, current: Value) -> Value:
    d.values = [current]
    neuron(d)
    return d.values[-1]


def _met(d: Draft) -> None:
    """Multiply events with events, or with numbers."""
    x = d.pick(lambda t: t.rank >= 4 and t.dims[:2] == (T, B))
    turned = d.hidden(ops.Permute((-1, -2)), x)
    letters = "abcdef"[: x.type.rank]
    weights = d.constant((), x.type.dtype)
    number = d.hidden(ops.Accumulator(), x)
    product = (
        (ops.Mul(), (x, weights)),
        (ops.Mul(), (x, x)),
        (ops.Matmul(), (x, turned)),
        (ops.Matmul(), (d.hidden(ops.Permute((-1, -2)), number), x)),
        (ops.Einsum(f"{letters},{letters}->{letters[:2]}"), (x, number)),
        (ops.Einsum(f"{letters},{letters}->{letters}"), (x, x)),
    )
    op, operands = d.choose(*product)
    d.add(op, *operands)


def _joined(d: Draft) -> None:
    """Add events to events, or to numbers."""
    x = d.pick(lambda t: t.rank >= 3)
    other = d.choose(
        x, d.hidden(ops.Constant(Array(np.float32(0.5)))), d.hidden(ops.Accumulator(), x)
    )
    d.add(d.choose(ops.Add(), ops.Sub()), *d.choose((x, other), (other, x)))
