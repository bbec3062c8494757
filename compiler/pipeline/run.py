"""Runs passes one after another, and after each proves that the graph still keeps its promises."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import PromiseBroken
from spikec.ir import Graph, Node
from spikec.ir.verify import verify
from spikec.pipeline.base import Context, Exactly, Inputs, Pass
from spikec.pipeline.spec import print_pass
from spikec.runtime import run

Outputs = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Step:
    """What one pass did."""

    text: str
    changed: bool
    nodes: int
    deviation: float
    """max |new - old| / max |old| over the outputs on the probe inputs"""
    seconds: float


@dataclass(frozen=True)
class Pipeline:
    """A sequence of passes.

    After each pass the graph is verified; with ``probe`` inputs its outputs are compared with
    those before the pass, and a pass that promised equality and broke it is an error.
    """

    passes: Sequence[Pass]
    program_steps: Callable[[Graph, int], int] = lambda graph, steps: steps
    """how many time steps the graph takes when T is what the user asked for"""
    settled_by: Callable[[Graph, int], int] = lambda graph, steps: steps
    """by which step its outputs have certainly come to rest; checks wait for that"""

    def run(
        self,
        graph: Graph,
        context: Context,
        probe: Inputs | None = None,
        on_step: Callable[[Step], None] = lambda step: None,
    ) -> list[Step]:
        """Edit the graph in place; give one line per pass."""
        steps, least = [], 1
        outputs = self._outputs(graph, probe, context)
        for one in self.passes:
            start = time.perf_counter()
            changed = one(graph, context)
            verify(graph)
            old = outputs
            outputs = self._outputs(graph, probe, context, least) if changed else outputs
            while self._may_settle(one, graph, context, least, deviation(old, outputs)):
                least = 2 * max(least, self.program_steps(graph, context.steps))
                outputs = self._outputs(graph, probe, context, least)
            drift = deviation(old, outputs)
            step = Step(print_pass(one), changed, len(graph), drift, time.perf_counter() - start)
            _check(one, step)
            steps.append(step)
            on_step(step)
        return steps

    def _may_settle(
        self, one: Pass, graph: Graph, context: Context, steps: int, drift: float
    ) -> bool:
        """Tell whether a promise that is broken after so many steps may be kept after more."""
        promise = one.promise
        broken = isinstance(promise, Exactly) and not drift <= promise.tolerance
        longer = _over_time(graph) and not _timed_inputs(graph)
        return broken and longer and steps < self.settled_by(graph, context.steps)

    def _outputs(
        self, graph: Graph, probe: Inputs | None, context: Context, least: int = 1
    ) -> Outputs:
        """Run the graph; of an output that grows over time steps, take the last step."""
        if probe is None:
            return ()
        timed = [node.inputs[0].type.time_axis for node in graph.outputs]
        steps = self.program_steps(graph, context.steps) if _over_time(graph) else None
        steps = None if steps is None else max(steps, least)
        # in float64, where no rounding of a sum decides whether a neuron fires
        feed = {node.name: _frames(node, probe[node.name], steps or 1) for node in graph.inputs}
        result = run(graph, feed, "layerwise", steps=steps, dtype="float64")
        arrays = result if isinstance(result, tuple) else (result,)
        return tuple(
            a if axis is None else a.take(-1, axis=axis)
            for a, axis in zip(arrays, timed, strict=True)
        )


def _frames(node: Node, x: NDArray[Any], steps: int) -> NDArray[Any]:
    """Give samples as they come; where they are frames now, those of others come before them."""
    declared = node.outputs[0].type
    if declared.is_static:
        return x
    if declared.rank == x.ndim:  # a recording
        return np.moveaxis(x, 0, declared.batch_axis)  # type: ignore[arg-type]  # there is one
    return np.stack([x[::-1]] * (steps - 1) + [x])


def _over_time(graph: Graph) -> bool:
    return any(not value.type.is_static for node in graph for value in node.outputs)


def _timed_inputs(graph: Graph) -> bool:
    """Tell whether inputs say how many steps there are."""
    return any(not node.outputs[0].type.is_static for node in graph.inputs)


def deviation(old: Outputs, new: Outputs) -> float:
    """Give max |new - old| / max |old| over all outputs.

    >>> deviation((np.array([1.0, -4.0]),), (np.array([1.0, -3.0]),))
    0.25
    """
    worst = 0.0
    for a, b in zip(old, new, strict=True):
        same = (a == b) | ((a != a) & (b != b))  # NaN and infinities that stay are no change
        distance = np.where(same, 0, np.abs(np.subtract(b, a, where=~same, out=np.zeros_like(a))))
        if not np.isfinite(distance).all():
            return np.inf
        scale = float(np.abs(a[np.isfinite(a)]).max(initial=0)) or 1.0
        worst = max(worst, float(distance.max(initial=0)) / scale)
    return worst


def _check(one: Pass, step: Step) -> None:
    promise = one.promise
    if isinstance(promise, Exactly) and not step.deviation <= promise.tolerance:
        raise PromiseBroken(
            f"pass {step.text} changed the outputs by {step.deviation:.3g} (relative)",
            expected=f"at most {promise.tolerance:g}",
            remedy="this is a defect of the pass; please report it with the model",
        )
