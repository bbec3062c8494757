"""Fits weights and neurons to what really reaches them, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate.choice import chosen
from spikec.calibrate.neurons import SITES, Layer, Site, decoded, delivers_once, with_scale
from spikec.calibrate.refit import Affine, refit, rows_for
from spikec.calibrate.rows import Places
from spikec.errors import UsageError
from spikec.ir import Editor, Graph, Node, Sizes, Stage, Value, ops
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.bias import add_to_bias
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.extract import between
from spikec.pipeline.known import Known, answer
from spikec.pipeline.once import add_once

Numbers = NDArray[Any]
Vector = NDArray[np.float64]
ROWS = 2**13
"""places, times steps, at which the neurons of a layer are fitted"""
LEAST_ROWS = 512
MOST_ELEMENTS = 2**28
"""values of one layer, over all samples and steps, that are held at once"""


@dataclass(frozen=True)
class CalibrateNeurons(Pass):
    """Layer by layer, with all earlier layers already quantised or spiking, and fixed.

    With a the analog activation and r = decode(spikes) the simulated one, per channel:

    1. ``refit``: the weights in front change so that what the current stands for comes
       closest to the analog one (ridge regression, see ``calibrate.refit``);
    2. shift <- shift + mean a - mean r, ``rounds`` times (light calibration, Li et al. 2021); with
       ``refit``, whose biases make up for means, the shift with the least Σ (r - a)² on the way,
       or least Σ (c r + d - a)² for any c and d where only refitted weights read the layer;
    3. ``search``: of thresholds θ' = factor · θ and initial potentials v(0) = share · θ' the pair
       with the least Σ (r - a)², each with its own shift.

    Channels that are silent in the analog network keep their bias.  The outputs are fitted
    likewise.  Neurons are fitted at a few thousand random places of all samples.
    """

    samples: int = 256
    """calibration samples used"""
    rounds: int = 2
    search: bool = False
    """try other thresholds and initial potentials besides the given ones"""
    refit: bool = False
    """correct the weights too"""

    name: ClassVar[str] = "calibrate-neurons"
    promise: ClassVar[Promise] = Approximately("mean activations move to those of the network")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.samples", self.samples, 1, 10**9)
        check_option(f"{self.name}.rounds", self.rounds, 0, 1000)

    def apply(self, edit: Editor, context: Context) -> None:
        done = context.record.setdefault(self.name, {})
        stage = edit.graph.stage.value
        if stage in done or not any(isinstance(node.op, SITES) for node in edit.graph):
            return
        if context.calibration is None or context.reference is None:
            raise UsageError(
                f"{self.name} needs calibration data and the analog network",
                remedy="give calibration=data, and put keep-reference in front of the thresholds",
            )
        steps = 1 if edit.graph.stage is Stage.ANALOG else context.steps
        samples = _samples(edit.graph, min(self.samples, _count(context)), steps)
        _Walk(self, edit, context, samples).run()
        options = {"rounds": self.rounds, "search": self.search, "refit": self.refit}
        done[stage] = {"samples": samples, **options}


def _count(context: Context) -> int:
    assert context.calibration is not None
    return len(next(iter(context.calibration.values())))


def _samples(graph: Graph, wanted: int, steps: int) -> int:
    """Give how many samples fit into memory."""
    values = [v.type.shape(Sizes(1, steps)) for node in graph for v in node.outputs]
    largest = max(map(prod, values), default=1)
    return max(1, min(wanted, MOST_ELEMENTS // largest))


class _Walk:
    """Walks both networks side by side."""

    def __init__(
        self, options: CalibrateNeurons, edit: Editor, context: Context, samples: int
    ) -> None:
        assert context.calibration is not None
        assert context.reference is not None
        self.options = options
        self.edit = edit
        self.seed = context.seed
        self.reference = context.reference
        inputs = chosen(context.calibration, samples)
        self.ours = Known(edit.graph, inputs, context.steps)
        self.means = Known(edit.graph, inputs, 1)
        """as ours, each train replaced by what it stands for as the only step"""
        self.analog = Known(context.reference, inputs, context.steps)
        self.once = any(delivers_once(node.op) for node in edit.graph)
        self.inexact = _inexact_weights(edit.graph)
        self.refitted: set[Node] = set()

    def run(self) -> None:
        for node in self.edit.graph.nodes:
            if isinstance(node.op, SITES) and node.name in self.reference:
                self._site(node, node.op)
            elif isinstance(node.op, SITES):
                self._pass(node, node.op)
        for node in self.edit.graph.nodes:
            if isinstance(node.op, ops.Output):
                self._output(node)

    def _site(self, node: Node, op: Site) -> None:
        current, twin = node.inputs[0], self.reference[node.name]
        self._refit(current, twin.inputs[0])
        axis = channel_axis(current)
        target = self.analog.value(twin.outputs[0])
        z = self.ours.value(current)
        rows = ROWS // (1 if current.type.is_static else len(z))
        places = Places.pick(target.shape, axis, max(rows, LEAST_ROWS), self.seed)
        options = self.options
        layer = Layer(
            op,
            places.of(z),
            places.of(target),
            options.rounds,
            mean_matters=not options.refit,  # else weights that are refitted later make up for it
            scale_matters=not (options.refit and _read_by_weights(node)),
        )
        fit = layer.searched() if options.search else layer.given()
        fitted = with_scale(op, fit.scale, fit.v0, axis)
        self.edit.change_op(node, fitted)
        self._shift(current, fit.shift, axis)
        if current in self.ours.arrays:
            z = z.copy()  # somebody else reads it, unshifted
        shifted = z[:1] if self.once else z
        shifted += fit.shift.reshape(-1, *(1,) * (-axis - 1)).astype(z.dtype)
        events = answer(fitted, current.type, z)
        self.ours.keep(node.outputs[0], events)
        self.means.keep(node.outputs[0], _over_time(node, events))
        self.analog.keep(twin.outputs[0], target)

    def _pass(self, node: Node, op: Site) -> None:
        """Let neurons answer that stand for no activation of the network."""
        current = node.inputs[0]
        events = answer(op, current.type, self.ours.value(current))
        self.ours.keep(node.outputs[0], events)
        self.means.keep(node.outputs[0], _over_time(node, events))

    def _shift(self, current: Value, shift: Vector, axis: int) -> None:
        """Let what a current stands for be larger."""
        add = add_once if self.once else add_to_bias
        add(self.edit, current, shift, axis)

    def _refit(self, current: Value, twin: Value) -> None:
        """Refit all weights between the last sites and a current; its own ones last."""
        if not self.options.refit:
            return
        own = _weights_of(current)
        behind = between(current, frozenset(self.ours.arrays))
        todo = [n for n in self.edit.graph if n in behind & self.inexact and n not in self.refitted]
        for node in todo:
            if node is not own and node.name in self.reference:
                self._refit_one(node, node.outputs[0], self.reference[node.name].outputs[0])
        if own in todo:
            self._refit_one(own, current, twin)

    def _refit_one(self, node: Node, value: Value, twin: Value) -> None:
        """Let ``value``, a sum that the node's result stands in, come closest to its twin."""
        op = node.op
        assert isinstance(op, Affine)
        self.refitted.add(node)
        missing = self.analog.value(twin) - self._mean(value)
        axis = -1 if isinstance(op, ops.Linear) else -len(op.kernel) - 1
        places = Places.pick(missing.shape, axis, rows_for(op), self.seed)
        inputs = self._mean(node.inputs[0])
        better = refit(op, inputs, places.of(missing), places)
        if not self.once or better.bias is None:
            self.edit.change_op(node, better)
            return
        shift = better.bias.data - (0.0 if op.bias is None else op.bias.data)
        self.edit.change_op(node, replace(better, bias=op.bias))
        self._shift(node.outputs[0], shift, axis)

    def _mean(self, value: Value) -> Numbers:
        """Give what a value over time stands for."""
        mean = self.means.value(value)
        return mean if value.type.is_static else mean[0]

    def _output(self, output: Node) -> None:
        """Shift what comes out, so that its mean is that of the analog network."""
        value = output.inputs[0]
        name = value.producer.name.removesuffix("_readout")
        over_time = name != value.producer.name
        current = value.producer.inputs[0] if over_time else value
        if name not in self.reference or current.type.is_static == over_time:
            return
        twin = self.reference[name].outputs[0]
        self._refit(current, twin)
        axis = channel_axis(current)
        wanted = _channel_mean(self.analog.value(twin), axis)
        self._shift(current, wanted - _channel_mean(self._mean(current), axis), axis)


