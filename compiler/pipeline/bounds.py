"""How large whole numbers can become: float32 holds them exactly up to 2^24."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Array, Graph, Node, Op, ops
from spikec.ir.op import Family
from spikec.ir.ops import (
    CumulativeSum,
    Difference,
    Impulse,
    IntegrateFire,
    MeanReadout,
    MultiThreshold,
    PhasedFire,
    PhaseScale,
    Repeat,
    WindowReadout,
)
from spikec.ir.types import Spikes
from spikec.pipeline.weights import MOVES, Vector, Weighted, outputs_of

EXACT = float(2**24)
STEPS_EXACT = float(2**22)
"""Up to which levels · step may go, so that floor(n / step + 1/2) is exact: 2 bits are spare."""


@dataclass(frozen=True)
class Bound:
    """What whole numbers lie between, 0 among them, and the most that one time step adds."""

    low: float
    high: float
    burst: float

    @staticmethod
    def of(low: float, high: float, burst: float) -> Bound:
        """Nothing moves further in one step than from one end to the other."""
        return Bound(low, high, min(burst, high - low))

    @property
    def most(self) -> float:
        """The largest size of a number, of a partial sum of it, or of one step's part."""
        return max(self.high, -self.low, self.burst)

    def __add__(self, other: Bound) -> Bound:
        return Bound(self.low + other.low, self.high + other.high, self.burst + other.burst)

    def __or__(self, other: Bound) -> Bound:
        """Either of both."""
        most = max(self.burst, other.burst)
        return Bound(min(self.low, other.low), max(self.high, other.high), most)

    def times(self, factor: float) -> Bound:
        """All numbers times one factor."""
        ends = (self.low * factor, self.high * factor)
        return Bound(min(ends), max(ends), self.burst * abs(factor))


Rule = Callable[[Node, list[Bound]], Bound | None]
"""gives None for what is computed in real numbers"""


def check_bounds(
    graph: Graph, burst: int | None = None, steps: int | None = None, limit: float = EXACT
) -> None:
    """Refuse a whole-number network whose sums may leave the range in which they are exact.

    ``burst`` is the most quanta that a neuron will send in one step; without it, time is left out.
    Behind the first sites every bound follows from levels and weights; what comes before them is
    real and rounded once, and is not bounded here.  ``steps`` asks for potentials, and all else
    that adds up over so many steps, too.  ``limit`` is what sums of one step must stay below.
    """
    known: dict[Node, Bound] = {}
    problems = []
    for node in graph:
        inputs = [known[v.producer] for v in node.inputs if v.producer in known]
        if steps is not None and inputs and type(node.op) in OVER_TIME:
            known[node] = over = OVER_TIME[type(node.op)](node.op, inputs[0], steps)
            if over.most >= EXACT and inputs[0].most < EXACT:
                what = f"sums over {steps} steps of up to {over.most:.3g}"
                problems.append(_problem(node, what, EXACT))
        if isinstance(node.op, ops.QuantReLU):
            known[node] = bound = of_site(node.op, burst)
            step = float(node.op.step.data.max()) * max(bound.high, -bound.low)
            if step > STEPS_EXACT and bound.high > 1:
                problems.append(_problem(node, f"thresholds of up to {step:.3g}", STEPS_EXACT))
        elif (quanta := _events(node)) is not None:
            known[node] = quanta
        elif isinstance(node.op, ops.Quantise) and _sends_counts(node.op.amplitude):
            known[node] = Bound.of(node.op.low, node.op.high, 0)
        elif inputs and type(node.op) in BOUNDS:
            found = BOUNDS[type(node.op)](node, inputs)
            if found is None:
                continue
            known[node] = bound = found
            if bound.most >= limit and all(b.most < limit for b in inputs):
                problems.append(_problem(node, f"sums of up to {bound.most:.3g}", limit))
    if problems:
        raise UnsupportedModel("whole numbers grow too large to be exact", problems=problems)


def of_site(op: ops.QuantReLU, burst: int | None = None) -> Bound:
    """Bound what a site sends, in quanta."""
    return Bound.of(op.low, op.levels, 0 if burst is None else burst)


def _events(node: Node) -> Bound | None:
    """Bound what a neuron sends in one step, where that is a count."""
    signal = node.outputs[0].type.signal if node.outputs else None
    if node.op.family is not Family.NEURON or not isinstance(signal, Spikes):
        return None
    if not _sends_counts(signal.amplitude):
        return None
    return Bound(-signal.levels if signal.signed else 0, signal.levels, signal.levels)


def _sends_counts(amplitude: Array | None) -> bool:
    return amplitude is not None and bool((amplitude.data == 1).all())


def _problem(node: Node, what: str, limit: float) -> Problem:
    return Problem(f"{what} whole units", node.place, f"below {limit:.0f}", _REMEDY)


_REMEDY = "fewer bits or levels; quantise-between-weights puts quantisers into linear chains"


def _weights(node: Node, inputs: list[Bound]) -> Bound:
    op = node.op
    assert isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose)
    (x,) = inputs
    up, down = sums_of(op)
    bias = 0.0 if op.bias is None else float(np.abs(op.bias.data).max(initial=0))
    high = float((up * x.high - down * x.low).max()) + bias
    low = float((up * x.low - down * x.high).min()) - bias
    return Bound.of(low, high, float((up + down).max()) * x.burst)


