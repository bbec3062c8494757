"""Fits neurons to what really reaches them, layer by layer: thresholds and biases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import UsageError
from spikec.ir import Array, Editor, Graph, Node, Stage, Value, ops
from spikec.ir.ops import IntegrateFire, MeanOverTime, MultiThreshold, QuantReLU
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.bias import add_to_bias
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.known import Known
from spikec.runtime import run

Numbers = NDArray[Any]
Vector = NDArray[np.float64]
Site = IntegrateFire | MultiThreshold | QuantReLU
SITES = (IntegrateFire, MultiThreshold, QuantReLU)
FACTORS = (0.7, 0.85, 1.0, 1.2)
SHARES = (0.1, 0.3, 0.5)


@dataclass(frozen=True)
class Fit:
    """What was chosen per channel, and its error."""

    scale: Vector
    """threshold of a neuron, step of a quantiser"""
    v0: Vector
    """initial potential, in thresholds"""
    shift: Vector
    error: Vector

    def better(self, other: Fit) -> Fit:
        """Take per channel whichever has the smaller error."""
        first = self.error <= other.error
        pairs = ((getattr(self, name), getattr(other, name)) for name in vars(self))
        return Fit(*(np.where(first, mine, theirs) for mine, theirs in pairs))


@dataclass(frozen=True)
class CalibrateNeurons(Pass):
    """Layer by layer, with all earlier layers already quantised or spiking, and fixed.

    With a the analog activation and r = decode(spikes) the simulated one, per channel:
    shift <- shift + mean a - mean r (``rounds`` times; the light calibration of Li et al. 2021),
    for each candidate θ' = factor · θ and v(0) = share · θ'; the candidate with the least
    Σ (r - a)² wins.  Without ``search`` only the shift is fitted.  Channels that are silent in the
    analog network keep their bias.  The outputs are shifted likewise.
    """

    samples: int = 192
    """calibration samples used"""
    rounds: int = 2
    search: bool = False
    """try other thresholds and initial potentials besides the given ones"""

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
        _Walk(self, edit, context).run()
        done[stage] = {"samples": self.samples, "rounds": self.rounds, "search": self.search}

    def candidates(self, op: Site) -> Iterator[tuple[float, float]]:
        """Give pairs of factor and share; the given pair first."""
        given = _share(op)
        yield 1.0, given
        shares = SHARES if isinstance(op, IntegrateFire) else (given,)
        if self.search:
            pairs = ((factor, share) for factor in FACTORS for share in shares)
            yield from (pair for pair in pairs if pair != (1.0, given))


class _Walk:
    """Walks both networks side by side."""

    def __init__(self, options: CalibrateNeurons, edit: Editor, context: Context) -> None:
        assert context.calibration is not None
        assert context.reference is not None
        self.options = options
        self.edit = edit
        self.reference = context.reference
        inputs = {name: x[: options.samples] for name, x in context.calibration.items()}
        self.ours = Known(edit.graph, inputs, context.steps)
        self.analog = Known(context.reference, inputs, context.steps)

    def run(self) -> None:
        for node in self.edit.graph.nodes:
            if isinstance(node.op, SITES):
                self._site(node, node.op)
        for node in self.edit.graph.nodes:
            if isinstance(node.op, ops.Output):
                self._output(node)

    def _site(self, node: Node, op: Site) -> None:
        current, twin = node.inputs[0], self.reference[node.name].outputs[0]
        axis = channel_axis(current)
        target = self.analog.value(twin)
        z = self.ours.value(current)
        fit = self._fit(op, current, z, target)
        fitted = _with(op, fit.scale, fit.v0, axis)
        self.edit.change_op(node, fitted)
        add_to_bias(self.edit, current, fit.shift, axis)
        self.ours.keep(node.outputs[0], _events(fitted, current, _shifted(z, fit.shift, axis)))
        self.analog.keep(twin, target)

    def _fit(self, op: Site, current: Value, z: Numbers, target: Numbers) -> Fit:
        axis = channel_axis(current)
        wanted = _channel_mean(target, axis)
        tried = (
            self._try(op, current, z, (target, wanted), candidate)
            for candidate in self.options.candidates(op)
        )
        best = next(tried)
        for fit in tried:
            best = best.better(fit)
        return best

    def _try(
        self,
        op: Site,
        current: Value,
        z: Numbers,
        goal: tuple[Numbers, Vector],
        candidate: tuple[float, float],
    ) -> Fit:
        target, wanted = goal
        axis, channels = channel_axis(current), len(wanted)
        scale = candidate[0] * _vector(_scale(op), channels)
        v0 = np.full(channels, candidate[1])
        layer = _with(op, scale, v0, axis)
        shift = np.zeros(channels)
        rate = _decoded(layer, current, z)
        for _ in range(self.options.rounds):
            shift += np.where(wanted > 0, wanted - _channel_mean(rate, axis), 0.0)
            rate = _decoded(layer, current, _shifted(z, shift, axis))
        return Fit(scale, v0, shift, _channel_mean(np.square(rate - target), axis))

    def _output(self, output: Node) -> None:
        """Shift what comes out, so that its mean is that of the analog network."""
        value = output.inputs[0]
        name = value.producer.name.removesuffix("_readout")
        over_time = name != value.producer.name
        current = value.producer.inputs[0] if over_time else value
        if name not in self.reference or current.type.is_static == over_time:
            return
        axis = channel_axis(current)
        found = self.ours.value(current)
        wanted = _channel_mean(self.analog.value(self.reference[name].outputs[0]), axis)
        add_to_bias(self.edit, current, wanted - _channel_mean(found, axis), axis)


def _decoded(op: Site, current: Value, z: Numbers) -> Numbers:
    """Give what a layer's events stand for."""
    return _layer(op, current, z, mean=not isinstance(op, QuantReLU))


