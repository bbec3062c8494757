"""Makes neurons that reset to zero of those that subtract, with thresholds fitted anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import Problem, UnsupportedModel, UsageError
from spikec.ir import Array, Editor, Graph, Node, Sizes
from spikec.ir.edit import copied
from spikec.ir.layout import folded
from spikec.ir.ops import IntegrateFire, Negative, Reset
from spikec.pipeline import Approximately, Context, Inputs, Pass, Promise, check_option, first_of
from spikec.runtime import trace
from spikec.runtime.feed import bind_inputs, shown

Numbers = NDArray[Any]


@dataclass(frozen=True)
class RefitReset(Pass):
    """v <- v - θ  becomes  v <- 0 at a lower threshold f θ; events keep their value.

    A reset to zero forgets what is above the threshold: a constant current z fires every
    ceil(θ / z) steps instead of every θ / z.  For each layer in turn, under the events of those
    before it, f is the one of ``tries`` factors from ``least`` to 1 by which the neurons' mean
    numbers of events come closest to those of the soft reset, in the sum of squares over neurons
    and samples.  Whole thresholds stay whole.
    """

    samples: int = 32
    tries: int = 15
    least: float = 0.3

    name: ClassVar[str] = "refit-reset"
    promise: ClassVar[Promise] = Approximately("a reset to zero forgets what is above thresholds")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.samples", self.samples, 1, 1_000_000)
        check_option(f"{self.name}.tries", self.tries, 2, 1000)
        check_option(f"{self.name}.least", self.least, 0.01, 1)

    def apply(self, edit: Editor, context: Context) -> None:
        soft = [node for node in edit.graph if _is_soft(node)]
        if not soft:
            return
        _check(soft)
        if context.calibration is None:
            raise UsageError(
                f"{self.name} needs calibration data",
                remedy="give samples: --data FILE.npz, or data=...",
            )
        samples = first_of(edit.graph, context.calibration, self.samples)
        inputs = shown(edit.graph, samples, context.steps)
        fit = _Fit(copied(edit.graph), inputs, context.steps)
        factors = np.linspace(self.least, 1.0, self.tries)
        record = context.record.setdefault(self.name, {})
        for node in soft:
            op, factor = fit.best(edit.graph, node, factors)
            record[node.name] = factor
            edit.change_op(node, op)


def _is_soft(node: Node) -> bool:
    return isinstance(node.op, IntegrateFire) and node.op.reset is Reset.SOFT


def _check(nodes: list[Node]) -> None:
    """Refuse neurons that a reset to zero makes no sense for."""
    problems = []
    for node in nodes:
        op = node.op
        assert isinstance(op, IntegrateFire)
        if op.levels > 1 or op.negative is not Negative.NONE:
            what = f"events of {op.levels} levels" if op.levels > 1 else "negative events"
            expected, remedy = "binary, positive events", "recipe rate"
            problems.append(Problem(what, node.place, expected, remedy))
    if problems:
        raise UnsupportedModel("these neurons cannot reset to zero", problems=problems)


class _Fit:
    """Compares a layer with what it did under soft reset."""

    def __init__(self, soft: Graph, inputs: Inputs, steps: int) -> None:
        self.soft = soft
        self.inputs = inputs
        self.steps = steps
        self.sizes = bind_inputs(soft, dict(inputs), steps, "float32").sizes

    def best(self, graph: Graph, node: Node, factors: Numbers) -> tuple[IntegrateFire, float]:
        """Give the neuron with the best of some factors."""
        assert isinstance(node.op, IntegrateFire)
        wanted = self._counts(self._seen(self.soft, node.name), node)
        (value,) = node.inputs
        current = folded(self._seen(graph, value.name), value.type, self.sizes)
        tried = [_hard(node.op, float(factor)) for factor in factors]
        errors = [np.square(self._fired(op, current, node) - wanted).sum() for op in tried]
        at = int(np.argmin(errors))
        return tried[at], float(factors[at])

    def _seen(self, graph: Graph, name: str) -> Numbers:
        seen = trace(graph, dict(self.inputs), "layerwise", record=name, steps=self.steps)
        return seen.values[name]

    def _counts(self, events: Numbers, node: Node) -> Numbers:
        rows = folded(events, node.outputs[0].type, self.sizes)
        return np.asarray((rows != 0).mean(axis=1))

    def _fired(self, op: IntegrateFire, current: Numbers, node: Node) -> Numbers:
        """Give the mean number of events per step, [samples, neurons]."""
        shape = node.inputs[0].type.step().shape(Sizes(1, 1))
        dtype = current.dtype
        v = np.zeros((len(current), *shape), dtype)
        state: tuple[Numbers, ...] = (v + (0 if op.v0 is None else op.v0.astype(dtype)),)
        total = np.zeros_like(v)
        for step in range(self.steps):
            x = current[:, step].reshape(v.shape)
            state, (events,) = op.step(state, (x,), step + 1)
            total += events != 0
        return np.asarray(total.reshape(len(v), -1) / self.steps)


def _hard(op: IntegrateFire, factor: float) -> IntegrateFire:
    data = op.threshold.data.astype(np.float64)
    whole = bool((data == np.round(data)).all())
    fitted = np.maximum(np.round(data * factor), 1) if whole else data * factor
    amplitude = op.threshold if op.amplitude is None else op.amplitude
    threshold = Array(np.asarray(fitted, op.threshold.data.dtype))
    return replace(op, threshold=threshold, amplitude=amplitude, reset=Reset.HARD)
