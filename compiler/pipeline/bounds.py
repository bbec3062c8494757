"""How large whole numbers can become: float32 holds them exactly up to 2^24."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Graph, Node, Op, ops
from spikec.pipeline.weights import MOVES, outputs_of

EXACT = float(2**24)
Bound = Callable[[Node, list[float]], float]


def check_bounds(graph: Graph) -> None:
    """Refuse a whole-number network whose sums may leave the range in which they are exact.

    Behind the first sites every bound follows from levels and weights; what comes before them is
    real and rounded once, and is not bounded here.
    """
    largest: dict[Node, float] = {}
    problems = []
    for node in graph:
        known = [largest[v.producer] for v in node.inputs if v.producer in largest]
        if isinstance(node.op, ops.QuantReLU):
            largest[node] = float(node.op.levels)
        elif known and type(node.op) in BOUNDS:
            largest[node] = BOUNDS[type(node.op)](node, known)
            if largest[node] >= EXACT and all(b < EXACT for b in known):
                what = f"sums of up to {largest[node]:.3g} whole units"
                problems.append(Problem(what, node.place, f"below {EXACT:.0f}", _REMEDY))
    if problems:
        raise UnsupportedModel("whole numbers grow too large to be exact", problems=problems)


_REMEDY = "fewer bits or levels; a chain of linear layers needs an activation in between"


def _weights(node: Node, known: list[float]) -> float:
    op = node.op
    assert isinstance(op, ops.Linear | ops.Conv | ops.ConvTranspose)
    size = np.abs(op.weight.data.astype(np.float64))
    if isinstance(op, ops.ConvTranspose):
        sums = size.reshape(len(size), -1).max(axis=1).sum() * size[0, 0].size
    else:
        sums = size.reshape(outputs_of(op), -1).sum(axis=1).max()
    bias = 0.0 if op.bias is None else float(np.abs(op.bias.data).max(initial=0))
    return float(sums) * known[0] + bias


def _factor(node: Node, known: list[float]) -> float:
    if isinstance(node.op, ops.Scale):
        shift = 0.0 if node.op.shift is None else float(np.abs(node.op.shift.data).max())
        return known[0] * float(np.abs(node.op.scale.data).max()) + shift
    constants = [v.producer.op for v in node.inputs if isinstance(v.producer.op, ops.Constant)]
    return known[0] * max(float(np.abs(c.value.data).max(initial=0)) for c in constants)


def _pool(node: Node, known: list[float]) -> float:
    assert isinstance(node.op, ops.SumPool)
    return known[0] * prod(node.op.kernel)


def _reduction(node: Node, known: list[float]) -> float:
    assert isinstance(node.op, ops.ReduceSum)
    dims = (node.inputs[0].type.dims[axis] for axis in node.op.axes)
    return known[0] * prod(dim for dim in dims if isinstance(dim, int))


BOUNDS: Mapping[type[Op], Bound] = {
    **dict.fromkeys((ops.Linear, ops.Conv, ops.ConvTranspose), _weights),
    **dict.fromkeys((ops.Add, ops.Sub), lambda node, known: sum(known)),
    **dict.fromkeys((ops.Neg, ops.MaxPool, ops.AdaptiveMaxPool, *MOVES), lambda n, k: max(k)),
    ops.Mul: _factor,
    ops.SumPool: _pool,
    ops.ReduceSum: _reduction,
}
