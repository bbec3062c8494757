"""Random programs in which nearly every op is fed by events."""

from math import prod

import numpy as np

from spikec.ir import Array, B, Graph, Stage, T, TensorType, Value, ops
from spikec.ir.layout import ONE
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
    plain = (*PLAIN_LAYERS * 2, *PLAIN_MOVES, *(_pooled,) * 6)
    draws = (*plain, _met, _met, _joined, reduce, readout, temporal)
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


def _pooled(d: Draft) -> None:
    """Pool events, once or twice, and let a layer read the sums."""
    x = d.pick(lambda t: t.rank == 5 and t.dims[:2] == (T, B))
    for _ in range(d.integer(1, 2)):
        high, wide = x.type.shape(ONE)[-2:]
        k, padded = d.integer(1, min(2, high, wide)), d.integer(0, 1)
        s = k + d.integer(0, 1)
        window = ((k, k), (s, s), ((0, padded * (k - 1)),) * 2, (1, 1), d.chance())
        size = (d.integer(1, min(2, high)), d.integer(1, min(2, wide)))
        pools = (ops.AvgPool(*window), ops.SumPool(*window), ops.AdaptiveAvgPool(size))
        x = d.hidden(d.choose(*pools), x)
    if d.chance():
        x = d.hidden(ops.Reshape((T, B, prod(x.type.step().shape(ONE)))), x)
        weight = d.array(d.integer(1, 3), x.type.shape(ONE)[-1])
        d.add(ops.Linear(weight, d.maybe(weight.shape[0])), x)
        return
    channels = x.type.shape(ONE)[2]
    weight = d.array(d.integer(1, 3), channels, d.integer(1, 2), d.integer(1, 2))
    d.add(ops.Conv(weight, d.maybe(weight.shape[0]), (1, 1), ((1, 1), (1, 1)), (1, 1)), x)


def _joined(d: Draft) -> None:
    """Add events to events, or to numbers."""
    x = d.pick(lambda t: t.rank >= 3)
    other = d.choose(
        x, d.hidden(ops.Constant(Array(np.float32(0.5)))), d.hidden(ops.Accumulator(), x)
    )
    d.add(d.choose(ops.Add(), ops.Sub()), *d.choose((x, other), (other, x)))
