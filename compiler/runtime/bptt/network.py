"""Runs a graph that holds time under torch's autograd, layer after layer.

A node without time, or of one step alone, runs once over all steps and samples [steps x samples];
a scan goes through the steps.  What does not depend on time is computed once.  Without gradients
the events are those of the layerwise engine; with them, sums may be rounded otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Graph, Node, Op, Sizes, TensorType, Value, ops
from spikec.ir.encoding import encodes
from spikec.runtime.bptt.encode import ENCODERS, encoded
from spikec.runtime.bptt.fused import fused, is_plain
from spikec.runtime.bptt.neurons import STEPS, Setting, stepped
from spikec.runtime.bptt.whole import WHOLE
from spikec.runtime.gradient import GRADIENTS

Scan = Callable[[Any, Tensor, Setting], Tensor]


def _times(x: Tensor) -> Tensor:
    """1, 2, … along the first axis."""
    times = torch.arange(1, len(x) + 1, dtype=x.dtype, device=x.device)
    return times.reshape(-1, *(1,) * (x.dim() - 1))


def summed(op: Op, x: Tensor, _: Setting) -> Tensor:
    """Σ_{τ <= t} x[τ], in the order of time."""
    return x.cumsum(0)


def mean(op: ops.MeanReadout, x: Tensor, _: Setting) -> Tensor:
    """See :class:`spikec.ir.ops.MeanReadout`."""
    early, late = x[: op.start], x[op.start :]
    return torch.cat([part.cumsum(0) / _times(part) for part in (early, late) if len(part)])


def differential(op: Op, x: Tensor, _: Setting) -> Tensor:
    """Σ_{τ <= t} x[τ] / τ."""
    return (x / _times(x)).cumsum(0)


def difference(op: Op, x: Tensor, _: Setting) -> Tensor:
    """x[t] - x[t-1]."""
    return torch.cat([x[:1], x[1:] - x[:-1]])


def time_scale(op: ops.TimeScale, x: Tensor, _: Setting) -> Tensor:
    """t^power x[t]."""
    return x * _times(x) if op.power == 1 else x / _times(x)


def by_step(op: ops.PhaseScale | ops.StepScale, x: Tensor, setting: Setting) -> Tensor:
    """weights[(t - 1) mod K] x[t]."""
    weights = setting.constants(op.weights)
    turns = torch.arange(len(x), device=x.device) % len(weights)
    shared = (1,) * (x.dim() - weights.dim())
    return x * weights[turns].reshape(len(x), *shared, *weights.shape[1:])


def delay(op: ops.Delay, x: Tensor, _: Setting) -> Tensor:
    """x[t - steps], 0 before."""
    wait = min(op.steps, len(x))
    return torch.cat([torch.zeros_like(x[:wait]), x[: len(x) - wait]])


def in_turn(op: ops.Cycle, x: Tensor, steps: int) -> Tensor:
    """X at place order[(t - 1) mod K]."""
    places = torch.tensor(op.order, device=x.device).repeat(-(-steps // len(op.order)))
    return x.index_select(op.axis, places[:steps]).movedim(op.axis, 0)


def integrate_fire(op: ops.IntegrateFire, x: Tensor, setting: Setting) -> Tensor:
    """Take the fused way where there is one."""
    return fused(op, x, setting) if is_plain(op) else stepped(op, x, setting)


SCANS: Mapping[type[Op], Scan] = {
    **dict.fromkeys(STEPS, stepped),
    ops.IntegrateFire: integrate_fire,
    ops.CumulativeSum: summed,
    ops.MeanReadout: mean,
    ops.DifferentialReadout: differential,
    ops.Difference: difference,
    ops.TimeScale: time_scale,
    **dict.fromkeys((ops.PhaseScale, ops.StepScale), by_step),
    ops.Delay: delay,
    **dict.fromkeys(ENCODERS, encoded),
}
OVER_TIME: Mapping[type[Op], Callable[[Tensor, int], Tensor]] = {
    ops.LastStep: lambda x, axis: x.select(axis, -1),
    ops.SumOverTime: lambda x, axis: x.sum(axis),
    ops.MeanOverTime: lambda x, axis: x.mean(axis),
}
_OTHERS = (ops.Input, ops.Output, ops.Constant, ops.Repeat, ops.Cycle)


def without_derivative(graph: Graph) -> list[Node]:
    """Give the nodes that cannot be differentiated here."""
    known = {*SCANS, *OVER_TIME, *WHOLE, *GRADIENTS}
    return [n for n in graph if type(n.op) not in known and not isinstance(n.op, _OTHERS)]


def check_differentiable(graph: Graph) -> None:
    """Refuse a graph that cannot be differentiated; all such nodes stand in one error."""
    problems = [
        Problem(f"{type(node.op).__name__} has no derivative here", node.place)
        for node in without_derivative(graph)
    ]
    if problems:
        raise UnsupportedModel(
            "the program cannot be fine-tuned as it spikes",
            problems=problems,
            remedy="take a recipe of integrate-and-fire or multi-threshold neurons (rate, balanced,"
            " percentile, signed, graded), or fine-tune the network before it is converted",
        )


@dataclass(frozen=True)
class Network:
    """A graph, ready to be run and differentiated."""

    graph: Graph
    setting: Setting

    def values(
        self, inputs: Mapping[str, Tensor], steps: int, dropout: float = 0.0, seed: int = 0
    ) -> dict[Value, Tensor]:
        """Give all values; inputs by name, the time axis as their types say.

        So large a share of the hidden neurons is left out as ``dropout`` says, the same at all
        steps of a sample, and what the others send counts 1 / (1 - dropout) times.
        """
        sizes = Sizes(self._samples(inputs, steps), steps)
        generator = torch.Generator().manual_seed(seed)
        found: dict[Value, Tensor] = {}
        for node in self.graph:
            if isinstance(node.op, ops.Output):
                continue
            results = self._results(node, inputs, found, sizes)
            if dropout and node.fires and not encodes(node):
                (y,) = results
                results = (y * _mask(y, (node.outputs[0].type, steps), dropout, generator),)
            found.update(zip(node.outputs, results, strict=True))
        return found

    def outputs(self, inputs: Mapping[str, Tensor], steps: int) -> Tensor:
        """Give the first output; [steps, samples, ...] where it has time."""
        output = self.graph.outputs[0].inputs[0]
        return self.values(inputs, steps)[output]

    def _samples(self, inputs: Mapping[str, Tensor], steps: int) -> int:
        node = self.graph.inputs[0]
        declared, x = node.outputs[0].type, inputs[node.name]
        batch = declared.batch_axis
        return 1 if batch is None else x.shape[batch]

    def _results(
        self,
        node: Node,
        inputs: Mapping[str, Tensor],
        found: Mapping[Value, Tensor],
        sizes: Sizes,
    ) -> tuple[Tensor, ...]:
        if type(node.op) in WHOLE:
            operands = tuple(found[value] for value in node.inputs)
            return WHOLE[type(node.op)](node.op, operands, self.setting.constants)
        return (self._result(node, inputs, found, sizes),)

    def _result(
        self,
        node: Node,
        inputs: Mapping[str, Tensor],
        found: Mapping[Value, Tensor],
        sizes: Sizes,
    ) -> Tensor:
        op, constants = node.op, self.setting.constants
        operands = tuple(found[value] for value in node.inputs)
        match op:
            case ops.Input():
                return inputs[node.name]
            case ops.Constant():
                return constants(op.value)
            case ops.Repeat():
                return operands[0].expand(sizes.steps, *operands[0].shape)
            case ops.Cycle():
                return in_turn(op, operands[0], sizes.steps)
        if type(op) in OVER_TIME:
            return OVER_TIME[type(op)](operands[0], op.axis)  # type: ignore[attr-defined]
        if type(op) in SCANS:
            type_ = node.inputs[0].type
            steps = int(sizes.steps * type_.rate)
            y = SCANS[type(op)](op, _unfolded(operands[0], type_, steps), self.setting)
            return _folded(y, type_)
        return GRADIENTS[type(op)](op, operands, sizes, constants)


def _mask(
    y: Tensor, over: tuple[TensorType, int], dropout: float, generator: torch.Generator
) -> Tensor:
    """Give 0 or 1 / (1 - dropout) for each neuron and sample, again at each step."""
    type_, steps = over
    axis = type_.rank + (type_.time_axis or 0)
    shape, turns = list(y.shape), [1] * y.dim()
    if type_.time_axis is not None:
        shape[axis] //= steps
        turns[axis] = steps
    kept = torch.rand(shape, generator=generator) >= dropout
    return (kept.to(y) / (1 - dropout)).repeat(turns)


def _unfolded(x: Tensor, type_: TensorType, steps: int) -> Tensor:
    """Give [steps, ...] with the axes of one step behind, a view."""
    axis = type_.rank + (type_.time_axis or 0)
    parts = (*x.shape[:axis], steps, x.shape[axis] // steps, *x.shape[axis + 1 :])
    return x.reshape(parts).movedim(axis, 0)


def _folded(y: Tensor, type_: TensorType) -> Tensor:
    """Put the steps where the type has them."""
    axis = type_.rank + (type_.time_axis or 0)
    return y.movedim(0, axis).flatten(axis, axis + 1)