def _read_by_weights(node: Node) -> bool:
    """Tell whether nothing but weights reads a layer, which take any factor upon themselves."""
    return all(isinstance(user.op, Affine) for user in node.outputs[0].users)


def _inexact_weights(graph: Graph) -> set[Node]:
    """Give the linear maps that read what sites have sent: only these have errors to correct."""
    reached: set[Node] = set()
    for node in graph:
        if isinstance(node.op, SITES) or any(v.producer in reached for v in node.inputs):
            reached.add(node)
    return {node for node in reached if isinstance(node.op, Affine)}


def _weights_of(current: Value) -> Node | None:
    """Give a linear map whose result stands once in this sum, and nowhere else."""
    node = current.producer
    if len(current.users) != 1:
        return None
    if isinstance(node.op, Affine):
        return node
    if not isinstance(node.op, ops.Add):
        return None
    wide = [v for v in node.inputs if v.type.dims == current.type.dims]
    found = [own for v in wide if (own := _weights_of(v)) is not None]
    return found[-1] if found else None


def _over_time(site: Node, x: Numbers) -> Numbers:
    """Give what a train stands for as a train of one step."""
    return x if site.outputs[0].type.is_static else decoded(site.op, x)[None]


def _channel_mean(x: Numbers, axis: int) -> Vector:
    others = tuple(i for i in range(x.ndim) if i != x.ndim + axis)
    return np.asarray(x.mean(axis=others, dtype=np.float64))
