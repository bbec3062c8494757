"""What is computed beside Lava: currents from samples before, decoded estimates behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import linear
import numpy as np

Numbers = np.ndarray
Node = Mapping[str, Any]
Named = dict[str, Numbers]


def compute(nodes: Sequence[Node], values: Named, arrays: Mapping[str, Numbers]) -> None:
    """Compute nodes one after another; elements stand on the last axis, samples on the first."""
    for node in nodes:
        operands = [values[name] for name in node["inputs"]]
        values[node["name"]] = OPS[node["op"]](node["options"], operands, arrays)


def _affine(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    maps = zip(options["maps"], x, strict=True)
    total = sum(linear.apply(form, arrays, value) for form, value in maps)
    return total + arrays[options["bias"]] if options["bias"] else np.asarray(total)


def _round(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    return np.rint(x[0])


def _floor(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    return np.floor(x[0])


def _clip(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    return np.clip(x[0], options["low"], options["high"])


def _sigmoid(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    return 1 / (1 + np.exp(-x[0]))


def _softmax(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    wide = x[0].reshape(*x[0].shape[:-1], *options["shape"])
    wide = wide - wide.max(axis=options["axis"], keepdims=True)
    logarithm = wide - np.log(np.exp(wide).sum(axis=options["axis"], keepdims=True))
    return (logarithm if options["log"] else np.exp(logarithm)).reshape(x[0].shape)


def _mean(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    """Σ_{t0 < τ <= t} x[τ] / (t - t0); from the first step on while t <= t0."""
    start, times = options["start"], np.arange(1, x[0].shape[-2] + 1)
    sums = np.cumsum(x[0], axis=-2)
    late = sums - (sums[..., start - 1 : start, :] if start else 0)
    here = times[:, np.newaxis] > start
    return np.where(here, late, sums) / np.where(
        here, times[:, np.newaxis] - start, times[:, np.newaxis]
    )


def _sum(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    return np.cumsum(x[0], axis=-2)


def _window(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    """Σ_p weights[p] x[p] over the last finished window; over the running one, in the first."""
    weights = np.asarray(options["weights"])
    steps, window = x[0].shape[-2], len(weights)
    sums = np.cumsum(x[0] * np.resize(weights, steps)[:, np.newaxis], axis=-2)
    ends = np.arange(1, steps + 1) // window * window
    before = np.concatenate([np.zeros_like(sums[..., :1, :]), sums], axis=-2)
    finished = before[..., ends, :] - before[..., np.maximum(ends - window, 0), :]
    return np.where((ends == 0)[:, np.newaxis], sums, finished)


def _last(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    return x[0][..., -1, :]


def _total(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    return x[0].sum(axis=-2)


def _average(options: Node, x: list[Numbers], arrays: Mapping[str, Numbers]) -> Numbers:
    return x[0].mean(axis=-2)


OPS = {
    "affine": _affine,
    "round": _round,
    "floor": _floor,
    "clip": _clip,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "mean": _mean,
    "sum": _sum,
    "window": _window,
    "last": _last,
    "total": _total,
    "average": _average,
}
