"""SumPool2d, AvgPool2d, Flatten, Delay, Threshold, and the borders of inlined graphs."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from spikec.frontends.common import Refused
from spikec.frontends.nir_graph.call import Call, Rule, compact
from spikec.ir import Array, B, DType, T, Value, ops
from spikec.ir.ops import Comparison

MOST_DELAYS = 64
"""different delays in one node"""
LONGEST = 10_000
"""steps of a delay"""


def sum_pool(call: Call) -> Value:
    """Sums over windows; padding counts as 0."""
    kernel, stride, padding = _window(call)
    return call.add(ops.SumPool(kernel, stride, padding, (1, 1)), call.x)


def avg_pool(call: Call) -> Value:
    """Means over windows; padding counts as elements, as in PyTorch."""
    kernel, stride, padding = _window(call)
    return call.add(ops.AvgPool(kernel, stride, padding, (1, 1)), call.x)


def _window(call: Call) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[int, int], ...]]:
    if len(call.sample) != 3:
        raise Refused(f"an operand {list(call.sample)}", expected="channels, height and width")
    kernel = call.ints("kernel_size", 2)
    stride = call.ints("stride", 2) if call.has("stride") else kernel
    padding = call.ints("padding", 2) if call.has("padding") else (0, 0)
    return kernel, stride, tuple((p, p) for p in padding)


def flatten(call: Call) -> Value:
    """Axes start_dim..end_dim become one; they are counted without batch and time."""
    rank = len(call.sample)
    (first,) = call.ints("start_dim", 1) if call.has("start_dim") else (1,)
    (last,) = call.ints("end_dim", 1) if call.has("end_dim") else (-1,)
    declared = _declared(call)
    if declared is not None and declared != call.sample:
        raise Refused(
            f"input_type {list(declared)} for an operand {list(call.sample)}",
            expected=f"{list(call.sample)}",
        )
    start, end = (axis + rank if axis < 0 else axis for axis in (first, last))
    if not 0 <= start <= end < rank:
        raise Refused(f"axes {first}..{last} of {list(call.sample)}", expected=f"0..{rank - 1}")
    inner = prod(call.sample[start : end + 1])
    dims = (*call.sample[:start], inner, *call.sample[end + 1 :])
    return call.add(ops.Reshape((T, B, *dims)), call.x)


def _declared(call: Call) -> tuple[int, ...] | None:
    if not call.has("input_type"):
        return None
    return tuple(int(n) for n in call.array("input_type").reshape(-1))


def delay(call: Call) -> Value:
    """y(t) = x(t - delay): a whole number of steps for each element."""
    steps = _steps(call)
    counts = np.unique(steps)
    if len(counts) > MOST_DELAYS or counts.max() > LONGEST:
        raise Refused(
            f"{len(counts)} different delays of up to {counts.max()} steps",
            expected=f"at most {MOST_DELAYS}, of at most {LONGEST:,} steps",
        )
    if len(counts) == 1:
        return _delayed(call, call.x, int(counts[0]))
    parts = [_masked(call, steps, int(count)) for count in counts]
    total = parts[0]
    for part in parts[1:]:
        total = call.add(ops.Add(), total, part)
    return total


def _steps(call: Call) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    seconds = call.parameter("delay")
    if call.dt is None and seconds.any():
        raise Refused(f"a delay of up to {seconds.max():g}", "give dt: the length of a step")
    exact = seconds / (call.dt or 1.0)
    steps = np.rint(exact)
    if (np.abs(exact - steps) > 1e-6 * np.maximum(1, steps)).any() or (steps < 0).any():
        raise Refused(
            f"delays of {exact.min():g}..{exact.max():g} steps",
            "choose dt so that each delay is a whole number of steps",
        )
    return steps.astype(np.int64)


def _masked(call: Call, steps: np.ndarray[tuple[int, ...], np.dtype[np.int64]], n: int) -> Value:
    """Delay those elements that wait for n steps; the others are 0."""
    mask = ops.Constant(Array((steps == n).astype(np.float32)))
    chosen = call.edit.add(mask, name=f"{call.name}.mask_{n}")
    return _delayed(call, call.add(ops.Mul(), call.x, chosen, name=f"{call.name}.part_{n}"), n)


def _delayed(call: Call, x: Value, steps: int) -> Value:
    return call.add(ops.Delay(steps), x) if steps else x


def threshold(call: Call) -> Value:
    """1 where x > threshold, else 0: no memory."""
    level = call.edit.add(
        ops.Constant(compact(call.parameter("threshold"))), name=f"{call.name}.threshold"
    )
    reached = call.settings.comparison is Comparison.AT_LEAST
    above = ops.GreaterEqual() if reached else ops.Greater()
    truth = call.add(above, call.x, level, name=f"{call.name}.above")
    return call.add(ops.Cast(DType.F32), truth)


def border(call: Call) -> Value:
    """The Input or Output of a graph within a graph: the value itself."""
    if call.has("shape"):
        declared = tuple(int(n) for n in call.array("shape").reshape(-1))
        if declared != call.sample:
            raise Refused(
                f"it is declared to be {list(declared)}, and {list(call.sample)} leads to it",
                expected=f"{list(call.sample)}",
            )
    return call.x


RULES: Mapping[str, Rule] = {
    "SumPool2d": sum_pool,
    "AvgPool2d": avg_pool,
    "Flatten": flatten,
    "Delay": delay,
    "Threshold": threshold,
    "Input": border,
    "Output": border,
}
