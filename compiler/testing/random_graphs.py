"""Random graphs that verify and run: the raw material of property tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikec.ir.array import Array
from spikec.ir.dims import B, T, multiply
from spikec.ir.graph import Graph, Stage, Value
from spikec.ir.types import Code, DType, Spikes, TensorType
from spikec.testing.draft import Draft, UnfitError
from spikec.testing.draw_elementwise import ELEMENTWISE, JUMPING, merge
from spikec.testing.draw_layers import LAYERS, PLAIN_LAYERS
from spikec.testing.draw_shape import MOVES, PLAIN_MOVES
from spikec.testing.draw_spiking import CURRENTS, EVENTS

Draw = Callable[[Draft], None]


def random_graph(
    seed: int | np.random.Generator,
    *,
    size: int = 12,
    stage: Stage = Stage.ANALOG,
    smooth: bool = False,
) -> Graph:
    """Draw a graph that verifies, with about ``size`` nodes between inputs and outputs.

    All op families of the stage occur, with a dynamic batch, one to three inputs, residual
    branches, values read several times, integers and truth values.  Numbers stay moderate for the
    inputs that ``random_inputs`` draws.  ``smooth`` leaves out ops that jump, for comparisons
    between precisions.  The same seed gives the same graph.

    >>> random_graph(3) == random_graph(3)
    True
    """
    d = Draft(np.random.default_rng(seed), stage, smooth)
    _inputs(d)
    draws = _SMOOTH[stage] if smooth else (*_SMOOTH[stage], *_JUMPING[stage])
    start = len(d.edit.graph)
    while len(d.edit.graph) - start < size:
        try:
            d.choose(*draws)(d)
        except UnfitError:
            continue
    _outputs(d)
    return d.edit.graph


def _inputs(d: Draft) -> None:
    timed = d.edit.graph.stage is not Stage.ANALOG
    first = d.choose(_image, _image, _sequence, _vector, _volume, *(_FRAMES if timed else ()))
    more = (_image, _sequence, _vector, _ids, _mask, *(_FRAMES if timed else ()))
    kinds = (first, *(d.choose(*more) for _ in range(d.choose(0, 0, 1, 2))))
    for kind in kinds:
        d.values.append(d.edit.input(d.choose("x", "input", "data.in"), kind(d)))


def _image(d: Draft) -> TensorType:
    return TensorType((B, d.integer(1, 4), d.integer(2, 8), d.integer(2, 8)))


def _sequence(d: Draft) -> TensorType:
    return TensorType((B, d.integer(2, 6), d.integer(1, 8)))


def _vector(d: Draft) -> TensorType:
    return TensorType((B, d.integer(1, 8)))


def _volume(d: Draft) -> TensorType:
    return TensorType((B, d.integer(1, 2), d.integer(2, 4), d.integer(2, 4), d.integer(2, 4)))


def _ids(d: Draft) -> TensorType:
    return TensorType((B, d.integer(1, 6)), d.choose(DType.I64, DType.I32))


def _mask(d: Draft) -> TensorType:
    return TensorType((B, d.integer(1, 6)), DType.BOOL)


def _frames(d: Draft) -> TensorType:
    lead = d.choose((T, B), (multiply(T, B),))
    return TensorType((*lead, d.integer(1, 3), d.integer(2, 6), d.integer(2, 6)))


def _events(d: Draft) -> TensorType:
    channels = d.integer(1, 4)
    amplitude = d.choose(Array(np.float32(1.0)), d.array(channels, low=0.25, high=1.0))
    signal = Spikes(amplitude, d.chance(), d.integer(1, 3), d.choose(Code.RATE, Code.SUM))
    return TensorType((T, B, channels), DType.F32, signal)


_FRAMES = (_frames, _events)


def _outputs(d: Draft) -> None:
    """Declare the last value and some that nobody reads to be results."""
    unread: list[Value] = [v for v in d.values if not v.users]
    chosen = [d.values[-1]]
    for value in unread:
        if value is not d.values[-1] and len(chosen) < 3 and d.chance():
            chosen.append(value)
    for value in chosen:
        d.edit.output("y", value)


_SMOOTH: dict[Stage, tuple[Draw, ...]] = {
    Stage.ANALOG: (*LAYERS, *ELEMENTWISE, *MOVES),
    Stage.SPIKING: (*LAYERS, *ELEMENTWISE, *MOVES, *CURRENTS * 4),
    Stage.PLACED: (*PLAIN_LAYERS * 2, merge, *PLAIN_MOVES, *CURRENTS[:-2]),
}
_JUMPING: dict[Stage, tuple[Draw, ...]] = {
    Stage.ANALOG: JUMPING,
    Stage.SPIKING: (*JUMPING, *EVENTS * 6),
    Stage.PLACED: EVENTS * 4,
}
