"""What BatchNorm knows about values without any data: their mean and deviation, and of sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, pi, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Graph, Node, Op, Sizes, Value, ops
from spikec.pipeline.weights import MOVES

Floats = NDArray[np.float64]
ONE = Sizes(1, 1)


@dataclass(frozen=True)
class Normal:
    """z ~ N(mean, deviation²), element by element; arrays broadcast on the trailing axes."""

    mean: Floats
    deviation: Floats

    def full(self, shape: tuple[int, ...]) -> Normal:
        """Give one number per element of a value."""
        return Normal(np.broadcast_to(self.mean, shape), np.broadcast_to(self.deviation, shape))

    def times(self, gain: Any, shift: Any = 0.0) -> Normal:
        """Give gain z + shift."""
        return Normal(gain * self.mean + shift, np.abs(gain) * self.deviation)

    def per_channel(self, axis: int | None) -> Normal:
        """Give the moments over all elements of each channel; without axis, over all there are."""
        means, deviations = (_rows(x, axis) for x in (self.mean, self.deviation))
        mean = means.mean(axis=1)
        variance = (np.square(deviations) + np.square(means - mean[:, None])).mean(axis=1)
        return Normal(mean, np.sqrt(variance))


def spread(graph: Graph, known: Mapping[str, Normal]) -> dict[Value, Normal]:
    """Give mean and deviation of all values that follow from those of the named nodes.

    Behind BatchNorm mean and deviation are its bias and |weight|.  From there on:

    - sums add means and variances (branches as if independent; x + x counts as 2 x);
    - gains and shifts scale them; ops that move elements move them;
    - ReLU and Clip give the moments of a clipped normal variable;
    - the maximum of n elements has those of n independent normal variables.

    Nothing is said about what stands behind weights without BatchNorm.
    """
    found: dict[Value, Normal] = {}
    for node in graph:
        if node.name in known:
            value = node.outputs[0]
            found[value] = known[node.name].full(value.type.shape(ONE))
        elif isinstance(node.op, ops.Constant):
            number = np.asarray(node.op.value.data, np.float64)
            found[node.outputs[0]] = Normal(number, np.zeros_like(number))
        elif type(node.op) in RULES and all(value in found for value in node.inputs):
            seen = RULES[type(node.op)](node, [found[value] for value in node.inputs])
            if seen is not None:
                found[node.outputs[0]] = seen
    return found


def _rows(x: Floats, axis: int | None) -> Floats:
    return x.reshape(1, -1) if axis is None else np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)


Rule = Callable[[Node, Sequence[Normal]], Normal | None]


def _sum(node: Node, seen: Sequence[Normal]) -> Normal:
    a, b = seen
    sign = -1 if isinstance(node.op, ops.Sub) else 1
    if node.inputs[0] is node.inputs[1]:
        return a.times(1 + sign)
    return Normal(a.mean + sign * b.mean, np.hypot(a.deviation, b.deviation))


def _product(node: Node, seen: Sequence[Normal]) -> Normal | None:
    a, b = seen
    if not b.deviation.any():
        return a.times(1 / b.mean if isinstance(node.op, ops.Div) else b.mean)
    if not a.deviation.any() and isinstance(node.op, ops.Mul):
        return b.times(a.mean)
    return None


def _scaled(node: Node, seen: Sequence[Normal]) -> Normal:
    op = node.op
    assert isinstance(op, ops.Scale)
    tail = (-1, *(1,) * (-op.axis - 1))
    shift = 0.0 if op.shift is None else op.shift.data.astype(np.float64).reshape(tail)
    return seen[0].times(op.scale.data.astype(np.float64).reshape(tail), shift)


def _moved(node: Node, seen: Sequence[Normal]) -> Normal:
    op = node.op
    still: Op = replace(op, value=0) if isinstance(op, ops.Pad) else op  # what is padded is sure
    mean = op.run(tuple(n.mean for n in seen), ONE)[0]
    return Normal(mean, still.run(tuple(n.deviation for n in seen), ONE)[0])


def _clipped(node: Node, seen: Sequence[Normal]) -> Normal:
    low, high = (node.op.low, node.op.high) if isinstance(node.op, ops.Clip) else (0.0, None)
    return clipped(seen[0], -np.inf if low is None else low, np.inf if high is None else high)


def clipped(z: Normal, low: float, high: float) -> Normal:
    """Give mean and deviation of clip(z, low, high): with φ, Φ of the normal law,

    α = (low - μ)/σ, β = (high - μ)/σ,
    E y - μ = (low - μ) Φ(α) + (high - μ) Φ(-β) + σ (φ(α) - φ(β)),
    E (y - μ)² = (low - μ)² Φ(α) + (high - μ)² Φ(-β)
                 + σ² (Φ(β) - Φ(α) + α φ(α) - β φ(β)).
    """
    mu, sigma = z.mean, z.deviation
    sure = np.asarray(sigma <= 0)
    sigma = np.where(sure, 1.0, sigma)
    below, above = _tail(low - mu, sigma, -1), _tail(high - mu, sigma, 1)
    mean = mu + below[1] + above[1] + sigma * (below[2] - above[2])
    inside = 1 - below[0] - above[0] + below[3] - above[3]
    square = below[4] + above[4] + sigma**2 * inside
    variance = np.maximum(square - np.square(mean - mu), 0)
    return Normal(
        np.where(sure, np.clip(mu, low, high), mean), np.where(sure, 0.0, np.sqrt(variance))
    )


def _tail(distance: Floats, sigma: Floats, side: int) -> tuple[Floats, ...]:
    """Give q, q d, φ(x), x φ(x), q d²: q the share beyond the bound, d = bound - μ, x = d / σ.

    Of a bound at infinity all are 0.
    """
    if np.isinf(distance).all():
        zero = np.zeros_like(sigma)
        return zero, zero, zero, zero, zero
    x = distance / sigma
    q = _share_below(-side * x)
    density = np.exp(-x * x / 2) / sqrt(2 * pi)
    return q, q * distance, density, x * density, q * distance**2


def _share_below(x: Floats) -> Floats:
    """Φ(x), accurate far out on both sides."""
    import torch

    result: Floats = torch.special.ndtr(torch.from_numpy(np.ascontiguousarray(x))).numpy()
    return result


def _largest(node: Node, seen: Sequence[Normal]) -> Normal:
    op, (z,) = node.op, seen
    mean, deviation = (op.run((x,), ONE)[0] for x in (z.mean, z.deviation))
    lift, width = largest_of(_elements(node))
    return Normal(mean + lift * deviation, width * deviation)


def _elements(node: Node) -> int:
    """How many elements a maximum is of."""
    before, after = (v.type.shape(ONE) for v in (node.inputs[0], node.outputs[0]))
    match node.op:
        case ops.MaxPool():
            return prod(node.op.kernel)
        case ops.AdaptiveMaxPool():
            count = len(node.op.output)
            return prod(ceil(n / m) for n, m in zip(before[-count:], after[-count:], strict=True))
        case ops.ReduceMax():
            return prod(before[axis] for axis in node.op.axes)
    raise AssertionError(node.op)


def largest_of(count: int) -> tuple[float, float]:
    """Mean and deviation of the largest of n standard normal variables: density n φ Φ^(n-1).

    >>> [round(number, 4) for number in largest_of(4)]
    [1.0294, 0.7012]
    """
    x = np.linspace(-9, 9, 4001)
    weight = count * np.exp(-x * x / 2) / sqrt(2 * pi) * _share_below(x) ** (count - 1)
    weight /= weight.sum()
    mean = float((weight * x).sum())
    return mean, sqrt(float((weight * (x - mean) ** 2).sum()))


RULES: Mapping[type[Op], Rule] = {
    **dict.fromkeys((ops.Add, ops.Sub), _sum),
    **dict.fromkeys((ops.Mul, ops.Div), _product),
    **dict.fromkeys((ops.ReLU, ops.Clip), _clipped),
    **dict.fromkeys((ops.MaxPool, ops.AdaptiveMaxPool, ops.ReduceMax), _largest),
    **dict.fromkeys(MOVES, _moved),
    ops.Neg: lambda node, seen: seen[0].times(-1.0),
    ops.Scale: _scaled,
}