def _events(op: Site, current: Value, z: Numbers) -> Numbers:
    return _layer(op, current, z, mean=False)


def _layer(op: Site, current: Value, z: Numbers, mean: bool) -> Numbers:
    """Run one layer; give its values, or their mean over time."""
    edit = Editor(Graph("layer", Stage.SPIKING), by="calibrate-neurons")
    y = edit.add(op, edit.input("z", current.type.analog()))
    edit.output("y", edit.add(MeanOverTime(-current.type.rank), y) if mean else y)
    result = run(edit.graph, z, "layerwise")
    assert not isinstance(result, tuple)  # one output
    return result


def _scale(op: Site) -> Array:
    return op.step if isinstance(op, QuantReLU) else op.threshold


def _with(op: Site, scale: Vector, v0: Vector, axis: int) -> Site:
    """Give the layer with other thresholds and initial potentials, per channel."""
    wide = Array(_wide(scale, axis), "float32")
    if isinstance(op, QuantReLU):
        return replace(op, step=wide)
    return replace(op, threshold=wide, v0=Array(_wide(v0 * scale, axis), "float32"))


def _share(op: Site) -> float:
    """The initial potential in thresholds."""
    if isinstance(op, QuantReLU) or op.v0 is None:
        return 0.0
    return float(np.mean(op.v0.data / op.threshold.data))


def _vector(array: Array, channels: int) -> Vector:
    return np.broadcast_to(array.data.astype(np.float64).reshape(-1), (channels,)).copy()


def _wide(vector: Vector, axis: int) -> Vector:
    return vector.reshape(-1, *(1,) * (-axis - 1))


def _shifted(z: Numbers, shift: Vector, axis: int) -> Numbers:
    return np.asarray(z + _wide(shift, axis).astype(z.dtype))


def _channel_mean(x: Numbers, axis: int) -> Vector:
    others = tuple(i for i in range(x.ndim) if i != x.ndim + axis)
    return np.asarray(x.mean(axis=others, dtype=np.float64))
