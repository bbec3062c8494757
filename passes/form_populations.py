"""Gives neurons with large errors company: small populations, as many as a budget allows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from spikec.calibrate.choice import chosen
from spikec.errors import UsageError
from spikec.ir import Array, Editor, Graph, Node
from spikec.ir.ops import Decision, IntegrateFire, Leak, Negative, Population, Reset
from spikec.pipeline import Approximately, Context, Inputs, Pass, Promise, check_option
from spikec.pipeline.channels import channel_axis
from spikec.runtime import trace
from spikec.runtime.gradient import Parameters, forward, without_gradient

Numbers = NDArray[Any]
Vector = NDArray[np.float64]
PROBES = 4
"""random sums of the outputs whose derivatives are taken"""


@dataclass(frozen=True)
class FormPopulations(Pass):
    """Binary neurons of a channel become k of them, where that helps most per neuron.

    Quantisation and uneven trains make a neuron of threshold θ err by e, the mean square of what
    it sends beside what its own current stands for; k neurons that share a threshold err by about
    e / k².  A neuron's error reaches the outputs o by S = mean (Σ_j ± ∂o_j/∂a)² over random signs,
    at the analog network's activation a.  Of all steps from k to k + 1 neurons those with the most

        S e (1 / k² - 1 / (k + 1)²)

    per channel's neuron are taken, until there are ``budget`` times as many neurons as before.
    Networks that cannot be differentiated go by e / mean a² of the layer.

    ::

        %n = IntegrateFire(%x; threshold=t, v0=t/2)
          ->  %n = Population(%x; threshold=t/k, v0=t/2k, levels=max k, members=k)
    """

    budget: float = 1.5
    """neurons, in units of those there were"""
    most: int = 4
    """members of a population"""
    samples: int = 32
    """calibration samples used"""

    name: ClassVar[str] = "form-populations"
    promise: ClassVar[Promise] = Approximately("populations have finer levels")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.budget", self.budget, 1, 64)
        check_option(f"{self.name}.most", self.most, 2, 64)
        check_option(f"{self.name}.samples", self.samples, 1, 10**9)

    def apply(self, edit: Editor, context: Context) -> None:
        sites = [node for node in edit.graph if _is_simple(node.op)]
        if not sites:
            return
        if context.calibration is None or context.reference is None:
            raise UsageError(
                f"{self.name} needs calibration data and the analog network",
                remedy="give calibration=data, and put keep-reference in front of the thresholds",
            )
        inputs = chosen(context.calibration, self.samples)
        layers = _layers(edit.graph, sites, inputs, context.steps)
        weights = _sensitivities(context.reference, sites, inputs, context.seed)
        members = self._members(layers, weights)
        pairs = list(zip(layers, members, strict=True))
        for layer, k in pairs:
            _grow(edit, layer, k)
        context.record[self.name] = {
            "neurons_before": sum(layer.size for layer in layers),
            "neurons": sum(layer.places * int(k.sum()) for layer, k in pairs),
            "members": {layer.node.name: k.tolist() for layer, k in pairs},
        }

    def _members(self, layers: list[Layer], weights: list[Vector]) -> list[NDArray[np.int64]]:
        """Take the best steps, each of which costs one neuron at each place of its channel."""
        k = np.arange(1, self.most)
        shrink = 1 / k**2 - 1 / (k + 1) ** 2
        gains = np.concatenate(
            [
                (weight * layer.error)[:, None] * shrink
                for layer, weight in zip(layers, weights, strict=True)
            ]
        )
        costs = np.repeat(
            np.concatenate([np.full(len(layer.error), layer.places) for layer in layers])[:, None],
            len(k),
            axis=1,
        )
        # a channel's gains fall with k: in this order no step comes before the one it stands on
        order = np.argsort(-gains, axis=None, kind="stable")
        room = (self.budget - 1) * sum(layer.size for layer in layers)
        taken = np.cumsum(costs.reshape(-1)[order]) <= room
        steps = np.zeros(gains.size, np.int64)
        steps[order[taken & (gains.reshape(-1)[order] > 0)]] = 1
        counts = 1 + steps.reshape(gains.shape).sum(axis=1)
        ends = np.cumsum([len(layer.error) for layer in layers])[:-1]
        return list(np.split(counts, ends))


@dataclass(frozen=True)
class Layer:
    """A layer of neurons, and how much each channel errs."""

    node: Node
    error: Vector
    """mean square, by channel"""
    places: int
    """neurons of a channel"""
    power: float
    """mean square of what is sent"""
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.places * len(self.error))


def _is_simple(op: object) -> bool:
    return (
        type(op) is IntegrateFire
        and op.levels == 1
        and op.reset is Reset.SOFT
        and op.leak is Leak.NONE
        and op.negative is Negative.NONE
        and op.decision is Decision.AFTER_INPUT
    )


def _layers(graph: Graph, sites: list[Node], inputs: Inputs, steps: int) -> list[Layer]:
    """Run the spiking network, and compare what neurons send with what their currents ask for."""
    names = {value.name for node in sites for value in (node.inputs[0], node.outputs[0])}
    values = trace(graph, dict(inputs), "layerwise", record=names, steps=steps).values
    found = []
    for node in sites:
        op = node.op
        assert isinstance(op, IntegrateFire)
        current, sent = (values[v.name].mean(axis=0) for v in (node.inputs[0], node.outputs[0]))
        wanted = np.clip(current, 0, op.threshold.data)
        axis = sent.ndim + channel_axis(node.inputs[0])
        others = tuple(i for i in range(sent.ndim) if i != axis)
        error = np.square(sent - wanted).mean(axis=others, dtype=np.float64)
        places = sent[0].size // len(error)
        found.append(Layer(node, error, places, float(np.square(sent).mean())))
    return found


def _sensitivities(reference: Graph, sites: list[Node], inputs: Inputs, seed: int) -> list[Vector]:
    """Give S by site and channel; 1 / mean a² where the network has no derivative."""
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(x)).requires_grad_(x.dtype.kind == "f")
        for name, x in inputs.items()
    }
    with torch.set_grad_enabled(not without_gradient(reference)):
        found = forward(reference, tensors, Parameters())
    values = [found[reference[node.name].outputs[0]] for node in sites]
    axes = [x.dim() + channel_axis(node.inputs[0]) for x, node in zip(values, sites, strict=True)]
    if without_gradient(reference):
        return [
            np.full(x.shape[axis], 1 / max(float(x.square().mean()), 1e-30))
            for x, axis in zip(values, axes, strict=True)
        ]
    output = found[reference.outputs[0].inputs[0]]
    rng = np.random.default_rng(seed)
    sums = [np.zeros(x.shape[axis]) for x, axis in zip(values, axes, strict=True)]
    for _ in range(PROBES):
        signs = torch.from_numpy(rng.choice([-1, 1], tuple(output.shape)).astype(np.float32))
        slopes = torch.autograd.grad(
            (signs * output).sum(), values, retain_graph=True, allow_unused=True
        )
        for total, slope, axis in zip(sums, slopes, axes, strict=True):
            if slope is not None:
                total += slope.square().movedim(axis, 0).flatten(1).double().mean(1).numpy()
    return sums


def _grow(edit: Editor, layer: Layer, k: NDArray[np.int64]) -> None:
    """Let the neurons of a channel be k."""
    op, axis = layer.node.op, channel_axis(layer.node.inputs[0])
    assert isinstance(op, IntegrateFire)
    if k.max() == 1:
        return
    wide = k.reshape(-1, *(1,) * (-axis - 1))
    given: dict[str, Any] = {item.name: getattr(op, item.name) for item in fields(op)}
    for name in ("threshold", "v0", "amplitude"):
        if given[name] is not None:
            given[name] = Array(given[name].data / wide, "float32")
    edit.change_op(layer.node, Population(**{**given, "levels": int(k.max())}, members=Array(wide)))