def sums_of(op: Weighted) -> tuple[Vector, Vector]:
    """Sum the positive weights of each output, and the sizes of its negative ones."""
    weight = op.weight.data.astype(np.float64)
    parts = (np.maximum(weight, 0), np.maximum(-weight, 0))
    if isinstance(op, ops.ConvTranspose):  # whichever taps meet: no more than all
        inputs, outputs = weight.shape[:2]
        blocks = (p.reshape(op.groups, inputs // op.groups, outputs, -1) for p in parts)
        up, down = (b.sum(axis=(1, 3)).reshape(-1) for b in blocks)
    else:
        up, down = (p.reshape(outputs_of(op), -1).sum(axis=1) for p in parts)
    return up, down


def _factor(node: Node, inputs: list[Bound]) -> Bound | None:
    if isinstance(node.op, ops.Scale):
        shift = node.op.shift
        most = 0.0 if shift is None else float(np.abs(shift.data).max())
        return _scaled(inputs[0], node.op.scale.astype(np.dtype(np.float64))) + Bound(
            -most, most, 0.0
        )
    constants = [v.producer.op for v in node.inputs if isinstance(v.producer.op, ops.Constant)]
    if not constants:
        return None
    factors = np.concatenate([c.value.data.reshape(-1) for c in constants])
    return _scaled(inputs[0], factors.astype(np.float64))


def _scaled(x: Bound, factors: Vector) -> Bound:
    return x.times(float(factors.max(initial=0))) | x.times(float(factors.min(initial=0)))


def _product(node: Node, inputs: list[Bound]) -> Bound | None:
    """Σ a b over so many pairs, as a[t] B[t] + A[t-1] b[t] over time."""
    if len(inputs) < 2:
        return None
    a, b = inputs
    pairs = _pairs(node)
    ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    largest_a, largest_b = max(a.high, -a.low), max(b.high, -b.low)
    burst = pairs * (a.burst * largest_b + largest_a * b.burst)
    return Bound.of(pairs * min(ends), pairs * max(ends), burst)


def _pairs(node: Node) -> int:
    """Give how many products each element of a product sums up."""
    first, second = node.input_types
    if isinstance(node.op, ops.Einsum):
        left, _, right = node.op.equation.replace(" ", "").partition("->")
        letters = zip(left.replace(",", ""), (*first.dims, *second.dims), strict=True)
        sizes = [dim for letter, dim in dict(letters).items() if letter not in right]
    else:
        sizes = [first.dims[-1]]
    return prod(dim for dim in sizes if isinstance(dim, int))


def _pool(node: Node, inputs: list[Bound]) -> Bound:
    assert isinstance(node.op, ops.SumPool)
    return inputs[0].times(prod(node.op.kernel))


def _reduction(node: Node, inputs: list[Bound]) -> Bound:
    assert isinstance(node.op, ops.ReduceSum)
    dims = (node.inputs[0].type.dims[axis] for axis in node.op.axes)
    return inputs[0].times(prod(dim for dim in dims if isinstance(dim, int)))


def _either(node: Node, inputs: Sequence[Bound]) -> Bound:
    return _either_of(inputs)


def _either_of(bounds: Sequence[Bound]) -> Bound:
    return functools.reduce(operator.or_, bounds)


def _maximum(node: Node, inputs: list[Bound]) -> Bound:
    """A maximum of sums so far: it may go from one end to the other in one step."""
    return Bound.of(inputs[0].low, inputs[0].high, np.inf if inputs[0].burst else 0)


def _sum(node: Node, inputs: list[Bound]) -> Bound:
    if len(inputs) == 1:  # the other one is a rounded real number
        return inputs[0] | inputs[0].times(-1)
    first, second = inputs
    return first + (second.times(-1) if isinstance(node.op, ops.Sub) else second)


BOUNDS: Mapping[type[Op], Rule] = {
    **dict.fromkeys((ops.Linear, ops.Conv, ops.ConvTranspose), _weights),
    **dict.fromkeys((ops.Add, ops.Sub), _sum),
    **dict.fromkeys((*MOVES, Repeat), _either),
    **dict.fromkeys((ops.MaxPool, ops.AdaptiveMaxPool, ops.ReduceMax), _maximum),
    ops.Neg: lambda node, inputs: inputs[0].times(-1),
    **dict.fromkeys((ops.Mul, ops.Scale), _factor),
    **dict.fromkeys((ops.Matmul, ops.Einsum), _product),
    Impulse: lambda node, inputs: Bound.of(inputs[0].low, inputs[0].high, np.inf),
    ops.SumPool: _pool,
    ops.ReduceSum: _reduction,
}


def _summed(op: Op, x: Bound, steps: int) -> Bound:
    return x.times(steps)


def _change(op: Op, x: Bound, steps: int) -> Bound:
    return x + x.times(-1)


def _window(op: Op, x: Bound, steps: int) -> Bound:
    assert isinstance(op, WindowReadout)
    return x.times(float(np.abs(op.weights.data).sum()))


def _phases(op: Op, x: Bound, steps: int) -> Bound:
    assert isinstance(op, PhaseScale)
    return _either_of([x.times(float(weight)) for weight in {*op.weights.data.flat}])


def _potential(op: Op, x: Bound, steps: int) -> Bound:
    """All charge, as if no event took any of it away; resets bring potentials closer to 0."""
    start = (np.abs(a.data).max(initial=0) for n, a in op.arrays.items() if n in _STARTS)
    most = max(map(float, start))
    return x.times(op.window if isinstance(op, PhasedFire) else steps) + Bound(-most, most, 0)


_STARTS = ("threshold", "v0", "reset_potential")
OVER_TIME: Mapping[type[Op], Callable[[Op, Bound, int], Bound]] = {
    **dict.fromkeys((IntegrateFire, MultiThreshold, PhasedFire), _potential),
    **dict.fromkeys((CumulativeSum, MeanReadout), _summed),
    Difference: _change,
    WindowReadout: _window,
    PhaseScale: _phases,
}
"""What adds up over time, given the bound of one step and the number of steps"""
