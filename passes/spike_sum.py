"""The sum code: bipolar neurons with a tracer, whose events add up to the activation exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spikec.ir import Array, Editor, Graph, Node, Op, Value, ops
from spikec.ir.ops import BipolarIF, CumulativeSum, Difference, Impulse
from spikec.pipeline import Context, Exactly, Promise, check_option
from spikec.pipeline.bounds import check_bounds
from spikec.pipeline.spiking import SpikingRewrite


@dataclass(frozen=True)
class SpikeSum(SpikingRewrite):
    """QuantReLU(step s, N levels) becomes ST-BIF with threshold s and tracer bounds low..N.

    Inputs and biases come once, at the first step.  When no neuron fires any more, each tracer is
    clip(floor(Σ x / s + 1/2), low, N), whatever the order of events: the quantised network's value.
    """

    levels: int = 7
    """most quanta that a neuron sends or takes back in one step"""

    name: ClassVar[str] = "spike-sum"
    promise: ClassVar[Promise] = Exactly(1e-6)
    every_step: ClassVar[bool] = False
    keeps_signs: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_option(f"{self.name}.levels", self.levels, 1, 2**24)

    def apply(self, edit: Editor, context: Context) -> None:
        sites = [node.op for node in edit.graph if isinstance(node.op, ops.QuantReLU)]
        if all(site.amplitude is not None for site in sites):  # whole numbers, also over time
            check_bounds(edit.graph, self.levels)
        super().apply(edit, context)

    def neuron(self, site: ops.QuantReLU, context: Context) -> Op:
        step = site.step.data.astype(np.float64)
        whole = bool((step == np.round(step)).all())
        # in integers floor((x + floor(s/2)) / s) = floor(x/s + 1/2), for odd s too
        v0 = np.floor(step / 2) if whole else step / 2
        return BipolarIF(
            threshold=site.step,
            high=site.levels,
            low=site.low,
            levels=self.levels,
            v0=Array(v0, "float32"),
            amplitude=site.amplitude,
        )

    def source(self) -> Op:
        return Impulse()

    def readout(self, context: Context) -> Op:
        return CumulativeSum()

    def settle(self, graph: Graph, edit: Editor) -> None:
        """Deliver every bias once instead of at every step; estimates have theirs at every step."""
        running = _running(graph)
        for node in graph.nodes:
            if node.inputs and not node.inputs[0].type.is_static and node not in running:
                _bias_once(edit, node)


def _running(graph: Graph) -> set[Node]:
    """Give the nodes that see sums over all steps so far, instead of what one step brings."""
    found: set[Node] = set()
    for node in graph:
        before = [value.producer for value in node.inputs]
        summed = any(n in found or isinstance(n.op, CumulativeSum) for n in before)
        if summed and not isinstance(node.op, Difference):
            found.add(node)
    return found


def _bias_once(edit: Editor, node: Node) -> None:
    op = node.op
    match op:
        case ops.Linear(bias=Array() as bias):
            shape: tuple[int, ...] = (-1,)
            bare: Op = replace(op, bias=None)
        case ops.Conv(bias=Array() as bias) | ops.ConvTranspose(bias=Array() as bias):
            shape, bare = (-1, *(1,) * len(op.kernel)), replace(op, bias=None)
        case ops.Scale(shift=Array() as bias):
            shape, bare = (-1, *(1,) * (-op.axis - 1)), replace(op, shift=None)
        case _:
            return
    edit.change_op(node, bare)
    rank = node.outputs[0].type.rank
    full = bias.data.reshape(shape)
    full = full.reshape((1,) * (rank - 1 - full.ndim) + full.shape)
    nodes = edit.graph.nodes
    following = nodes[nodes.index(node) + 1]
    readers = tuple(node.outputs[0].users)

    def add(op: Op, *operands: Value, name: str) -> Value:
        return edit.add(
            op, *operands, name=f"{node.name}_{name}", sources=(node,), before=following
        )

    once = add(Impulse(), add(ops.Constant(Array(full)), name="bias"), name="bias_once")
    total = add(ops.Add(), node.outputs[0], once, name="current")
    for reader in readers:
        edit.rewire(reader, [total if v is node.outputs[0] else v for v in reader.inputs])
